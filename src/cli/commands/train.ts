import { percentUpTo50, wholeNumber } from '../arguments.ts';
import type { CommandLine } from '../command.ts';
import { LIVE_BUDGET } from '../../protocol/run.ts';
import { train } from '../train.ts';

/** Kept at its end without a limit of the user's own. */
const HOLD_SECONDS = 1800;

/** `basin train` */
export function addTrain(cli: CommandLine): void {
  cli.run(
    cli
      .command('train', 'record a run of a training command')
      .usage('[options] -- command…')
      .option(
        '--every <steps>',
        'steps between snapshots (default: 1, doubled where more than 200 would be kept or they cost too much)',
        wholeNumber(1),
      )
      .option('--every-step', 'record norms and the trajectory at every step, whatever it costs')
      .option('--name <text>', "the run's name (default: the script's)")
      .option(
        '--hold [seconds]',
        `keep the process at its end for questions (${HOLD_SECONDS} s)`,
        wholeNumber(1),
      )
      .option(
        '--live-budget <percent>',
        `share of the training's time for measuring λ₁ and the gradient noise scale beside it (${100 * LIVE_BUDGET} %; 0: nothing is measured)`,
        percentUpTo50,
      )
      .argument('<command...>', 'any command line that starts a training script with Node')
      .passThroughOptions(),
    async ({ root, json }, options, words: string[]) =>
      train(
        {
          root,
          json,
          command: words,
          everyStep: options.everyStep === true,
          liveBudget: (options.liveBudget as number | undefined) ?? LIVE_BUDGET,
          holdSeconds: options.hold === true ? HOLD_SECONDS : ((options.hold as number | undefined) ?? 0),
          ...(options.name === undefined ? {} : { name: options.name as string }),
          ...(options.every === undefined ? {} : { every: options.every as number }),
        },
        cli.installation,
      ),
  );
}
