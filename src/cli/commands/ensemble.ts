import { Option } from 'commander';
import type { EnsembleJob } from '../../protocol/analyses.ts';
import { modelList, wholeNumber } from '../arguments.ts';
import { given, RUN, type CommandLine } from '../command.ts';

/** `basin ensemble` */
export function addEnsemble(cli: CommandLine): void {
  cli.run(
    cli
      .question('ensemble', 'average the predictions of snapshots and models, and score that')
      .argument(...RUN)
      .addOption(
        new Option(
          '--members <models>',
          'steps, models, and RUN:STEP or RUN:MODEL of other runs: 800,900,average-1',
        )
          .argParser(modelList)
          .conflicts('last'),
      )
      .option('--last <k>', 'the last k snapshots', wholeNumber(2))
      .addOption(
        new Option(
          '--combine <how>',
          'what is averaged (default: probability, or mean without classes)',
        ).choices(['probability', 'logit', 'mean']),
      )
      .option(
        '--select <n>',
        'choose at most n of them (of all snapshots, where none are named) by validation loss',
        wholeNumber(1, 50),
      ),
    async (common, options, reference: string) =>
      cli.ask(common, {
        kind: 'ensemble',
        run: reference,
        ...given<Pick<EnsembleJob, 'members' | 'last' | 'combine' | 'select'>>(
          options,
          'members',
          'last',
          'combine',
          'select',
        ),
      }),
  );
}
