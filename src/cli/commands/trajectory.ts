import { wholeNumber } from '../arguments.ts';
import { given, RUN, type CommandLine } from '../command.ts';

/** `basin trajectory` */
export function addTrajectory(cli: CommandLine): void {
  cli.run(
    cli
      .question('trajectory', 'the path through weight space: its components, speed, turns and reach')
      .argument(...RUN)
      .option('--components <n>', 'principal components to tell', wholeNumber(2, 20), 5)
      .option(
        '--snapshots <n>',
        'how many snapshots, spread evenly over the run (default: up to 200, fewer of large models)',
        wholeNumber(3, 200),
      ),
    async (common, options, reference: string) =>
      cli.ask(common, {
        kind: 'trajectory',
        run: reference,
        ...given<{ components?: number; snapshots?: number }>(options, 'components', 'snapshots'),
      }),
  );
}
