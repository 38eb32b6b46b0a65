/** Recording a run: starting a training command under the probe and seeing it to its end. */
import { execFile } from 'node:child_process';
import type { StdioOptions } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import * as v from 'valibot';
import {
  CLAIM_FILE,
  LOADED_FILE,
  PYTHON_TROUBLE_FILE,
  UNSEEN_FILE,
  pythonTroubleSchema,
  type ProbeOptionsInput,
  type PythonTrouble,
} from '../protocol/launch.ts';
import { BasinError } from '../protocol/errors.ts';
import { isUnfinished, type RunManifest, type RunState } from '../protocol/run.ts';
import { exists } from '../runs/files.ts';
import { isAlive } from '../runs/processes.ts';
import { pythonWithTorch } from '../runs/python.ts';
import type { Run } from '../runs/run.ts';
import { RunStore } from '../runs/runStore.ts';
import { endingSignal, startCommand, type Ending } from './children.ts';
import {
  decidingVariables,
  EVALUATION_SAMPLES,
  newToken,
  probeEnvironment,
  withoutHook,
} from './probeEnvironment.ts';
import type { Probes } from './probes.ts';
import { makePrivateFolder } from './socketFolder.ts';

export interface TrainingOptions {
  readonly store: RunStore;
  readonly command: readonly string[];
  readonly cwd: string;
  readonly probes: Probes;
  /** Basin's own version, for the run's record. */
  readonly version: string;
  readonly name?: string;
  /** Snapshot stride; absent for the automatic choice. */
  readonly every?: number;
  readonly everyStep?: boolean;
  /** Stand still before the first update until a debugger comes: at most a minute, or for good. */
  readonly standFirst?: boolean | 'for-good';
  /** Keep the process at its end for questions, at most this many seconds. */
  readonly holdSeconds?: number;
  readonly evaluationSamples?: number;
  /** Share of its time that measuring beside it may take, for the run's record. */
  readonly liveBudget?: number;
  readonly environment?: NodeJS.ProcessEnv;
  /** Start it in a process group of its own, so that a signal reaches the command with all that it has started. */
  readonly ownGroup?: boolean;
  readonly stdio?: StdioOptions | ((run: Run) => StdioOptions);
}

export interface TrainingEnd {
  readonly manifest: RunManifest;
  readonly ending: Ending;
  /** The interpreter did not find what it was to run, and the run is of nothing. */
  readonly unfound: BasinError | null;
}

export interface Training {
  readonly run: Run;
  readonly pid: number;
  /** @param why for the run's record, in place of a signal that came from nobody knows where: "Ended by its debugger" */
  readonly kill: (signal: NodeJS.Signals, why?: string) => void;
  /** What the command writes, where `stdio` asked for pipes. */
  readonly output: { readonly stdout: Readable | null; readonly stderr: Readable | null };
  /** Settles when the command has ended and the run's final state is written; never rejects. */
  readonly ended: Promise<TrainingEnd>;
}

/** A run that waits for its command to be started, by whoever can. */
export interface PreparedTraining {
  readonly run: Run;
  /** What the command has to be started with. */
  readonly environment: NodeJS.ProcessEnv;
  /** Call it when the process has ended: removes what it needed beside the run. */
  readonly clear: () => Promise<void>;
  /** Takes the run away again: its command was never started. */
  readonly discard: () => Promise<void>;
}

/** Makes the run of a command, and the environment that has it recorded. */
export async function prepareTraining(options: Omit<TrainingOptions, 'stdio'>): Promise<PreparedTraining> {
  const cwd = path.resolve(options.cwd);
  const base = withoutHook(options.environment ?? process.env, options.probes);
  const run = await createRun({ ...options, cwd, environment: base });
  const sockets = await makePrivateFolder();
  const discard = async (): Promise<void> => {
    await sockets.remove();
    await rm(run.directory, { recursive: true, force: true });
  };
  try {
    const environment = probeEnvironment(base, options.probes, recordingOptions(run, sockets.path, options));
    return { run, environment, clear: () => sockets.remove(), discard };
  } catch (error) {
    await discard();
    throw error;
  }
}

/** @throws BasinError `bad-input` when the command cannot be started; no run is left behind then */
export async function launchTraining(options: TrainingOptions): Promise<Training> {
  const { run, environment, clear, discard } = await prepareTraining(options);
  const { stdio = 'inherit' } = options;
  const ownGroup = options.ownGroup === true && process.platform !== 'win32';
  try {
    const begun = await run.readRecordedManifest();
    let sent: { readonly signal: NodeJS.Signals; readonly why: string } | null = null;
    const { child, pid, ended } = await startCommand(options.command, {
      cwd: path.resolve(options.cwd),
      stdio: typeof stdio === 'function' ? stdio(run) : stdio,
      env: environment,
      detached: ownGroup,
    });
    return {
      run,
      pid,
      kill: (signal, why) => {
        sent = why === undefined ? null : { signal, why };
        if (ownGroup) killGroup(pid, signal);
        else child.kill(signal);
      },
      output: { stdout: child.stdout, stderr: child.stderr },
      ended: ended.then(async (ending) => {
        const ownWord = sent !== null && sent.signal === endingSignal(ending) ? sent.why : undefined;
        const manifest = await settleRun(run, ending, ownWord).catch((error: unknown) =>
          lostRun(begun, error),
        );
        if (!isRunning(manifest)) await clear();
        return { manifest, ending, unfound: await whyUnfound(run) };
      }),
    };
  } catch (error) {
    await discard();
    throw error;
  }
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // Gone already.
  }
}

/** A new run of a command. */
export async function createRun(
  options: Pick<
    TrainingOptions,
    'store' | 'command' | 'cwd' | 'version' | 'name' | 'every' | 'liveBudget'
  > & {
    readonly environment: NodeJS.ProcessEnv;
  },
): Promise<Run> {
  return options.store.create({
    command: options.command,
    cwd: options.cwd,
    environment: decidingVariables(options.environment),
    script: findScript(options.command, options.cwd),
    gitCommit: await gitCommit(options.cwd),
    versions: { basin: options.version, node: process.versions.node },
    ...(options.name === undefined ? {} : { name: options.name }),
    every: options.every ?? null,
    ...(options.liveBudget === undefined ? {} : { liveBudget: options.liveBudget }),
  });
}

/** What the probe is told that records a run. */
export function recordingOptions(
  run: Run,
  socketDirectory: string,
  options: Pick<
    TrainingOptions,
    'every' | 'everyStep' | 'standFirst' | 'holdSeconds' | 'evaluationSamples'
  > = {},
): ProbeOptionsInput {
  return {
    mode: 'record',
    runDirectory: run.directory,
    endpointFile: run.path('endpoint.json'),
    socketDirectory,
    token: newToken(),
    objective: 0,
    every: options.every ?? null,
    everyStep: options.everyStep ?? false,
    standFirst: options.standFirst ?? false,
    holdSeconds: options.holdSeconds ?? 0,
    evaluationSamples: options.evaluationSamples ?? EVALUATION_SAMPLES,
  };
}

/**
 * Writes the final state of a run whose command has ended. What the probe itself wrote stands, unless the command's
 * exit says otherwise. A command that put its training into the background leaves a run that goes on.
 * @param ownWord of whoever has sent the signal that has ended it, where that is known
 */
export async function settleRun(run: Run, ending: Ending, ownWord?: string): Promise<RunManifest> {
  let recorded = await run.readRecordedManifest();
  // The process has gone on with another run: that is the one that has ended with it.
  if (recorded.successor !== undefined)
    return settleRun(await RunStore.beside(run).open(recorded.successor.run), ending, ownWord);
  if (isRunning(recorded) && recorded.process?.pid !== process.pid) return recorded;
  const claimed = await exists(run.path(CLAIM_FILE));
  if (claimed && isUnfinished(recorded.state))
    recorded = await run.countAgain(recorded).catch(() => recorded);
  const final = claimed
    ? stateAfterTraining(recorded, ending, ownWord)
    : stateWithoutTraining(recorded, ending, {
        loaded: await exists(run.path(LOADED_FILE)),
        trouble: await pythonTrouble(run),
        unseen: await exists(run.path(UNSEEN_FILE)),
        ownWord,
      });
  const now = new Date().toISOString();
  const manifest: RunManifest = {
    ...recorded,
    ...final,
    updated: now,
    ended: recorded.ended ?? now,
    process: recorded.process === null ? null : { ...recorded.process, exitCode: ending.code },
  };
  await run.writeManifest(manifest);
  await rm(run.path('endpoint.json'), { force: true });
  return manifest;
}

/** What is left to say of a run whose files have been deleted or damaged while its command went on. */
function lostRun(begun: RunManifest, error: unknown): RunManifest {
  const now = new Date().toISOString();
  const deleted = error instanceof BasinError && error.code === 'not-found';
  const stateReason = deleted
    ? 'The run was deleted while its script went on; nothing of it is kept.'
    : `The end of the run could not be written down: ${error instanceof Error ? error.message : String(error)}`;
  return { ...begun, state: 'failed', stateReason, updated: now, ended: now };
}

type Final = Pick<RunManifest, 'state' | 'stateReason'>;

function stateAfterTraining(recorded: RunManifest, ending: Ending, ownWord: string | undefined): Final {
  const steps = `${recorded.recording.steps} steps are kept`;
  const signal = endingSignal(ending);
  // Ctrl+C is one way to let a held process end: its script was done.
  const failedAndHeld = recorded.state === 'held' && recorded.stateReason !== null;
  if (failedAndHeld) return { state: 'failed', stateReason: recorded.stateReason };
  const done = recorded.state === 'held' || recorded.state === 'finished';
  if (done && (signal !== null || ending.code === 0)) return { state: 'finished', stateReason: null };
  if (signal !== null) {
    return { state: stateFor(signal), stateReason: `${ownWord ?? nameSignal(signal, recorded)}; ${steps}.` };
  }
  if (ending.code !== 0) {
    const reason = recorded.state === 'failed' ? recorded.stateReason : null;
    return {
      state: 'failed',
      stateReason: reason ?? `The script ended with exit code ${ending.code}; ${steps}.`,
    };
  }
  if (recorded.state === 'failed') return { state: 'failed', stateReason: recorded.stateReason };
  return { state: 'finished', stateReason: null };
}

function stateWithoutTraining(
  recorded: RunManifest,
  ending: Ending,
  seen: {
    readonly loaded: boolean;
    readonly trouble: string | null;
    readonly unseen: boolean;
    readonly ownWord: string | undefined;
  },
): Final {
  const signal = endingSignal(ending);
  if (signal !== null) {
    return {
      state: stateFor(signal),
      stateReason: `${seen.ownWord ?? nameSignal(signal, recorded)} before the first training step.`,
    };
  }
  if (ending.code !== 0) {
    return {
      state: 'failed',
      stateReason:
        recorded.stateReason ??
        seen.trouble ??
        `The script ended with exit code ${ending.code} before its first training step.`,
    };
  }
  if (seen.trouble !== null) return { state: 'no-training', stateReason: seen.trouble };
  if (seen.unseen) return { state: 'no-training', stateReason: `${UNSEEN.message} ${UNSEEN.cure}` };
  return { state: 'no-training', stateReason: seen.loaded ? NO_STEP : noFramework(recorded.command) };
}

const UNSEEN = {
  message:
    'The script applies gradients that it takes by itself (tf.grad, tf.grads), where Basin sees neither loss nor step, and ' +
    'nothing was recorded.',
  cure: 'Take them by optimizer.computeGradients(() => loss) or tf.variableGrads to look at it with Basin.',
};

/** @throws BasinError `not-replayable` where the script trains in a way that shows no step, though it has not ended */
export async function refuseUnseenSteps(run: Run): Promise<void> {
  if (await exists(run.path(UNSEEN_FILE)))
    throw new BasinError('not-replayable', UNSEEN.message, UNSEEN.cure);
}

const NO_STEP =
  'The script loaded its framework and ended without a training step. In TensorFlow.js Basin sees fit, fitDataset, ' +
  'trainOnBatch, minimize and variableGrads with applyGradients, in PyTorch backward() and the step of an optimizer; ' +
  'other updates by hand are not seen.';

function noFramework(command: readonly string[]): string {
  const isolated = command.find((word) => /^-[A-Za-z]*[ISE][A-Za-z]*$/.test(word));
  if (isolated !== undefined && command.some((word) => /python/i.test(path.basename(word)))) {
    return (
      `The command ended without Basin's probe: Python's option ${isolated} shuts out what its environment adds. ` +
      'Leave it out (-S, -I and -E do that).'
    );
  }
  return (
    'The command ended without loading TensorFlow.js or PyTorch. Check that it starts the training script with Node ' +
    'or Python.'
  );
}

async function readTrouble(run: Run): Promise<PythonTrouble | null> {
  const text = await readFile(run.path(PYTHON_TROUBLE_FILE), 'utf8').catch(() => null);
  if (text === null) return null;
  try {
    return v.parse(pythonTroubleSchema, JSON.parse(text));
  } catch {
    return null;
  }
}

async function whyUnfound(run: Run): Promise<BasinError | null> {
  const told = await readTrouble(run);
  if (told?.unfound === undefined || (await exists(run.path(CLAIM_FILE)))) return null;
  return notFound(told.unfound, (await run.readRecordedManifest()).cwd);
}

function notFound(what: string, cwd: string): BasinError {
  return new BasinError(
    'bad-input',
    `Python found no ${what}, started in ${cwd}.`,
    'Check its name, and the folder that the command is started in.',
  );
}

/** What a Python said that has no torch, or one too old, as a sentence with its cure; null when none did. */
async function pythonTrouble(run: Run): Promise<string | null> {
  const told = await readTrouble(run);
  if (told === null) return null;
  const { executable, python, torch, sharding, unseen, unfound, complex } = told;
  if (unfound !== undefined) {
    const { message, cure } = notFound(unfound, (await run.readRecordedManifest()).cwd);
    return `${message} ${cure}`;
  }
  if (complex !== undefined) {
    return (
      `Some of the weights are complex numbers (one of shape ${complex}), which Basin does not know, and nothing was ` +
      'recorded. Keep their real and imaginary parts as real weights (torch.view_as_complex in forward) to look at it with Basin.'
    );
  }
  if (sharding !== undefined) {
    return (
      `The model is spread over processes by ${sharding}, so no process has a loss of all of its weights, and nothing ` +
      'was recorded. Train it on one device, or by DistributedDataParallel, to look at it with Basin.'
    );
  }
  if (unseen?.startsWith('torch.func') === true) {
    return (
      `The script takes its gradients by ${unseen} and updates the weights by itself, where Basin sees no step, and ` +
      'nothing was recorded. Call backward() on the loss and step with an optimizer of torch.optim to look at it with Basin.'
    );
  }
  if (unseen !== undefined) {
    return (
      `The script replays its steps as ${unseen}, inside of which Basin sees nothing, and nothing was recorded. ` +
      'Train without them in the run that you want to look at.'
    );
  }
  const install = `Install it there: ${executable} -m pip install torch`;
  if (torch !== null) {
    return `Basin needs Python 3.9 and torch 1.13 or newer; ${executable} is Python ${python} with torch ${torch}. ${install} --upgrade.`;
  }
  const { cwd } = await run.readRecordedManifest();
  const other = await pythonWithTorch(cwd);
  return (
    `The script imports torch, and ${executable} (Python ${python}) does not have it. ` +
    (other === null || other === executable
      ? `${install}.`
      : `${other} has it: start the script with that one (in VS Code: choose it as the interpreter, or set basin.pythonPath).`)
  );
}

function isRunning(manifest: RunManifest): boolean {
  return isUnfinished(manifest.state) && manifest.process !== null && isAlive(manifest.process);
}

function stateFor(signal: NodeJS.Signals): RunState {
  return crashes.has(signal) ? 'failed' : 'interrupted';
}

/** Signals by which a process ends itself, or the system ends it for what it has done. */
const crashes: ReadonlySet<NodeJS.Signals> = new Set<NodeJS.Signals>([
  ...(['SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGTRAP', 'SIGSYS'] as const),
]);

function nameSignal(signal: NodeJS.Signals, { framework }: RunManifest): string {
  switch (signal) {
    case 'SIGINT':
      return 'Interrupted (Ctrl+C)';
    case 'SIGKILL':
      return 'Killed (SIGKILL: by someone, or by the system for want of memory)';
    case 'SIGABRT':
      return framework === 'torch'
        ? `Crashed (${signal}: a library has ended the process, as a failed check in native code does)`
        : `Crashed (${signal}, as Node.js does when its heap is full)`;
    default:
      return crashes.has(signal) ? `Crashed (${signal})` : `Ended by ${signal}`;
  }
}

/** The first argument that is a script file; null for a command such as `npm run train`. */
function findScript(command: readonly string[], cwd: string): string | null {
  const script = command
    .filter((argument) => /\.(?:[cm]?[jt]s|py)$/.test(argument))
    .map((argument) => path.resolve(cwd, argument))
    .find((file) => existsSync(file));
  return script ?? null;
}

async function gitCommit(cwd: string): Promise<string | null> {
  try {
    const { stdout } = await promisify(execFile)('git', ['rev-parse', 'HEAD'], { cwd, timeout: 2000 });
    return stdout.trim() === '' ? null : stdout.trim();
  } catch {
    return null;
  }
}
