import { stepList, wholeNumber } from '../arguments.ts';
import { given, RUN, type CommandLine } from '../command.ts';

/** `basin stability` */
export function addStability(cli: CommandLine): void {
  cli.run(
    cli
      .question('stability', "λ₁ along the run against the optimizer's stability bound")
      .argument(...RUN)
      .option('--snapshots <n>', 'how many snapshots, spread evenly over the run', wholeNumber(1, 1000), 10)
      .option('--steps <steps>', 'these snapshots instead', stepList)
      .option(
        '--live',
        'ask the process while it trains: it alone has the second moments of an adaptive optimizer',
      ),
    async (common, options, reference: string) =>
      cli.ask(common, {
        kind: 'stability',
        run: reference,
        ...given<{ snapshots?: number; steps?: number[]; live?: boolean }>(
          options,
          'snapshots',
          'steps',
          'live',
        ),
      }),
  );
}
