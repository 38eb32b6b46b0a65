import type { ModelReference } from '../../protocol/job.ts';
import { modelReference, wholeNumber } from '../arguments.ts';
import { RUN, type CommandLine, evaluation, withMode } from '../command.ts';

/** `basin line` */
export function addLine(cli: CommandLine): void {
  cli.run(
    withMode(
      cli
        .question('line', 'loss and accuracy on the straight line between two models')
        .argument(...RUN)
        .requiredOption('--from <model>', 'a step, first, last, or a model', modelReference)
        .requiredOption('--to <model>', 'a step, first, last, or a model', modelReference)
        .option('--points <n>', 'points on the line, both ends included', wholeNumber(2, 1001), 61)
        .option(
          '--match',
          "put the other end's hidden units in the first one's order before (weight matching)",
        ),
    ),
    async (common, options, reference: string) =>
      cli.ask(common, {
        kind: 'line',
        run: reference,
        ...evaluation(options),
        from: options.from as ModelReference,
        to: options.to as ModelReference,
        points: options.points as number,
        ...(options.match === true ? { match: true } : {}),
      }),
  );
}
