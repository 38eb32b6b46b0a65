/** The runs of a workspace folder: `.basin/runs/`. */
import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { BasinError, toErrorData, type ErrorData } from '../protocol/errors.ts';
import { RUN_FORMAT, type RunManifest } from '../protocol/run.ts';
import { isMissing, makeDirectory } from './files.ts';
import { startTimeOf } from './processes.ts';
import { Run } from './run.ts';
import { newRunId } from './runId.ts';

export interface RunEntry {
  readonly id: string;
  readonly run: Run;
  /** null when run.json cannot be read; then `error` says why. */
  readonly manifest: RunManifest | null;
  readonly error: ErrorData | null;
  /** The user compares others with it. */
  readonly baseline: boolean;
}

export interface NewRun {
  readonly command: readonly string[];
  readonly cwd: string;
  /** Variables that a relaunch of the command needs. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly name?: string;
  /** Snapshot stride asked for; null or absent for the automatic choice. */
  readonly every?: number | null;
  readonly script?: string | null;
  readonly gitCommit?: string | null;
  readonly versions?: Readonly<Record<string, string>>;
  /** Share of the training's time that measuring beside it may take. */
  readonly liveBudget?: number;
  readonly parent?: RunManifest['parent'];
}

/** What the name of a run's directory begins with until its manifest stands in it. */
const HIDDEN = '.';

export class RunStore {
  /** @param root the workspace folder; `.basin/` is made in it when the first run is */
  constructor(readonly root: string) {}

  /** The store that a run lies in. */
  static beside(run: Run): RunStore {
    return new RunStore(path.resolve(run.directory, '..', '..', '..'));
  }

  get directory(): string {
    return path.join(this.root, '.basin', 'runs');
  }

  /** Makes a run directory in state `starting`, owned by this process until a training process claims it. */
  async create(options: NewRun): Promise<Run> {
    const basin = path.join(this.root, '.basin');
    await makeDirectory(this.directory);
    await writeFile(path.join(basin, '.gitignore'), '*\n', { flag: 'wx' }).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    });
    const now = new Date().toISOString();
    return this.#placed((id) => ({
      format: RUN_FORMAT,
      id,
      name: options.name ?? defaultName(options),
      state: 'starting',
      stateReason: null,
      created: now,
      updated: now,
      ended: null,
      command: [...options.command],
      cwd: path.resolve(options.cwd),
      ...(options.environment === undefined ? {} : { environment: { ...options.environment } }),
      script: options.script ?? null,
      versions: { ...options.versions },
      gitCommit: options.gitCommit ?? null,
      ...(options.parent === undefined ? {} : { parent: options.parent }),
      framework: null,
      backend: null,
      process: { pid: process.pid, startTime: startTimeOf(process.pid), exitCode: null },
      objectives: [],
      recording: {
        snapshotEvery: options.every ?? 1,
        weightsEvery: 1,
        ...(options.liveBudget === undefined ? {} : { liveBudget: options.liveBudget }),
        requestedEvery: options.every ?? null,
        steps: 0,
        snapshots: 0,
        notes: [],
      },
      evaluationSet: null,
    }));
  }

  /** Puts a run's directory in place with its manifest in it, so that nobody who lists runs meets one without. */
  async #placed(manifestOf: (id: string) => RunManifest): Promise<Run> {
    for (;;) {
      const id = newRunId();
      const directory = path.join(this.directory, id);
      const unfinished = new Run(path.join(this.directory, `${HIDDEN}${id}`));
      try {
        await unfinished.writeManifest(manifestOf(id));
        await rename(unfinished.directory, directory);
        return new Run(directory);
      } catch (error) {
        await rm(unfinished.directory, { recursive: true, force: true });
        // Somebody else has the same id: the same millisecond and the same four characters.
        if (!['EEXIST', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      }
    }
  }

  /** Every run, newest first. A run that cannot be read is listed with its error; nothing makes this throw. */
  async list(): Promise<readonly RunEntry[]> {
    const entries: RunEntry[] = [];
    for (const id of await this.#ids()) {
      const run = new Run(path.join(this.directory, id));
      try {
        const { manifest, label } = await run.readLabelled();
        const { baseline = false } = label;
        entries.push({ id, run, manifest, error: null, baseline });
      } catch (error) {
        entries.push({ id, run, manifest: null, error: toErrorData(error), baseline: false });
      }
    }
    return entries;
  }

  /**
   * Makes a run the one that others are compared with, in place of the one that was; null for none.
   * @throws BasinError as {@link open} does
   */
  async setBaseline(reference: string | null): Promise<Run | null> {
    const chosen = reference === null ? null : await this.open(reference);
    for (const { run, baseline } of await this.list()) {
      if (baseline && run.id !== chosen?.id) await run.markBaseline(false);
    }
    await chosen?.markBaseline(true);
    return chosen;
  }

  /**
   * @param reference an id, a unique prefix of one, or `last` (the newest)
   * @throws BasinError `not-found` when nothing matches, `bad-input` when several do
   */
  async open(reference: string): Promise<Run> {
    const ids = await this.#ids();
    const [newest] = ids;
    if (newest === undefined) {
      throw new BasinError(
        'not-found',
        `There are no runs in ${this.root}.`,
        'Record one with `basin train -- node train.mjs`, or name another workspace with --root.',
      );
    }
    if (reference === 'last') return new Run(path.join(this.directory, newest));
    const matches = ids.includes(reference) ? [reference] : ids.filter((id) => id.startsWith(reference));
    const [match] = reference === '' ? [] : matches;
    if (match === undefined) {
      throw new BasinError('not-found', `No run has the id ${reference}.`, '`basin runs` lists them.');
    }
    if (matches.length > 1) {
      throw new BasinError(
        'bad-input',
        `${reference} stands for ${matches.length} runs: ${matches.slice(0, 5).join(', ')}${matches.length > 5 ? ', …' : ''}.`,
        'Give more of the id.',
      );
    }
    return new Run(path.join(this.directory, match));
  }

  /** Newest first. */
  async #ids(): Promise<string[]> {
    try {
      const entries = await readdir(this.directory, { withFileTypes: true });
      return entries
        .filter((e) => e.isDirectory() && !e.name.startsWith(HIDDEN))
        .map((e) => e.name)
        .sort()
        .reverse();
    } catch (error) {
      if (isMissing(error)) return [];
      throw new BasinError('corrupt-run', `${this.directory} cannot be read: ${(error as Error).message}.`);
    }
  }
}

/** The nearest folder from `from` upwards that holds `.basin`; `from` itself when none does. */
export function findRoot(from: string): string {
  for (let folder = path.resolve(from); ; folder = path.dirname(folder)) {
    if (isDirectory(path.join(folder, '.basin'))) return folder;
    if (folder === path.dirname(folder)) return path.resolve(from);
  }
}

function isDirectory(file: string): boolean {
  return existsSync(file) && statSync(file).isDirectory();
}

function defaultName(options: NewRun): string {
  return options.script != null
    ? path.basename(options.script)
    : options.command.map((c) => path.basename(c)).join(' ');
}
