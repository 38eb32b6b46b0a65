/** From a launch or attach configuration to a process that stands at its first step, or at a chosen snapshot. */
import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { attach } from '../evaluators/openEvaluator.ts';
import type { TrainingConnection } from '../evaluators/connection.ts';
import { watchOver } from '../evaluators/keeper.ts';
import { installedProbes } from '../evaluators/probes.ts';
import { relaunch } from '../evaluators/relaunch.ts';
import { launchTraining, prepareTraining, refuseUnseenSteps, settleRun } from '../evaluators/training.ts';
import { waitForEndpoint } from '../evaluators/waitForEndpoint.ts';
import { BasinError, cancelled, isCancelled, toErrorData } from '../protocol/errors.ts';
import { isUnfinished, type RunManifest } from '../protocol/run.ts';
import { DRIVEN_CURE } from '../protocol/standing.ts';
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
  /** Call it when it is driven, or let go: until then it ends with this process, however that ends. */
  readonly taken: () => void;
}

/** Has this debugger's program keep watch over a script in place of debugging one. */
export const KEEP = 'keep';

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
  /** Has the client end that session with its script, of which nobody else knows the process yet. */
  endUnder(): void;
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
    // Without a debugger to come, where it is to be waited for.
    standFirst: configuration.whenGone === 'hold' ? ('for-good' as const) : true,
    ownGroup: true,
    holdSeconds: hold,
    environment,
    ...(configuration.snapshotEvery === undefined ? {} : { every: configuration.snapshotEvery }),
    ...(configuration.liveBudget === undefined ? {} : { liveBudget: configuration.liveBudget / 100 }),
  };
  if (signal.aborted) throw cancelled();
  const { run, own } =
    under === undefined
      ? await start(options, client, configuration.whenGone === 'hold' ? null : installed)
      : await startUnder(under, options, client);
  try {
    const endpoint = await waitForEndpoint(run.path('endpoint.json'), {
      until: own.ended,
      signal,
      check: () => refuseUnseenSteps(run),
    });
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

const ENDED = 'Ended by its debugger';

/** Nobody will drive this process: it would wait for a while, and train unseen then. */
async function end(run: Run, own: OwnProcess, error: unknown): Promise<void> {
  await own.kill('SIGKILL');
  const ended = await own.ended.catch(() => null);
  if (ended === null) return; // its code debugger could not start it
  const { message } = toErrorData(error);
  const why = isCancelled(error) ? `${ENDED} before the first training step.` : message;
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

/** @param installed what keeps watch over it while it starts; null where it is to stand without a debugger */
async function start(options: Options, client: Client, installed: Installed | null): Promise<Started> {
  const opened: number[] = [];
  const training = await launchTraining({
    ...options,
    stdio: (run) => {
      opened.push(...streams.map((stream) => openSync(outputFile(run, stream), 'a')));
      return ['ignore', ...opened];
    },
  }).finally(() => opened.forEach((descriptor) => closeSync(descriptor)));
  const { run } = training;
  const adapter = path.join(installed?.dist ?? '', 'debugAdapter.cjs');
  const taken =
    installed === null ? () => undefined : watchOver(run, training.pid, [process.execPath, adapter, KEEP]);
  const followed = streams.map(
    (stream) => new FollowedOutput(outputFile(run, stream), (text) => client.output(stream, text)),
  );
  return {
    run,
    own: {
      taken,
      kill: (signal) => training.kill(signal, ENDED),
      ended: training.ended.then(({ manifest, ending: { code, signal } }) => {
        for (const one of followed) one.end();
        taken();
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

/**
 * The code debugger starts the process and shows its output. What ends it is the process itself; one that has not come to
 * its first step is known to its code debugger alone, which is told to end it and is not waited for.
 */
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
  let killed: NodeJS.Signals | null = null;
  let leave: () => void = () => undefined;
  const left = new Promise<null>((resolve) => (leave = () => resolve(null)));
  const ended = Promise.race([failed, left]).then(async (failure) => {
    if (failure !== null) throw failure.error;
    await clear();
    const manifest =
      killed === null
        ? await run.readManifest()
        : await settleRun(run, { code: null, signal: killed }, ENDED);
    return { manifest, exitCode: exitCodeOf(manifest, manifest.process?.exitCode ?? null) };
  });
  // Settled by whoever waits for the endpoint or the end; a client that cannot start it leaves no run behind.
  ended.catch(() => discard());
  return {
    run,
    own: {
      ended,
      // The code debugger has its hands on it, and ends it when it is gone.
      taken: () => undefined,
      kill: async (signal) => {
        const { process: training } = await run.readManifest();
        killed = signal;
        // Until its first step the run is that of whoever has made it.
        if (training === null || training.pid === process.pid) {
          client.endUnder();
          leave();
          return;
        }
        try {
          process.kill(training.pid, signal);
        } catch {
          // Gone already.
        }
      },
    },
  };
}

/** How long an attachment waits for a script that is starting, in minutes: some read their data for long. */
const STARTING_MINUTES = 10;
const LOOK_MILLISECONDS = 500;

/**
 * Nobody can ask a script before its first step.
 * @throws BasinError `timeout` when it takes none, `cancelled`
 */
async function waitForItsFirstStep(
  run: Run,
  { state, objectives }: RunManifest,
  client: Client,
  signal: AbortSignal,
): Promise<void> {
  if (state !== 'starting' && objectives.length > 0) return;
  client.say(
    `Run ${run.id} is still starting: waiting for its first training step, up to ${STARTING_MINUTES} minutes.\n`,
  );
  const deadline = AbortSignal.timeout(60_000 * STARTING_MINUTES);
  const over = new AbortController();
  try {
    await waitForEndpoint(run.path('endpoint.json'), {
      until: ended(run, over.signal),
      signal: AbortSignal.any([signal, deadline]),
      check: () => refuseUnseenSteps(run),
    });
  } catch (error) {
    if (!isCancelled(error) || signal.aborted) throw error;
    throw new BasinError(
      'timeout',
      `Run ${run.id} has taken no training step within ${STARTING_MINUTES} minutes.`,
      'Its script may still be reading data, or train in a way that Basin does not see; attach again when it trains.',
    );
  } finally {
    over.abort();
  }
}

/** Settles when a run's process is gone. */
async function ended(run: Run, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && isUnfinished((await run.readManifest()).state)) await sleep(LOOK_MILLISECONDS);
}

/** @throws BasinError `busy` naming who drives the process */
async function requireDriverless(
  run: Run,
  connection: TrainingConnection,
  signal: AbortSignal,
): Promise<void> {
  try {
    const { driver } = await connection.status({}, signal);
    if (driver !== null)
      throw new BasinError('busy', `Run ${run.id} is debugged already, by ${driver}.`, DRIVEN_CURE);
  } catch (error) {
    connection.close();
    throw error;
  }
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
  let manifest = await run.readManifest();
  if (snapshot === undefined && isUnfinished(manifest.state)) {
    await waitForItsFirstStep(run, manifest, client, signal);
    const connection = await attach(run, 0, signal);
    if (connection !== null) {
      await requireDriverless(run, connection, signal);
      return { kind: 'training', run, connection, own: null, root };
    }
  }
  manifest = await run.readManifest();
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
