import { Option } from 'commander';
import type { EnsembleJob } from '../../protocol/analyses.ts';
import { stepList, wholeNumber } from '../arguments.ts';
import { given, RUN, type CommandLine } from '../command.ts';

/** `basin ensemble` */
export function addEnsemble(cli: CommandLine): void {
  cli.run(
    cli
      .command('ensemble', 'average the predicted probabilities of snapshots, and score that')
      .argument(...RUN)
      .addOption(
        new Option('--members <steps>', 'snapshots, such as 800,900,938')
          .argParser(stepList)
          .conflicts('last'),
      )
      .option('--last <k>', 'the last k snapshots', wholeNumber(2)),
    async (common, options, reference: string) =>
      cli.ask(common, {
        kind: 'ensemble',
        run: reference,
        ...given<Pick<EnsembleJob, 'members' | 'last'>>(options, 'members', 'last'),
      }),
  );
}
