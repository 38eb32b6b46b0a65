/** `basin train`: a training command under the probe, its own output untouched. */
import os from 'node:os';
import { measureWhileTraining } from '../engine/liveMeasurements.ts';
import type { Installation } from '../engine/installation.ts';
import { installedProbes } from '../evaluators/probes.ts';
import { launchTraining, type Training, type TrainingEnd } from '../evaluators/training.ts';
import { followRun } from '../runs/follow.ts';
import { RunStore } from '../runs/runStore.ts';
import { TrainingWarnings } from './trainingWarnings.ts';
import { replayLines } from './text/replay.ts';
import { EXIT_DONE, EXIT_FAILED, printAnswer, write } from './output.ts';

export interface TrainArguments {
  readonly root: string;
  readonly command: readonly string[];
  readonly json: boolean;
  readonly name?: string;
  readonly every?: number;
  readonly everyStep: boolean;
  readonly holdSeconds: number;
  /** Share of the training's time that may go into measuring beside it; 0 = none. */
  readonly liveBudget: number;
}

/**
 * @returns the exit code: the script's own when it failed, 128 + n when signal n ended it, 1 when it never trained
 * @throws BasinError when the command cannot be started
 */
export async function train(options: TrainArguments, installation: Installation): Promise<number> {
  const say = (text: string): Promise<void> => write(process.stderr, `basin: ${text}\n`);
  const training = await launchTraining({
    store: new RunStore(options.root),
    command: options.command,
    cwd: process.cwd(),
    probes: installedProbes(installation.dist),
    version: installation.version,
    everyStep: options.everyStep,
    holdSeconds: options.holdSeconds,
    liveBudget: options.liveBudget,
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.every === undefined ? {} : { every: options.every }),
    // With --json stdout belongs to the one document: the script's own output goes to stderr.
    stdio: options.json ? ['inherit', 2, 'inherit'] : 'inherit',
  });
  const { run } = training;
  await say(`recording run ${run.id}`);
  const stopForwarding = forwardSignals(training);
  const over = new AbortController();
  let toldHeld = false;
  const warnings = new TrainingWarnings(run, say);
  const following = followRun(
    run,
    (change) => {
      warnings.hear(change);
      const { manifest } = change;
      if (manifest?.state !== 'held' || toldHeld) return;
      toldHeld = true;
      void say(
        `the script is done and held for questions; \`basin release ${run.id}\` or Ctrl+C lets it end`,
      );
    },
    { throttle: 500 },
  );
  const measuring = measureWhileTraining(run, {
    budget: options.liveBudget,
    signal: over.signal,
    onTrouble: (error, what) => void say(`${what} is not measured while training: ${error.message}`),
  });
  const end = await training.ended;
  over.abort();
  following.dispose();
  stopForwarding();
  await measuring;
  await warnings.end(end.manifest);
  const code = exitCode(end);
  const { manifest } = end;
  if (end.unfound !== null) {
    // As of a command that cannot be started no run is left.
    await run.delete();
    throw end.unfound;
  }
  const { steps, snapshots } = manifest.recording;
  const summary = { kind: 'train', run: run.id, state: manifest.state, stateReason: manifest.stateReason };
  await say(
    `run ${run.id} ${manifest.state}: ${steps} steps, ${snapshots} snapshots` +
      // The cure of a run that recorded nothing stands below.
      (manifest.stateReason === null || manifest.state === 'no-training' ? '' : `. ${manifest.stateReason}`),
  );
  for (const line of replayLines(manifest)) await say(`replay: ${line}`);
  if (options.json) {
    const answer = { ...summary, steps, snapshots, directory: run.directory, exitCode: code };
    await printAnswer(true, answer, () => '');
  }
  if (manifest.state === 'no-training') {
    await write(process.stderr, `error: nothing was recorded\ncure: ${manifest.stateReason ?? ''}\n`);
  }
  return code;
}

/**
 * Ctrl+C on a terminal reaches the whole foreground group, the script among it, by itself; a signal sent to this
 * process alone is passed on. Either way this process waits for the script's end.
 */
function forwardSignals(training: Training): () => void {
  const interrupt = (): void => {
    if (!process.stdin.isTTY) training.kill('SIGINT');
  };
  const terminate = (): void => training.kill('SIGTERM');
  const hangUp = (): void => training.kill('SIGHUP');
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', terminate);
  process.on('SIGHUP', hangUp);
  return () => {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', terminate);
    process.off('SIGHUP', hangUp);
  };
}

function exitCode({ manifest, ending }: TrainingEnd): number {
  if (manifest.state === 'finished') return EXIT_DONE;
  if (ending.signal !== null) return 128 + os.constants.signals[ending.signal];
  return ending.code === 0 || ending.code === null ? EXIT_FAILED : ending.code;
}
