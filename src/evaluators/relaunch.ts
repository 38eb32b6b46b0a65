/** The same script started again in evaluate mode: it runs to its first step, is frozen there and never takes one. */
import { open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BasinError, isCancelled } from '../protocol/errors.ts';
import type { ObjectiveInfo, RunManifest } from '../protocol/run.ts';
import { decodeNumber } from '../protocol/run.ts';
import { processNamespace } from '../runs/processes.ts';
import type { Run } from '../runs/run.ts';
import { startCommand, type StartedChild } from './children.ts';
import { connect, type TrainingConnection } from './connection.ts';
import { EVALUATION_SAMPLES, newToken, probeEnvironment } from './probeEnvironment.ts';
import type { Probes } from './probes.ts';
import { makePrivateFolder } from './socketFolder.ts';
import { waitForEndpoint } from './waitForEndpoint.ts';

/** Relative error to which a recorded loss must come out again. */
const REPLAY_TOLERANCE = 1e-5;

export interface RelaunchOptions {
  readonly probes: Probes;
  /** Shown the command before it is run; rejects to refuse. */
  readonly onCommand?: (command: readonly string[], cwd: string) => void | Promise<void>;
  readonly environment?: NodeJS.ProcessEnv;
  /** Time to reach the first step, in ms. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

export interface Relaunched {
  readonly evaluator: TrainingConnection;
  /** Ends the process and removes what it needed. */
  close(): Promise<void>;
}

/**
 * Starts the run's command again and connects to it once it stands before its first step; then holds it against the
 * recording: the first recorded batch, at the first snapshot, has to give the recorded loss.
 * @throws BasinError `not-replayable`, `process-ended`, `timeout`, `cancelled`, `bad-input`
 */
export async function relaunch(
  run: Run,
  manifest: RunManifest,
  objectiveIndex: number,
  options: RelaunchOptions,
): Promise<Relaunched> {
  await options.onCommand?.(manifest.command, manifest.cwd);
  const folder = await makePrivateFolder();
  const log = path.join(folder.path, 'output.log');
  let started: StartedChild | null = null;
  let evaluator: TrainingConnection | null = null;
  const close = async (): Promise<void> => {
    evaluator?.close();
    if (started !== null) await end(started);
    await folder.remove();
  };
  try {
    const endpointFile = path.join(folder.path, 'endpoint.json');
    const output = await open(log, 'a');
    try {
      started = await startCommand(manifest.command, {
        cwd: manifest.cwd,
        // Its own process group: a command may be a chain of processes, and all of them have to end with it.
        detached: process.platform !== 'win32',
        stdio: ['ignore', output.fd, output.fd],
        env: probeEnvironment(
          { ...(options.environment ?? process.env), ...manifest.environment },
          options.probes,
          {
            mode: 'evaluate',
            runDirectory: run.directory,
            endpointFile,
            socketDirectory: folder.path,
            token: newToken(),
            objective: objectiveIndex,
            every: null,
            everyStep: false,
            holdSeconds: 0,
            evaluationSamples: EVALUATION_SAMPLES,
            starter: { pid: process.pid, namespace: processNamespace() },
          },
        ),
      });
    } finally {
      await output.close();
    }
    const timeout = options.timeout ?? 300_000;
    const deadline = AbortSignal.timeout(timeout);
    const signal = AbortSignal.any([deadline, ...(options.signal ? [options.signal] : [])]);
    let endpoint;
    try {
      endpoint = await waitForEndpoint(endpointFile, { signal, until: started.ended });
    } catch (error) {
      if (!isCancelled(error) || options.signal?.aborted === true) throw error;
      throw new BasinError(
        'timeout',
        `The script did not reach its first training step within ${Math.round(timeout / 1000)} s when started again.`,
        'See its output in the log; a script that asks for input or waits for a service cannot be started again.',
        { detail: await tail(log) },
      );
    }
    if (endpoint === null) throw await endedEarly(started, log);
    let words = '';
    const child = started;
    void child.ended.then(async () => (words = await tail(log)));
    evaluator = await connect(endpoint, {
      objective: objectiveIndex,
      lastWords: () => words,
      ...(options.signal ? { signal: options.signal } : {}),
    });
    await verifyReplay(run, manifest, objectiveIndex, evaluator, options.signal);
    return { evaluator: withRecordedReplay(evaluator, manifest.objectives[objectiveIndex]), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A process that has taken no step has checked none: what the recording one found is true of the same script. */
function withRecordedReplay(
  evaluator: TrainingConnection,
  recorded: ObjectiveInfo | undefined,
): TrainingConnection {
  const { description } = evaluator;
  const replay = description.objective.replay ?? recorded?.replay ?? null;
  return { ...evaluator, description: { ...description, objective: { ...description.objective, replay } } };
}

/** @throws BasinError `not-replayable` with the reason */
async function verifyReplay(
  run: Run,
  manifest: RunManifest,
  objectiveIndex: number,
  evaluator: TrainingConnection,
  signal: AbortSignal | undefined,
): Promise<void> {
  const recordedObjective = manifest.objectives[objectiveIndex];
  if (recordedObjective !== undefined) compareParameters(recordedObjective, evaluator.description.objective);
  const { train, objective } = evaluator.description;
  if (train === null && objective.replay?.exact === false && recordedObjective?.replay?.exact === true)
    throw new BasinError(
      'not-replayable',
      `Started again, the script is not what was recorded. ${objective.replay.reason ?? 'The reason is unknown.'}`,
      'Bring the script back to how it was (the run notes its git commit), or record a new run.',
    );
  const first = (await run.snapshots(objectiveIndex)).find((s) => s.step === 0);
  if (first === undefined || train === null) {
    throw new BasinError(
      'not-replayable',
      `Run ${run.id} kept no ${first === undefined ? 'first snapshot' : 'training batches'} to check the script against.`,
      'Record the run again.',
    );
  }
  const vector = 'basin.verify';
  await evaluator.load({ into: vector, from: { file: first.file } }, signal);
  const { recorded, replayed } = await evaluator.verify({ vector, batch: 0 }, signal);
  await evaluator.release({ vectors: [vector] }, signal);
  if (agree(decodeNumber(recorded), decodeNumber(replayed))) return;
  throw new BasinError(
    'not-replayable',
    `Started again, the script gives loss ${replayed} where ${recorded} was recorded for the same weights and batch.`,
    'Something the loss reads has changed since: the script, its data, the backend or a library. Record the run again.',
  );
}

function agree(recorded: number, replayed: number): boolean {
  if (!Number.isFinite(recorded)) return Object.is(recorded, replayed);
  return (
    Math.abs(replayed - recorded) <= REPLAY_TOLERANCE * Math.max(Math.abs(recorded), Math.abs(replayed), 1e-7)
  );
}

function compareParameters(recorded: ObjectiveInfo, now: ObjectiveInfo): void {
  const shapes = (o: ObjectiveInfo): string[] => o.parameters.map((p) => `[${p.shape.join(', ')}]`);
  const before = shapes(recorded);
  const after = shapes(now);
  const at = before.findIndex((shape, i) => shape !== after[i]);
  if (at < 0 && before.length === after.length) return;
  const where =
    at < 0
      ? `it has ${after.length} parameters where ${before.length} were recorded`
      : `parameter ${recorded.parameters[at]?.name} has shape ${after[at] ?? 'none'} where ${before[at]} was recorded`;
  throw new BasinError(
    'not-replayable',
    `The script has changed since the run: ${where}.`,
    'Bring the script back to how it was (the run notes its git commit), or record a new run.',
  );
}

async function endedEarly({ ended }: StartedChild, log: string): Promise<BasinError> {
  const { code, signal } = await ended;
  const output = await tail(log);
  const lastLine = output.trim().split('\n').at(-1)?.trim();
  return new BasinError(
    'process-ended',
    `Started again, the script ended ${signal === null ? `with exit code ${code}` : `by ${signal}`} before its first ` +
      `training step${lastLine ? `: ${lastLine}` : '.'}`,
    code === 0
      ? 'Its arguments, environment and files have to be as they were; one that goes on from a checkpoint of its own finds nothing left to train: move that away, or record with --hold.'
      : 'Run the script by itself to see what it lacks; its arguments, environment and files have to be as they were.',
    { detail: output },
  );
}

/** The last lines of the script's output. */
async function tail(log: string, bytes = 4000): Promise<string> {
  const text = await readFile(log, 'utf8').catch(() => '');
  return text.slice(-bytes);
}

/** Gives the process a moment to end by itself (its last client has gone), then ends its whole group. */
async function end({ child, pid, ended }: StartedChild): Promise<void> {
  const signalAll = (signal: NodeJS.Signals): void => {
    try {
      if (process.platform === 'win32') child.kill(signal);
      else process.kill(-pid, signal);
    } catch {
      // Gone already.
    }
  };
  const gone = ended.then(() => true);
  if (!(await Promise.race([gone, after(500)]))) {
    signalAll('SIGTERM');
    await Promise.race([gone, after(1500)]);
  }
  signalAll('SIGKILL');
  await gone;
}

const after = (ms: number): Promise<false> => sleep(ms, false, { ref: false });
