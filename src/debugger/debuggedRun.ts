/** From a launch or attach configuration to a process that stands at its first step, or at a chosen snapshot. */
import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { attach } from '../evaluators/openEvaluator.ts';
import type { TrainingConnection } from '../evaluators/connection.ts';
import { installedProbes } from '../evaluators/probes.ts';
import { relaunch } from '../evaluators/relaunch.ts';
import { launchTraining, prepareTraining } from '../evaluators/training.ts';
import { waitForEndpoint } from '../evaluators/waitForEndpoint.ts';
import { BasinError, cancelled, isCancelled, toErrorData } from '../protocol/errors.ts';
import { isUnfinished, type RunManifest } from '../protocol/run.ts';
import type { Run } from '../runs/run.ts';
import { findRoot, RunStore } from '../runs/runStore.ts';
import { moduleFile, scriptCommand } from '../runs/scriptCommand.ts';
import {
  checkAttach,
  checkLaunch,
  type AttachConfiguration,
  type CodeDebugger,
  type LaunchConfiguration,
} from './configuration.ts';
import { requireWorkersInReach } from './nodeInspector.ts';
import { requireSnapshot, snapshotSteps } from './snapshotWalk.ts';
import { FollowedOutput, outputFile, streams, type Stream } from './scriptOutput.ts';

export interface Installed {
  /** The folder with every bundle. */
  readonly dist: string;
  readonly version: string;
}

/** How a process has ended. */
export interface Ended {
  readonly manifest: RunManifest;
  /** 128 + n after signal n, as shells have it. */
  readonly exitCode: number;
}

/** A process that this debugger may end. */
export interface OwnProcess {
  readonly kill: (signal: NodeJS.Signals) => void | Promise<void>;
  readonly ended: Promise<Ended>;
}

/** A process that trains. */
export interface Training {
  readonly kind: 'training';
  readonly run: Run;
  readonly root: string;
  readonly connection: TrainingConnection;
  /** null for one that someone else has started. */
  readonly own: OwnProcess | null;
}

/** A run that is over, its script started again. */
export interface Frozen {
  readonly kind: 'frozen';
  readonly run: Run;
  readonly root: string;
  readonly connection: TrainingConnection;
  readonly at: number | 'last';
  readonly close: () => Promise<void>;
}

/** A script to be started by a code debugger of the client. */
export interface UnderRequest {
  readonly under: CodeDebugger;
  readonly command: readonly string[];
  readonly cwd: string;
  /** Variables to be added to the environment. */
  readonly env: Readonly<Record<string, string>>;
}

export interface Client {
  output(stream: Stream, text: string): void;
  say(text: string): void;
  /** Something that people should not overlook. */
  warn(text: string): void;
  /**
   * Has the client start a script under its code debugger.
   * @returns settles when that debugger's session has ended; rejects with what the client says when it cannot
   */
  startUnder(request: UnderRequest): Promise<void>;
}

/**
 * Starts the script and waits until it stands before its first update. Whatever keeps it from that, no process is left.
 * @throws BasinError `bad-input`, `not-found`, why the script has ended before it trained, why it cannot be asked, or
 * `cancelled` by the signal
 */
export async function launch(
  configuration: LaunchConfiguration,
  installed: Installed,
  client: Client,
  signal: AbortSignal,
): Promise<Training> {
  tell(client, checkLaunch(configuration));
  const { hold = 0, under } = configuration;
  const environment = environmentOf(configuration);
  const { root, command, cwd } = await commandOf(configuration, environment);
  const options = {
    store: new RunStore(root),
    command,
    cwd,
    probes: installedProbes(installed.dist),
    version: installed.version,
    standFirst: true,
    ownGroup: true,
    holdSeconds: hold,
    environment,
    ...(configuration.snapshotEvery === undefined ? {} : { every: configuration.snapshotEvery }),
    ...(configuration.liveBudget === undefined ? {} : { liveBudget: configuration.liveBudget / 100 }),
  };
  if (signal.aborted) throw cancelled();
  const { run, own } =
    under === undefined ? await start(options, client) : await startUnder(under, options, client);
  try {
    const endpoint = await waitForEndpoint(run.path('endpoint.json'), { until: own.ended, signal });
    const connection = endpoint === null ? null : await attach(run, 0, signal);
    if (connection !== null) return { kind: 'training', run, connection, own, root };
  } catch (error) {
    await end(run, own, error);
    throw error;
  }
  const { manifest } = await own.ended;
  throw new BasinError(
    'no-steps',
    manifest.stateReason ?? 'The script ended before its first training step.',
    'Its output is in the debug console.',
  );
}

/** Nobody will drive this process: it would wait for a while, and train unseen then. */
async function end(run: Run, own: OwnProcess, error: unknown): Promise<void> {
  await own.kill('SIGKILL');
  const ended = await own.ended.catch(() => null);
  if (ended === null) return; // its code debugger could not start it
  const { message } = toErrorData(error);
  const why = isCancelled(error) ? 'Ended by its debugger before the first training step.' : message;
  await run.writeManifest({ ...ended.manifest, state: 'interrupted', stateReason: why });
}

function tell(client: Client, told: string | null): void {
  if (told !== null) client.warn(`${told}\n`);
}

function environmentOf({ env = {} }: LaunchConfiguration): NodeJS.ProcessEnv {
  const given: Record<string, string | null | undefined> = {
    ...process.env,
    PYTHONUNBUFFERED: '1',
    ...env,
  };
  return Object.fromEntries(Object.entries(given).flatMap(([k, v]) => (v == null ? [] : [[k, v]])));
}

async function commandOf(
  configuration: LaunchConfiguration,
  environment: NodeJS.ProcessEnv,
): Promise<{ root: string; command: readonly string[]; cwd: string }> {
  const { program, module, args = [], runtimeArgs = [] } = configuration;
  const folder =
    configuration.cwd ?? (program === undefined ? process.cwd() : path.dirname(path.resolve(program)));
  const root = path.resolve(configuration.root ?? findRoot(folder));
  const { run: words, cwd } = await scriptCommand(
    {
      script: program === undefined ? moduleFile(root, module ?? '') : path.resolve(root, program),
      scriptArguments: args,
      root,
      nodePath: '',
      pythonPath: '',
      activePython: null,
    },
    environment,
  );
  const [found = '', ...rest] = words;
  const behind = module === undefined ? rest : ['-m', module, ...args];
  return {
    root,
    command: [configuration.runtime ?? found, ...runtimeArgs, ...behind],
    cwd: configuration.cwd ?? cwd,
  };
}

type Options = Parameters<typeof prepareTraining>[0];
interface Started {
  readonly run: Run;
  readonly own: OwnProcess;
}

async function start(options: Options, client: Client): Promise<Started> {
  const opened: number[] = [];
  const training = await launchTraining({
    ...options,
    stdio: (run) => {
      opened.push(...streams.map((stream) => openSync(outputFile(run, stream), 'a')));
      return ['ignore', ...opened];
    },
  }).finally(() => opened.forEach((descriptor) => closeSync(descriptor)));
  const { run } = training;
  const followed = streams.map(
    (stream) => new FollowedOutput(outputFile(run, stream), (text) => client.output(stream, text)),
  );
  return {
    run,
    own: {
      kill: (signal) => training.kill(signal),
      ended: training.ended.then(({ manifest, ending: { code, signal } }) => {
        for (const one of followed) one.end();
        return {
          manifest,
          exitCode: exitCodeOf(manifest, signal === null ? code : 128 + constants.signals[signal]),
        };
      }),
    },
  };
}

function exitCodeOf({ state }: RunManifest, code: number | null): number {
  // A held process is ended by a signal as well: its script was done.
  return state === 'finished' ? 0 : (code ?? 1);
}

/** The code debugger starts the process and shows its output; what ends it is the process itself. */
async function startUnder(under: CodeDebugger, options: Options, client: Client): Promise<Started> {
  if (under === 'node') await requireWorkersInReach(options.command, options.cwd);
  const { run, environment, clear, discard } = await prepareTraining(options);
  const before = process.env;
  const env = Object.fromEntries(
    Object.entries(environment).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== before[entry[0]],
    ),
  );
  const { command, cwd } = options;
  const session = client.startUnder({ under, command, cwd, env });
  const failed = session.then(
    () => null,
    (error: unknown) => ({ error }),
  );
  const ended = failed.then(async (failure) => {
    if (failure !== null) throw failure.error;
    await clear();
    const manifest = await run.readManifest();
    return { manifest, exitCode: exitCodeOf(manifest, manifest.process?.exitCode ?? null) };
  });
  // Settled by whoever waits for the endpoint or the end; a client that cannot start it leaves no run behind.
  ended.catch(() => discard());
  return {
    run,
    own: {
      ended,
      kill: async (signal) => {
        const { process: training } = await run.readManifest();
        if (training === null || training.pid === process.pid) return;
        try {
          process.kill(training.pid, signal);
        } catch {
          // Gone already.
        }
      },
    },
  };
}

/**
 * Finds the living process of a run, training or held at its end; of one that is over it has the script started again.
 * @throws BasinError `not-found`, and as a relaunch does
 */
export async function attachTo(
  configuration: AttachConfiguration,
  installed: Installed,
  client: Client,
  signal: AbortSignal,
): Promise<Training | Frozen> {
  tell(client, checkAttach(configuration));
  const { snapshot } = configuration;
  const root = path.resolve(configuration.root ?? findRoot(process.cwd()));
  const run = await new RunStore(root).open(configuration.run ?? 'last');
  const manifest = await run.readManifest();
  if (snapshot === undefined && isUnfinished(manifest.state)) {
    const connection = await attach(run, 0, signal);
    if (connection !== null) return { kind: 'training', run, connection, own: null, root };
  }
  if (manifest.objectives.length === 0)
    throw new BasinError(
      'no-steps',
      `Run ${run.id} is ${manifest.state} and has never taken a step.`,
      manifest.stateReason ?? 'Launch its script.',
    );
  const at = snapshot ?? 'last';
  requireSnapshot(run.id, at, await snapshotSteps(run, 0));
  client.say(`Starting the script of run ${run.id} again for questions: ${manifest.command.join(' ')}\n`);
  const again = await relaunch(run, manifest, 0, { probes: installedProbes(installed.dist), signal });
  return { kind: 'frozen', run, root, at, connection: again.evaluator, close: () => again.close() };
}
