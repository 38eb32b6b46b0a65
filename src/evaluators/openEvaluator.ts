/** Choosing which process answers the questions to a run. */
import { BasinError } from '../protocol/errors.ts';
import type { Provenance } from '../protocol/result.ts';
import { standsStill, type RunManifest } from '../protocol/run.ts';
import type { Run } from '../runs/run.ts';
import { connect, type EvaluatorConnection, type TrainingConnection } from './connection.ts';
import { relaunch, type RelaunchOptions } from './relaunch.ts';
import { sideBySide } from './sideBySide.ts';
import { makePrivateFolder } from './socketFolder.ts';

export interface OpenOptions extends RelaunchOptions {
  /** Ask a process that still trains, between its steps. Otherwise the script is started again beside it. */
  readonly live?: boolean;
  /**
   * How many times the script is started again, to evaluate points of weight space side by side, each process on one
   * thread; 1 by default. A living or held process answers alone.
   */
  readonly processes?: number;
}

export interface OpenEvaluator {
  readonly evaluator: EvaluatorConnection;
  readonly source: Exclude<Provenance['evaluator'], 'none'>;
  close(): Promise<void>;
}

/**
 * A held process answers first (it is ready); a training one only when asked for, since every answer holds its
 * training up; otherwise the script is started again.
 * @throws BasinError `not-replayable`, `no-steps`, `process-ended`, `timeout`, `cancelled`, `bad-input`
 */
export async function openEvaluator(
  run: Run,
  manifest: RunManifest,
  objectiveIndex: number,
  options: OpenOptions,
): Promise<OpenEvaluator> {
  refuseWhatDoesNotReplay(manifest, objectiveIndex);
  if (standsStill(manifest.state) || (manifest.state === 'training' && options.live === true)) {
    const attached = await attach(run, objectiveIndex, options.signal);
    if (attached !== null) {
      return {
        evaluator: attached,
        source: manifest.state === 'held' ? 'held' : 'live',
        close: () => {
          attached.close();
          return attached.closed;
        },
      };
    }
  }
  const { processes = 1 } = options;
  const relaunched =
    processes === 1
      ? await relaunch(run, manifest, objectiveIndex, options)
      : await relaunchSeveral(run, manifest, objectiveIndex, options, processes);
  return { evaluator: relaunched.evaluator, source: 'relaunched', close: () => relaunched.close() };
}

/** Variables by which OpenMP, MKL and TensorFlow are told how many threads to take. */
const ONE_THREAD = { OMP_NUM_THREADS: '1', MKL_NUM_THREADS: '1', TF_NUM_INTRAOP_THREADS: '1' };

/** The script is shown, and can be refused, once; all processes are ended when one of them does not start. */
async function relaunchSeveral(
  run: Run,
  manifest: RunManifest,
  objectiveIndex: number,
  { onCommand, ...options }: OpenOptions,
  processes: number,
): Promise<Pick<OpenEvaluator, 'evaluator' | 'close'>> {
  await onCommand?.(manifest.command, manifest.cwd);
  const environment = { ...(options.environment ?? process.env), ...ONE_THREAD };
  const starts = await Promise.allSettled(
    Array.from({ length: processes }, () =>
      relaunch(run, manifest, objectiveIndex, { ...options, environment }),
    ),
  );
  const started = starts.flatMap((s) => (s.status === 'fulfilled' ? [s.value] : []));
  const [first, ...others] = started;
  const failed = starts.find((s) => s.status === 'rejected');
  if (first === undefined || failed !== undefined) {
    await Promise.all(started.map((one) => one.close()));
    throw failed?.reason;
  }
  const folder = await makePrivateFolder();
  return {
    evaluator: sideBySide(
      first.evaluator,
      others.map((one) => one.evaluator),
      folder.path,
    ),
    close: async () => {
      await Promise.all(started.map((one) => one.close()));
      await folder.remove();
    },
  };
}

/**
 * The living process of a run, training or held; null when there is none.
 * @throws BasinError `timeout`, `cancelled`, `not-allowed`
 */
export async function attach(
  run: Run,
  objectiveIndex: number,
  signal?: AbortSignal,
): Promise<TrainingConnection | null> {
  const endpoint = await run.endpoint();
  if (endpoint === null) return null;
  try {
    return await connect(endpoint, { objective: objectiveIndex, ...(signal ? { signal } : {}) });
  } catch (error) {
    if (error instanceof BasinError && error.code === 'process-ended') return null;
    throw error;
  }
}

/** @throws BasinError `not-replayable` where checks have found that a recorded loss does not come out again */
export function refuseWhatDoesNotReplay(manifest: RunManifest, objectiveIndex: number): void {
  const replay = manifest.objectives[objectiveIndex]?.replay;
  if (replay?.exact !== false) return;
  throw new BasinError(
    'not-replayable',
    replay.reason ??
      `The recorded loss does not come out again: ${replay.passed} of ${replay.checked} checked steps agree.`,
    replay.cure ?? undefined,
  );
}
