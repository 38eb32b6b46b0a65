/** From a file to the command line that trains it under Basin. */
import { isPython, scriptCommand, type Script } from '../runs/scriptCommand.ts';

export interface TrainOptions extends Script {
  /** dist/cli.cjs */
  readonly cli: string;
  /** Updates between snapshots; 0 for automatic. */
  readonly snapshotEvery: number;
  /** Seconds that the process is kept at its end; 0 = none. */
  readonly holdSeconds: number;
  /** Percent of the training's time for measuring beside it; null for what the command line takes by itself. */
  readonly liveBudget: number | null;
}

export interface TrainCommand {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly cwd: string;
  /** Added to the environment. */
  readonly env: Readonly<Record<string, string>>;
  /** What runs the script, and why it was chosen, in words. */
  readonly interpreter: string;
}

/** How to record, as options of `basin train` and `basin hook`. */
export function recordingArguments(
  options: Pick<TrainOptions, 'snapshotEvery' | 'holdSeconds' | 'liveBudget'>,
): string[] {
  return [
    ...(options.snapshotEvery > 0 ? ['--every', String(options.snapshotEvery)] : []),
    ...(options.holdSeconds > 0 ? ['--hold', String(options.holdSeconds)] : []),
    ...(options.liveBudget === null ? [] : ['--live-budget', String(options.liveBudget)]),
  ];
}

/**
 * The command line that records a file: `basin train -- node script` in the script's package folder, as `npm run` would,
 * or `basin train -- python script`. `.basin/` is kept in the workspace folder.
 * @throws BasinError as {@link scriptCommand} does
 */
export async function trainCommand(
  options: TrainOptions,
  env: NodeJS.ProcessEnv = process.env,
): Promise<TrainCommand> {
  const basin = [options.cli, 'train', '--root', options.root, ...recordingArguments(options), '--'];
  const { run, cwd, from } = await scriptCommand(options, env);
  const [interpreter = ''] = run;
  // For Python the editor's own Node runs the command line: people who train in Python need not have another one.
  const [program, own] = isPython(options.script)
    ? [process.execPath, { ELECTRON_RUN_AS_NODE: '1' }]
    : [interpreter, {}];
  return {
    program,
    arguments: [...basin, ...run],
    cwd,
    env: own,
    interpreter: `${interpreter} (${from})`,
  };
}
