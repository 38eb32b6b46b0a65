import type { CyclesJob } from '../../protocol/cycles.ts';
import { wholeNumber } from '../arguments.ts';
import { given, RUN, type CommandLine } from '../command.ts';

/** `basin cycles` */
export function addCycles(cli: CommandLine): void {
  cli.run(
    cli
      .question(
        'cycles',
        'whether SGD goes in circles: what its updates repeat, and whether it still gets anywhere',
      )
      .argument(...RUN)
      .option('--from <step>', 'only steps from this one on (default: the latest 4096)', wholeNumber(0))
      .option('--epoch <steps>', 'steps of an epoch (default: as recorded)', wholeNumber(2))
      .option('--seed <n>', 'of the shuffles', wholeNumber(0, 2 ** 31), 1),
    async (common, options, reference: string) =>
      cli.ask(common, {
        kind: 'cycles',
        run: reference,
        ...given<Pick<CyclesJob, 'from' | 'epoch' | 'seed'>>(options, 'from', 'epoch', 'seed'),
      }),
  );
}
