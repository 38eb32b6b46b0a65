import type { AverageJob } from '../../protocol/analyses.ts';
import { properFraction, wholeNumber } from '../arguments.ts';
import { given, RUN, type CommandLine } from '../command.ts';

/** `basin average` */
export function addAverage(cli: CommandLine): void {
  cli.run(
    cli
      .question('average', 'average snapshots (SWA), refresh batch-norm statistics, and score the average')
      .argument(...RUN)
      .option('--from <step>', 'first snapshot (default: three quarters of the run)', wholeNumber(0))
      .option('--to <step>', 'last snapshot', wholeNumber(0))
      .option('--stride <k>', 'every k-th snapshot', wholeNumber(1))
      .option('--last <k>', 'the latest k of these snapshots (LAWA)', wholeNumber(2))
      .option('--ema <decay>', 'an exponential moving average, with this decay per snapshot', properFraction),
    async (common, options, reference: string) =>
      cli.ask(common, {
        kind: 'average',
        run: reference,
        ...given<Pick<AverageJob, 'from' | 'to' | 'stride' | 'last' | 'ema'>>(
          options,
          'from',
          'to',
          'stride',
          'last',
          'ema',
        ),
      }),
  );
}
