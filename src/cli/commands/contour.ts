import { oddNumber, wholeNumber } from '../arguments.ts';
import {
  planeOptions,
  processes,
  RUN,
  withData,
  withPlane,
  withProcesses,
  type CommandLine,
  evaluation,
} from '../command.ts';

/** `basin contour` */
export function addContour(cli: CommandLine): void {
  cli.run(
    withProcesses(
      withPlane(
        withData(
          cli
            .question('contour', 'the loss over a plane through the weights')
            .argument(...RUN)
            .option('--size <points>', 'points along each axis', oddNumber, 41)
            .option(
              '--seeds <n>',
              'how typical a random plane is, among so many of them',
              wholeNumber(2, 1000),
            )
            .option(
              '--full',
              'evaluate every point (default: where isolines need it; others are interpolated)',
            )
            .option('--resume', 'go on from where the same question was interrupted or killed'),
        ),
      ),
    ),
    async (common, options, reference: string) =>
      cli.ask(
        common,
        {
          kind: 'contour',
          run: reference,
          size: options.size as number,
          ...evaluation(options),
          ...(options.seeds === undefined ? {} : { seeds: options.seeds as number }),
          ...(options.full === true ? { adaptive: false } : {}),
          ...(options.resume === true ? { resume: true } : {}),
          ...planeOptions(options),
        },
        processes(options),
      ),
  );
}
