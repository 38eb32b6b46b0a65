import { Option } from 'commander';
import { measuresDefaults as usual, type MeasuresJob } from '../../protocol/measures.ts';
import { wholeNumber } from '../arguments.ts';
import { given, type CommandLine } from '../command.ts';

/** `basin measures` */
export function addMeasures(cli: CommandLine): void {
  cli.run(
    cli
      .question('measures', 'which measures of sharpness, norm and margin go with the generalisation gap')
      .argument('[runs...]', 'ids, unique prefixes, or last; the first keeps the result (default: every run)')
      .addOption(
        new Option('--gap <what>', 'between training and held-out samples')
          .choices(['loss', 'accuracy'])
          .default(usual.gap),
      )
      .option('--compute', 'measure what no kept result tells, by starting the scripts of the runs again')
      .option('--seed <n>', 'of permutations and redrawn errors', wholeNumber(0, 2 ** 31), usual.seed),
    async (common, options, runs: string[]) =>
      cli.ask(common, {
        kind: 'measures',
        run: runs[0] ?? 'last',
        ...(runs.length === 0 ? {} : { runs }),
        ...given<Pick<MeasuresJob, 'gap' | 'compute' | 'seed'>>(options, 'gap', 'compute', 'seed'),
      }),
  );
}
