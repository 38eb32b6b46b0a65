import path from 'node:path';
import { RUN, type CommandLine } from '../command.ts';

/** `basin report` */
export function addReport(cli: CommandLine): void {
  cli.run(
    cli
      .command('report', 'write one self-contained, interactive HTML file')
      .argument(...RUN)
      .requiredOption('--to <file>', 'the HTML file'),
    async (common, options, reference: string) =>
      cli.ask(common, { kind: 'report', run: reference, to: path.resolve(options.to as string) }),
  );
}
