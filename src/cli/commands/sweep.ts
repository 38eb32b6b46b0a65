import type { SweepJob } from '../../protocol/averaging.ts';
import { sweepDefaults as usual } from '../../protocol/averaging.ts';
import { decayList, wholeNumber } from '../arguments.ts';
import { given, RUN, type CommandLine } from '../command.ts';

/** `basin sweep` */
export function addSweep(cli: CommandLine): void {
  cli.run(
    cli
      .question('sweep', 'what averages of the snapshots would be worth: every window, and moving averages')
      .argument(...RUN)
      .option('--from <step>', 'only snapshots from this step on', wholeNumber(0))
      .option('--to <step>', 'only snapshots up to this step', wholeNumber(0))
      .option(
        '--places <n>',
        'first and last places of a window; more snapshots are taken in blocks',
        wholeNumber(2, 100),
        usual.places,
      )
      .option('--decays <d,…>', 'decays of moving averages, per snapshot', decayList, [...usual.decays]),
    async (common, options, reference: string) =>
      cli.ask(common, {
        kind: 'sweep',
        run: reference,
        ...given<Pick<SweepJob, 'from' | 'to' | 'places' | 'decays'>>(
          options,
          'from',
          'to',
          'places',
          'decays',
        ),
      }),
  );
}
