/** From a launch or attach configuration to a process that stands at its first step, or at a chosen snapshot. */
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import { attach } from '../evaluators/openEvaluator.ts';
import type { TrainingConnection } from '../evaluators/connection.ts';
import { installedProbes } from '../evaluators/probes.ts';
import { relaunch } from '../evaluators/relaunch.ts';
import { launchTraining, prepareTraining } from '../evaluators/training.ts';
import { waitForEndpoint } from '../evaluators/waitForEndpoint.ts';
import { BasinError } from '../protocol/errors.ts';
import { isUnfinished, type RunManifest } from '../protocol/run.ts';
import type { WhenGone } from '../protocol/standing.ts';
import type { Run } from '../runs/run.ts';
import { findRoot, RunStore } from '../runs/runStore.ts';
import { moduleFile, scriptCommand } from '../runs/scriptCommand.ts';
import { requireWorkersInReach } from './nodeInspector.ts';
import { FollowedOutput, outputFile, streams, type Stream } from './scriptOutput.ts';

/** Code debuggers that a script can be started under, by the names of their debug types. */
export const codeDebuggers = ['node', 'debugpy'] as const;
export type CodeDebugger = (typeof codeDebuggers)[number];

export interface LaunchConfiguration {
  /** The training script. */
  readonly program?: string;
  /** A Python module in place of it: `python -m module`. */
  readonly module?: string;
  readonly args?: readonly string[];
  /** The interpreter; found as for a run without the debugger when absent. */
  readonly runtime?: string;
  readonly runtimeArgs?: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | null>>;
  /** Workspace folder, where `.basin/` is. */
  readonly root?: string;
  /** Stand before the first update. */
  readonly stopOnEntry?: boolean;
  /** Seconds that the process is kept at its end for questions. */
  readonly hold?: number;
  /** Updates between snapshots. */
  readonly snapshotEvery?: number;
  /** Percent of the training's time that measuring λ₁ and the noise scale beside it may take; 0: nothing is measured. */
  readonly liveBudget?: number;
  readonly whenGone?: WhenGone;
  /** Has a code debugger start the script, so that breakpoints in the code and in training live together. */
  readonly under?: CodeDebugger;
}

export interface AttachConfiguration {
  /** Id of a run, or `last`. */
  readonly run?: string;
  /** Has the script of the run started again, to look at this snapshot; the last one of a run that is over by default. */
  readonly snapshot?: number | 'last';
  readonly root?: string;
  readonly whenGone?: WhenGone;
}

export interface Installed {
  /** The folder with every bundle. */
  readonly dist: string;
  readonly version: string;
}

/** A process that this debugger may end. */
export interface OwnProcess {
  readonly kill: (signal: NodeJS.Signals) => void | Promise<void>;
  readonly ended: Promise<RunManifest>;
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
  /**
   * Has the client start a script under its code debugger.
   * @returns settles when that debugger's session has ended; rejects with what the client says when it cannot
   */
  startUnder(request: UnderRequest): Promise<void>;
}

/**
 * Starts the script and waits until it stands before its first update.
 * @throws BasinError `bad-input`, `not-found`, or why the script has ended before it trained
 */
export async function launch(
  configuration: LaunchConfiguration,
  installed: Installed,
  client: Client,
): Promise<Training> {
  check(configuration);
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
    holdSeconds: hold,
    environment,
    ...(configuration.snapshotEvery === undefined ? {} : { every: configuration.snapshotEvery }),
    ...(configuration.liveBudget === undefined ? {} : { liveBudget: configuration.liveBudget / 100 }),
  };
  const { run, own } =
    under === undefined ? await start(options, client) : await startUnder(under, options, client);
  const endpoint = await waitForEndpoint(run.path('endpoint.json'), { until: own.ended });
  const connection = endpoint === null ? null : await attach(run, 0);
  if (connection !== null) return { kind: 'training', run, connection, own, root };
  const manifest = await own.ended;
  throw new BasinError(
    'no-steps',
    manifest.stateReason ?? 'The script ended before its first training step.',
    'Its output is in the debug console.',
  );
}

/** @throws BasinError `bad-input` for what a configuration must not be, naming the setting */
function check({ program, module, under, args, hold, liveBudget, whenGone }: LaunchConfiguration): void {
  const refuse = (what: string, cure: string): never => {
    throw new BasinError('bad-input', what, cure);
  };
  if (program === undefined && module === undefined)
    refuse(
      'The launch configuration names no program.',
      'Set "program" to the training script, or "module" to a Python module.',
    );
  for (const [name, value] of Object.entries({ program, module }))
    if (value !== undefined && typeof (value as unknown) !== 'string')
      refuse(`"${name}" is no text.`, `Set "${name}" to a name.`);
  if (args !== undefined && !(Array.isArray(args) && args.every((one) => typeof one === 'string')))
    refuse('"args" is no list of texts.', 'Write "args": ["--epochs", "3"].');
  if (hold !== undefined && !(typeof hold === 'number' && hold >= 0))
    refuse('"hold" is no number of seconds.', 'Write "hold": 600.');
  if (liveBudget !== undefined && !(typeof liveBudget === 'number' && liveBudget >= 0 && liveBudget <= 50))
    refuse('"liveBudget" is no percentage up to 50.', 'Write "liveBudget": 5.');
  if (whenGone !== undefined && !['continue', 'hold'].includes(whenGone))
    refuse(`"whenGone" cannot be ${JSON.stringify(whenGone)}.`, 'Set it to "continue" or "hold".');
  if (under !== undefined && !codeDebuggers.includes(under))
    refuse(`"under" cannot be ${JSON.stringify(under)}.`, 'Set it to "node" or "debugpy", or leave it out.');
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
      ended: training.ended.then(({ manifest }) => {
        for (const one of followed) one.end();
        return manifest;
      }),
    },
  };
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
    return run.readManifest();
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
): Promise<Training | Frozen> {
  const { snapshot } = configuration;
  if (snapshot !== undefined && snapshot !== 'last' && !(Number.isSafeInteger(snapshot) && snapshot >= 0))
    throw new BasinError(
      'bad-input',
      `"snapshot" cannot be ${JSON.stringify(snapshot)}.`,
      'Give a step, or "last".',
    );
  const root = path.resolve(configuration.root ?? findRoot(process.cwd()));
  const run = await new RunStore(root).open(configuration.run ?? 'last');
  const manifest = await run.readManifest();
  if (snapshot === undefined && isUnfinished(manifest.state)) {
    const connection = await attach(run, 0);
    if (connection !== null) return { kind: 'training', run, connection, own: null, root };
  }
  if (manifest.objectives.length === 0)
    throw new BasinError(
      'no-steps',
      `Run ${run.id} is ${manifest.state} and has never taken a step.`,
      manifest.stateReason ?? 'Launch its script.',
    );
  client.say(`Starting the script of run ${run.id} again for questions: ${manifest.command.join(' ')}\n`);
  const again = await relaunch(run, manifest, 0, { probes: installedProbes(installed.dist) });
  const at = snapshot ?? 'last';
  return { kind: 'frozen', run, root, at, connection: again.evaluator, close: () => again.close() };
}
