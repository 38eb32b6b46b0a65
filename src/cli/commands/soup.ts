import { Option } from 'commander';
import type { ModelReference } from '../../protocol/job.ts';
import { soupDefaults as usual, type SoupJob } from '../../protocol/soups.ts';
import { modelList } from '../arguments.ts';
import { given, RUN, type CommandLine } from '../command.ts';

/** `basin soup` */
export function addSoup(cli: CommandLine): void {
  cli.run(
    cli
      .question(
        'soup',
        'average models of several runs of one architecture, all or those that help (model soups)',
      )
      .argument(...RUN)
      .addOption(
        new Option(
          '--members <models>',
          'steps and models of the run, and RUN:STEP or RUN:MODEL of others, with commas between them',
        )
          .argParser(modelList)
          .makeOptionMandatory(),
      )
      .addOption(
        new Option('--method <method>', 'greedy: only those that make the held-out score no worse')
          .choices(['greedy', 'uniform'])
          .default(usual.method),
      )
      .addOption(
        new Option('--by <score>', 'what the greedy method chooses by')
          .choices(['loss', 'accuracy'])
          .default(usual.by),
      ),
    async (common, options, reference: string) =>
      cli.ask(common, {
        kind: 'soup',
        run: reference,
        members: options.members as ModelReference[],
        ...given<Pick<SoupJob, 'method' | 'by'>>(options, 'method', 'by'),
      }),
    ({ method }) => ({ by: method === 'greedy' ? null : '--method greedy' }),
  );
}
