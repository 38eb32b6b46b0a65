/** From a launch or attach configuration to a process that stands at its first step, or at a chosen snapshot. */
import type { Readable } from 'node:stream';
import path from 'node:path';
import { attach } from '../evaluators/openEvaluator.ts';
import type { TrainingConnection } from '../evaluators/connection.ts';
import { installedProbes } from '../evaluators/probes.ts';
import { launchTraining, type Training } from '../evaluators/training.ts';
import { waitForEndpoint } from '../evaluators/waitForEndpoint.ts';
import { BasinError } from '../protocol/errors.ts';
import { isUnfinished } from '../protocol/run.ts';
import type { WhenGone } from '../protocol/standing.ts';
import type { Run } from '../runs/run.ts';
import { findRoot, RunStore } from '../runs/runStore.ts';
import { scriptCommand } from '../runs/scriptCommand.ts';

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
  readonly name?: string;
  /** Stand before the first update. */
  readonly stopOnEntry?: boolean;
  /** Seconds that the process is kept at its end for questions. */
  readonly hold?: number;
  /** Updates between snapshots. */
  readonly snapshotEvery?: number;
  readonly whenGone?: WhenGone;
}

export interface AttachConfiguration {
  /** Id of a run, or `last`. */
  readonly run?: string;
  readonly root?: string;
  readonly whenGone?: WhenGone;
}

export interface Installed {
  /** The folder with every bundle. */
  readonly dist: string;
  readonly version: string;
}

export interface Launched {
  readonly run: Run;
  readonly connection: TrainingConnection;
  /** null for a process that someone else has started. */
  readonly training: Training | null;
  readonly root: string;
}

/**
 * Starts the script and waits until it stands before its first update.
 * @throws BasinError `bad-input`, `not-found`, or why the script has ended before it trained
 */
export async function launch(
  configuration: LaunchConfiguration,
  installed: Installed,
  output: (category: 'stdout' | 'stderr', text: string) => void,
): Promise<Launched> {
  const { program, module, args = [], runtimeArgs = [], hold = 0 } = configuration;
  if (program === undefined && module === undefined) {
    throw new BasinError(
      'bad-input',
      'The launch configuration names no program.',
      'Set "program" to the training script, or "module" to a Python module.',
    );
  }
  const folder =
    configuration.cwd ?? (program === undefined ? process.cwd() : path.dirname(path.resolve(program)));
  const root = path.resolve(configuration.root ?? findRoot(folder));
  const given: Record<string, string | null | undefined> = {
    ...process.env,
    PYTHONUNBUFFERED: '1',
    ...configuration.env,
  };
  const environment = Object.fromEntries(
    Object.entries(given).flatMap(([k, v]) => (v == null ? [] : [[k, v]])),
  );
  const { run: words, cwd } = await scriptCommand(
    {
      script:
        program === undefined
          ? path.join(root, `${(module ?? '').replaceAll('.', path.sep)}.py`)
          : path.resolve(root, program),
      scriptArguments: args,
      root,
      nodePath: '',
      pythonPath: '',
      activePython: null,
    },
    environment,
  );
  const [found = '', ...rest] = words;
  const training = await launchTraining({
    store: new RunStore(root),
    command: [
      configuration.runtime ?? found,
      ...runtimeArgs,
      ...(module === undefined ? rest : ['-m', module, ...args]),
    ],
    cwd: configuration.cwd ?? cwd,
    probes: installedProbes(installed.dist),
    version: installed.version,
    standFirst: true,
    holdSeconds: hold,
    environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(configuration.name === undefined ? {} : { name: configuration.name }),
    ...(configuration.snapshotEvery === undefined ? {} : { every: configuration.snapshotEvery }),
  });
  follow(training.output.stdout, (text) => output('stdout', text));
  follow(training.output.stderr, (text) => output('stderr', text));
  const endpoint = await waitForEndpoint(training.run.path('endpoint.json'), { until: training.ended });
  const connection = endpoint === null ? null : await attach(training.run, 0);
  if (connection !== null) return { run: training.run, connection, training, root };
  const { manifest } = await training.ended;
  throw new BasinError(
    'no-steps',
    manifest.stateReason ?? 'The script ended before its first training step.',
    'Its output is in the debug console.',
  );
}

/**
 * Finds the living process of a run.
 * @throws BasinError `not-found`, `process-ended` for a run that is over
 */
export async function attachTo(configuration: AttachConfiguration): Promise<Launched> {
  const root = path.resolve(configuration.root ?? findRoot(process.cwd()));
  const run = await new RunStore(root).open(configuration.run ?? 'last');
  const manifest = await run.readManifest();
  const connection = isUnfinished(manifest.state) ? await attach(run, 0) : null;
  if (connection === null) {
    throw new BasinError(
      'process-ended',
      `Run ${run.id} is ${manifest.state}: no process of it is left to attach to.`,
      'Its lenses answer from a process that is started again for questions; to train it anew, launch its script.',
    );
  }
  return { run, connection, training: null, root };
}

function follow(stream: Readable | null, tell: (text: string) => void): void {
  stream?.setEncoding('utf8').on('data', tell);
}
