import type { ContourJob } from '../../protocol/analyses.ts';
import { oddNumber, plane, positiveNumber, wholeNumber } from '../arguments.ts';
import { at, given, processes, RUN, withAt, withData, withProcesses, type CommandLine } from '../command.ts';

/** `basin contour` */
export function addContour(cli: CommandLine): void {
  cli.run(
    withProcesses(
      withAt(
        withData(
          cli
            .command('contour', 'the loss over a plane through the weights')
            .argument(...RUN)
            .option('--plane <plane>', 'pca, random, or three steps or built models', plane, 'pca')
            .option('--size <points>', 'points along each axis', oddNumber, 41),
        ),
        'centre of a random or pca plane: a step, first, last, or a model',
      ),
    )
      .option('--seed <seed>', 'seed of a random plane (default: 1)', wholeNumber(0))
      .option('--span <width>', 'half-width of a random plane, in directions (default: 1)', positiveNumber),
    async (common, options, reference: string) =>
      cli.ask(
        common,
        {
          kind: 'contour',
          run: reference,
          plane: options.plane as ContourJob['plane'],
          size: options.size as number,
          split: options.data as 'train' | 'validation',
          ...at(options),
          ...given<Pick<ContourJob, 'seed' | 'span'>>(options, 'seed', 'span'),
        },
        processes(options),
      ),
  );
}
