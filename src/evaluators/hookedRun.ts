/**
 * Runs of a hooked shell, where training is started without a launcher: the process that loads a framework asks for a
 * run, and a process of Basin's own, which nobody waits for, sees that run to its end.
 */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CLAIM_FILE, type ProbeOptionsInput } from '../protocol/launch.ts';
import { isUnfinished } from '../protocol/run.ts';
import { exists } from '../runs/files.ts';
import { isAlive, startTimeOf, type ProcessIdentity } from '../runs/processes.ts';
import type { Run } from '../runs/run.ts';
import type { RunStore } from '../runs/runStore.ts';
import { withoutHook } from './probeEnvironment.ts';
import type { Probes } from './probes.ts';
import { makePrivateFolder } from './socketFolder.ts';
import { createRun, recordingOptions } from './training.ts';

export interface AskingProcess {
  readonly pid: number;
  /** Its whole command line. */
  readonly command: readonly string[];
  readonly cwd: string;
  /** As the hooked shell has it. */
  readonly environment: NodeJS.ProcessEnv;
}

export interface Adopted {
  readonly run: Run;
  readonly owner: ProcessIdentity;
  /** What the asking process's probe is to do. */
  readonly options: ProbeOptionsInput;
}

/** Makes the run of a process that is about to train, and that owns it from now on. */
export async function adopt(
  asking: AskingProcess,
  {
    store,
    probes,
    version,
    every,
    liveBudget,
    holdSeconds = 0,
  }: {
    readonly store: RunStore;
    readonly probes: Probes;
    readonly version: string;
    readonly every?: number;
    /** Share of the training's time for measuring beside it. */
    readonly liveBudget?: number;
    readonly holdSeconds?: number;
  },
): Promise<Adopted> {
  const owner = { pid: asking.pid, startTime: startTimeOf(asking.pid) };
  const run = await createRun({
    store,
    command: asking.command,
    cwd: path.resolve(asking.cwd),
    version,
    environment: withoutHook(asking.environment, probes),
    ...(every === undefined ? {} : { every }),
    ...(liveBudget === undefined ? {} : { liveBudget }),
  });
  const manifest = await run.readRecordedManifest();
  await run.writeManifest({ ...manifest, process: { ...owner, exitCode: null } });
  const sockets = await makePrivateFolder();
  const options = recordingOptions(run, sockets.path, {
    holdSeconds,
    ...(every === undefined ? {} : { every }),
  });
  return { run, owner, options };
}

/** Milliseconds between two looks at the process. */
const LOOK = 500;

/**
 * Waits for the end of a hooked run, and of another process that claimed it (a launcher's child).
 * @returns whether anything was trained; a run without a step is removed, since nobody asked for one
 */
export async function seeToItsEnd(
  run: Run,
  owner: ProcessIdentity,
  socketDirectory: string,
): Promise<boolean> {
  while (await lives(run, owner)) await sleep(LOOK);
  await rm(socketDirectory, { recursive: true, force: true });
  if (!(await exists(run.path(CLAIM_FILE)))) {
    await rm(run.directory, { recursive: true, force: true });
    return false;
  }
  const recorded = await run.readRecordedManifest();
  // What the probe wrote at the end stands; a process that had no time for it was interrupted, as readers are told.
  if (isUnfinished(recorded.state)) {
    const now = new Date().toISOString();
    const { state, stateReason } =
      recorded.state === 'held'
        ? ({ state: 'finished', stateReason: null } as const)
        : await run.readManifest();
    await run.writeManifest({ ...recorded, state, stateReason, updated: now, ended: recorded.ended ?? now });
  }
  await rm(run.path('endpoint.json'), { force: true });
  return true;
}

async function lives(run: Run, owner: ProcessIdentity): Promise<boolean> {
  if (isAlive(owner)) return true;
  const claimed = await exists(run.path(CLAIM_FILE));
  const { process: recorded } = await run.readRecordedManifest();
  return claimed && recorded !== null && isAlive(recorded);
}
