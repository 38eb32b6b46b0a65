/**
 * Watching runs while they are written, by whomever: file system events where they work, polling where they do not
 * (network folders, containers, exhausted watches). Listeners hear at most once per throttle interval.
 */
import { watch, type FSWatcher } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { LiveSharpness, RunManifest, StepRecord } from '../protocol/run.ts';
import type { Run } from './run.ts';
import type { RunStore } from './runStore.ts';

export interface FollowOptions {
  /** Least time between two calls of the listener, in ms. */
  readonly throttle?: number;
  /** Time between looks when no event comes, in ms. */
  readonly poll?: number;
}

export interface Followed {
  dispose(): void;
}

export interface RunChange {
  /** null while run.json cannot be read. */
  readonly manifest: RunManifest | null;
  /** Records added since the last change, or all when `fresh`. */
  readonly steps: readonly StepRecord[];
  readonly live: readonly LiveSharpness[];
  /** The first change, and one after the file was replaced: forget what was heard before. */
  readonly fresh: boolean;
  /** Something was added to snapshots/, models/ or analyses/. */
  readonly contents: boolean;
}

/** Tells the whole of a run at once, then what is added to it. Nothing is told when nothing changed. */
export function followRun(
  run: Run,
  listener: (change: RunChange) => void,
  options: FollowOptions = {},
): Followed {
  const steps = run.stepsReader();
  const live = run.liveReader();
  let manifestText = '';
  let contentsMark = '';
  let first = true;
  const folders = ['snapshots', 'models', 'analyses'];
  return refreshOn([run.directory, ...folders.map((f) => run.path(f))], options, async (isDisposed) => {
    const manifest = await run.readManifest().catch(() => null);
    const addedSteps = await steps.read();
    const addedLive = await live.read();
    const mark = (await Promise.all(folders.map((f) => modified(run.path(f))))).join();
    const text = JSON.stringify(manifest);
    const contents = mark !== contentsMark;
    const fresh = first || addedSteps.fresh || addedLive.fresh;
    const changed =
      fresh || contents || text !== manifestText || addedSteps.records.length + addedLive.records.length > 0;
    if (isDisposed() || !changed) return;
    // One file replaced means that all is told again: the other's records have to come along.
    const whole = fresh && !first;
    first = false;
    manifestText = text;
    contentsMark = mark;
    listener({
      manifest,
      steps: whole && !addedSteps.fresh ? await run.readSteps() : addedSteps.records,
      live: whole && !addedLive.fresh ? await run.readLive() : addedLive.records,
      fresh,
      contents,
    });
  });
}

/** Calls the listener when a run appears, goes, or changes its state, steps, snapshots, models or results. */
export function followRuns(store: RunStore, listener: () => void, options: FollowOptions = {}): Followed {
  let mark: string | null = null;
  return refreshOn([store.root, store.directory], options, async (isDisposed) => {
    const parts = [];
    for (const { id, run, manifest, error } of await store.list()) {
      const files = [
        'run.json',
        'label.json',
        'steps.jsonl',
        'live.jsonl',
        'snapshots',
        'models',
        'analyses',
      ];
      parts.push(
        id,
        manifest?.state,
        error?.message,
        ...(await Promise.all(files.map((f) => modified(run.path(f))))),
      );
    }
    const now = parts.join();
    if (isDisposed() || now === mark) return;
    mark = now;
    listener();
  });
}

async function modified(file: string): Promise<string> {
  const info = await stat(file).catch(() => null);
  return info === null ? '-' : `${info.mtimeMs}:${info.size}`;
}

function refreshOn(
  folders: readonly string[],
  { throttle = 250, poll = 2000 }: FollowOptions,
  refresh: (isDisposed: () => boolean) => Promise<void>,
): Followed {
  const watchers = new Map</* folder */ string, FSWatcher>();
  let disposed = false;
  let timer: NodeJS.Timeout | null = null;
  let events = 0;
  let last = 0;
  let due = Infinity;

  const watchFolders = (): void => {
    for (const folder of folders) {
      if (watchers.has(folder)) continue;
      try {
        const watcher = watch(folder, { persistent: false }, () => {
          events++;
          const soonest = Math.max(Date.now(), last + throttle);
          if (timer !== null && soonest < due) schedule(soonest - Date.now());
        });
        watcher.on('error', () => {
          watcher.close();
          watchers.delete(folder);
        });
        watchers.set(folder, watcher);
      } catch {
        // Not there yet, or no watches left: polling sees it.
      }
    }
  };
  const schedule = (delay: number): void => {
    if (timer !== null) clearTimeout(timer);
    if (disposed) return;
    due = Date.now() + delay;
    timer = setTimeout(() => {
      timer = null;
      void look();
    }, delay);
    timer.unref();
  };
  const look = async (): Promise<void> => {
    const known = events;
    last = Date.now();
    watchFolders();
    try {
      await refresh(() => disposed);
    } catch {
      // A folder that vanishes under us; the next look tells what is there.
    }
    // What came meanwhile is looked at as soon as it may be, and never later than without it.
    schedule(events > known ? Math.min(poll, Math.max(0, last + throttle - Date.now())) : poll);
  };
  void look();
  return {
    dispose: () => {
      disposed = true;
      if (timer !== null) clearTimeout(timer);
      for (const watcher of watchers.values()) watcher.close();
      watchers.clear();
    },
  };
}
