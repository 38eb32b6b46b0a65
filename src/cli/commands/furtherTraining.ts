import type { Command } from 'commander';
import type { FurtherTrainingOptions } from '../../protocol/furtherTraining.ts';
import { numberFromZero, positiveNumber, wholeNumber } from '../arguments.ts';
import { at, given, RUN, withAt, type CommandLine } from '../command.ts';

/** `basin swa` */
export function addSwa(cli: CommandLine): void {
  const command = withFurtherTraining(
    cli.question('swa', 'train further and average on the way (SWA), in the held or restarted process'),
    'steps between two points of the average (default: a twentieth of the run)',
    'learning rate (default: half of the largest in the run)',
  )
    .option('--cyclic', 'a rate that falls from --rate to --low in every cycle, in place of a constant one')
    .option('--low <rate>', 'its lowest rate (default: a hundredth of --rate)', numberFromZero);
  cli.run(
    command,
    async (common, options, reference: string) => {
      const own = given<{ cyclic: boolean; low: number }>(options, 'cyclic', 'low');
      return cli.ask(common, { kind: 'swa', run: reference, ...furtherTraining(options), ...own });
    },
    ({ cyclic }) => ({ low: cyclic === true ? null : '--cyclic' }),
  );
}

/** `basin fge` */
export function addFge(cli: CommandLine): void {
  const command = withFurtherTraining(
    cli.question(
      'fge',
      'train further by a triangular learning rate, and build an ensemble of its lowest points',
    ),
    'steps of a cycle, even; a member in the middle of each (default: a twentieth of the run)',
    'highest learning rate (default: half of the largest in the run)',
  ).option('--low <rate>', 'lowest learning rate (default: a hundredth of --rate)', numberFromZero);
  cli.run(command, async (common, options, reference: string) => {
    const own = given<{ low: number }>(options, 'low');
    return cli.ask(common, { kind: 'fge', run: reference, ...furtherTraining(options), ...own });
  });
}

/** `basin snapshot-ensemble` */
export function addSnapshotEnsemble(cli: CommandLine): void {
  const command = withFurtherTraining(
    cli.question(
      'snapshot-ensemble',
      'train further by a cosine learning rate with restarts, and build an ensemble of the ends of its cycles',
    ),
    'steps of a cycle; a member at the end of each (default: a tenth of the run)',
    'learning rate at each restart (default: the largest in the run)',
  );
  cli.run(command, async (common, options, reference: string) =>
    cli.ask(common, { kind: 'snapshot-ensemble', run: reference, ...furtherTraining(options) }),
  );
}

function withFurtherTraining(command: Command, cycle: string, rate: string): Command {
  return withAt(command.argument(...RUN), 'where to begin: a step, first, last, or a model (default: last)')
    .option('--train <steps>', 'budget in steps (default: five cycles)', wholeNumber(1))
    .option('--cycle <steps>', cycle, wholeNumber(1))
    .option('--rate <rate>', rate, positiveNumber)
    .option(
      '--momentum <beta>',
      "momentum (default: the script's own, 0.9 for adaptive optimizers)",
      numberFromZero,
    )
    .option('--nesterov', "Nesterov's momentum")
    .option('--weight-decay <decay>', "weight decay (default: the script's own with SGD)", numberFromZero)
    .option('--clip <norm>', 'longest gradient; a longer one is shortened', positiveNumber)
    .option('--seed <n>', 'of the order of batches and of dropout', wholeNumber(0, 2 ** 31))
    .option(
      '--position <n>',
      'number of the first batch in that order (default: where training had come to)',
      wholeNumber(0),
    );
}

function furtherTraining(options: Record<string, unknown>): Omit<FurtherTrainingOptions, 'run'> {
  return {
    ...at(options),
    ...given<Omit<FurtherTrainingOptions, 'run' | 'at'>>(
      options,
      'train',
      'cycle',
      'rate',
      'momentum',
      'nesterov',
      'weightDecay',
      'clip',
      'seed',
      'position',
    ),
  };
}
