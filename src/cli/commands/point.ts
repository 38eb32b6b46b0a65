import { anyNumber } from '../arguments.ts';
import { planeOptions, RUN, withData, withPlane, type CommandLine, evaluation } from '../command.ts';

/** `basin point` */
export function addPoint(cli: CommandLine): void {
  cli.run(
    withPlane(
      withData(
        cli
          .question('point', "saves a point of a plane among the run's models, and scores it")
          .argument(...RUN)
          .requiredOption('--x <number>', 'coordinate along the first direction, in its units', anyNumber)
          .requiredOption('--y <number>', 'coordinate along the second direction', anyNumber),
      ),
    ),
    async (common, options, reference: string) =>
      cli.ask(common, {
        kind: 'point',
        run: reference,
        x: options.x as number,
        y: options.y as number,
        ...evaluation(options),
        ...planeOptions(options),
      }),
  );
}
