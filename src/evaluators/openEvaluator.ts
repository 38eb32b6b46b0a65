/** Choosing which process answers the questions to a run. */
import { BasinError } from '../protocol/errors.ts';
import type { Provenance } from '../protocol/result.ts';
import type { RunManifest } from '../protocol/run.ts';
import type { Run } from '../runs/run.ts';
import { connect, type EvaluatorConnection } from './connection.ts';
import { relaunch, type RelaunchOptions } from './relaunch.ts';

export interface OpenOptions extends RelaunchOptions {
  /** Ask a process that still trains, between its steps. Otherwise the script is started again beside it. */
  readonly live?: boolean;
}

export interface OpenEvaluator {
  readonly evaluator: EvaluatorConnection;
  readonly source: Provenance['evaluator'];
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
  if (manifest.state === 'held' || (manifest.state === 'training' && options.live === true)) {
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
  const relaunched = await relaunch(run, manifest, objectiveIndex, options);
  return { evaluator: relaunched.evaluator, source: 'relaunched', close: () => relaunched.close() };
}

/**
 * The living process of a run, training or held; null when there is none.
 * @throws BasinError `timeout`, `cancelled`, `not-allowed`
 */
export async function attach(
  run: Run,
  objectiveIndex: number,
  signal?: AbortSignal,
): Promise<EvaluatorConnection | null> {
  const endpoint = await run.endpoint();
  if (endpoint === null) return null;
  try {
    return await connect(endpoint, { objective: objectiveIndex, ...(signal ? { signal } : {}) });
  } catch (error) {
    if (error instanceof BasinError && error.code === 'process-ended') return null;
    throw error;
  }
}

function refuseWhatDoesNotReplay(manifest: RunManifest, objectiveIndex: number): void {
  const replay = manifest.objectives[objectiveIndex]?.replay;
  if (replay?.exact !== false) return;
  throw new BasinError(
    'not-replayable',
    replay.reason ??
      `The recorded loss does not come out again: ${replay.passed} of ${replay.checked} checked steps agree.`,
    replay.cure ?? undefined,
  );
}
