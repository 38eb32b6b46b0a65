import { Option } from 'commander';
import { calibrationDefaults as usual, type CalibrationJob } from '../../protocol/generalisation.ts';
import { wholeNumber } from '../arguments.ts';
import { at, given, RUN, withAt, withData, type CommandLine, evaluation } from '../command.ts';

/** `basin calibration` */
export function addCalibration(cli: CommandLine): void {
  cli.run(
    withData(
      withAt(
        cli
          .question(
            'calibration',
            "whether a classifier's confidence is the share of its answers that are right",
          )
          .argument(...RUN),
      ),
      'validation where there are any',
    )
      .option('--bins <n>', 'how many bins of confidence', wholeNumber(2, 100), usual.bins)
      .addOption(
        new Option('--binning <kind>', 'bins of equal width, or of equal numbers of samples')
          .choices(['width', 'mass'])
          .default(usual.binning),
      )
      .option('--seed <n>', 'of the resampling', wholeNumber(0), usual.seed),
    async (common, options, reference: string) =>
      cli.ask(common, {
        kind: 'calibration',
        run: reference,
        ...evaluation(options),
        ...at(options),
        ...given<Partial<CalibrationJob>>(options, 'bins', 'binning', 'seed'),
      }),
  );
}
