import { Option } from 'commander';
import { stepList, wholeNumber } from '../arguments.ts';
import { given, RUN, type CommandLine, evaluation, withMode } from '../command.ts';

/** `basin stability` */
export function addStability(cli: CommandLine): void {
  cli.run(
    withMode(
      cli
        .question('stability', "λ₁ along the run against the optimizer's stability bound")
        .argument(...RUN)
        .option('--snapshots <n>', 'how many snapshots, spread evenly over the run', wholeNumber(1, 1000), 10)
        .addOption(
          new Option('--steps <steps>', 'these snapshots instead').argParser(stepList).conflicts('snapshots'),
        )
        .option(
          '--live',
          'ask the process while it trains: it alone has the second moments of an adaptive optimizer',
        ),
    ),
    async (common, options, reference: string) =>
      cli.ask(common, {
        kind: 'stability',
        run: reference,
        ...evaluation(options),
        ...given<{ snapshots?: number; steps?: number[]; live?: boolean }>(
          options,
          'snapshots',
          'steps',
          'live',
        ),
      }),
  );
}
