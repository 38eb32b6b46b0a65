import { noiseDefaults as usual, type NoiseJob } from '../../protocol/noise.ts';
import { wholeNumber } from '../arguments.ts';
import { at, given, RUN, withAt, withData, type CommandLine, evaluation } from '../command.ts';

/** `basin noise` */
export function addNoise(cli: CommandLine): void {
  cli.run(
    withData(
      withAt(
        cli
          .question(
            'noise',
            'the noise of batch gradients: its scale, its rank, and how it lies to the curvature',
          )
          .argument(...RUN),
      ),
    )
      .option(
        '--batches <n>',
        'at most so many batches of the evaluation set',
        wholeNumber(4, 1024),
        usual.batches,
      )
      .option(
        '--top <k>',
        'top eigenvectors of the Hessian to hold it against; 0 leaves the Hessian out',
        wholeNumber(0, 20),
        usual.top,
      )
      .option('--seed <n>', 'of subsets and random vectors', wholeNumber(0, 2 ** 31), usual.seed),
    async (common, options, reference: string) =>
      cli.ask(common, {
        kind: 'noise',
        run: reference,
        ...evaluation(options),
        ...at(options),
        ...given<Pick<NoiseJob, 'batches' | 'top' | 'seed'>>(options, 'batches', 'top', 'seed'),
      }),
  );
}
