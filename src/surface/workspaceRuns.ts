/** The runs of all workspace folders, kept fresh while anyone writes them: this window, a terminal, the CLI. */
import * as vscode from 'vscode';
import type { ErrorData } from '../protocol/errors.ts';
import { isUnfinished, type LiveSharpness, type RunManifest, type StepRecord } from '../protocol/run.ts';
import { followRun, followRuns, type RunChange } from '../runs/follow.ts';
import type { Run } from '../runs/run.ts';
import { RunStore } from '../runs/runStore.ts';
import { CountedEvent } from './countedEvent.ts';
import { DisposableStore } from './disposables.ts';
import { contextKeys } from './ids.ts';

export interface KnownRun {
  readonly id: string;
  readonly run: Run;
  readonly folder: vscode.WorkspaceFolder;
  /** null when run.json cannot be read; then `error` says why. */
  readonly manifest: RunManifest | null;
  readonly error: ErrorData | null;
  /** The user compares others with it. */
  readonly baseline: boolean;
  /** The newest step, and λ₁ as measured while it trained; empty until they have been read. */
  readonly lastStep: StepRecord | null;
  readonly live: readonly LiveSharpness[];
}

/** Whether some process is still going to write the run. */
export function isActive(run: KnownRun): boolean {
  const state = run.manifest?.state;
  return state !== undefined && isUnfinished(state);
}

interface Tail {
  readonly lastStep: StepRecord | null;
  readonly live: readonly LiveSharpness[];
}

/** One workspace folder's share. */
class FolderRuns implements vscode.Disposable {
  readonly #store: RunStore;
  readonly #followed: vscode.Disposable;
  readonly #active = new Map</* run id */ string, vscode.Disposable>();
  readonly #tails = new Map</* run id */ string, Tail>();
  #disposed = false;
  #runs: readonly KnownRun[] = [];

  constructor(
    readonly folder: vscode.WorkspaceFolder,
    private readonly changed: (run: KnownRun | null) => void,
  ) {
    this.#store = new RunStore(folder.uri.fsPath);
    this.#followed = followRuns(this.#store, () => void this.refresh());
  }

  get runs(): readonly KnownRun[] {
    return this.#runs;
  }

  async refresh(): Promise<void> {
    const entries = await this.#store.list();
    if (this.#disposed) return;
    this.#runs = entries.map((entry) => ({
      ...entry,
      folder: this.folder,
      ...(this.#tails.get(entry.id) ?? { lastStep: null, live: [] }),
    }));
    const present = new Set(entries.map((e) => e.id));
    for (const [id, followed] of this.#active) {
      if (present.has(id) && this.#runs.some((r) => r.id === id && isActive(r))) continue;
      followed.dispose();
      this.#active.delete(id);
    }
    for (const known of this.#runs) {
      if (isActive(known) && !this.#active.has(known.id)) {
        this.#active.set(
          known.id,
          followRun(known.run, (change) => this.#hear(known.id, change)),
        );
      }
    }
    for (const id of this.#tails.keys()) if (!present.has(id)) this.#tails.delete(id);
    this.changed(null);
    await this.#readTails();
  }

  /** Ended runs are read once, one after the other; the list is shown before. */
  async #readTails(): Promise<void> {
    for (const { id, run, manifest } of this.#runs) {
      if (this.#disposed) return;
      if (manifest === null || this.#active.has(id)) continue;
      const known = this.#tails.get(id);
      if (known !== undefined && (known.lastStep?.step ?? -1) >= manifest.recording.steps - 1) continue;
      const [lastStep, live] = await Promise.all([run.readLastStep(), run.readLive()]).catch(
        () => [null, []] as const,
      );
      this.#tails.set(id, { lastStep, live });
      this.#update(id, {});
    }
  }

  #hear(id: string, change: RunChange): void {
    const before = change.fresh ? undefined : this.#tails.get(id);
    const tail = {
      lastStep: change.steps.at(-1) ?? before?.lastStep ?? null,
      live: [...(before?.live ?? []), ...change.live],
    };
    this.#tails.set(id, tail);
    this.#update(id, change.manifest === null ? {} : { manifest: change.manifest });
  }

  #update(id: string, fields: Partial<KnownRun>): void {
    if (this.#disposed) return;
    const before = this.#runs.find((r) => r.id === id);
    if (before === undefined) return;
    const updated = { ...before, ...this.#tails.get(id), ...fields };
    this.#runs = this.#runs.map((r) => (r.id === id ? updated : r));
    this.changed(updated);
  }

  dispose(): void {
    this.#disposed = true;
    this.#followed.dispose();
    for (const followed of this.#active.values()) followed.dispose();
  }
}

export class WorkspaceRuns implements vscode.Disposable {
  readonly #store = new DisposableStore();
  readonly #folders = new Map</* folder uri */ string, FolderRuns>();
  readonly #listChanged = this.#store.add(new CountedEvent<void>());
  readonly #runChanged = this.#store.add(new CountedEvent<KnownRun>());

  /** Runs came, went, or all changed. */
  readonly onDidChangeList = this.#listChanged.event;
  /** Something of one run changed: its state, newest step, λ₁, snapshots, models or analyses. */
  readonly onDidChangeRun = this.#runChanged.event;

  constructor() {
    this.#store.add(vscode.workspace.onDidChangeWorkspaceFolders(() => this.#watchFolders()));
    this.#watchFolders();
  }

  /** Of all folders, newest first (ids begin with the time). */
  get all(): readonly KnownRun[] {
    return [...this.#folders.values()].flatMap((f) => f.runs).sort((a, b) => b.id.localeCompare(a.id));
  }

  /** How many listen, to both events. */
  get listeners(): number {
    return this.#listChanged.listeners + this.#runChanged.listeners;
  }

  /** By id or directory. */
  find(reference: string): KnownRun | undefined {
    return this.all.find((r) => r.id === reference || r.run.directory === reference);
  }

  async refresh(): Promise<void> {
    await Promise.all([...this.#folders.values()].map((f) => f.refresh()));
  }

  #watchFolders(): void {
    const wanted = (vscode.workspace.workspaceFolders ?? []).filter((f) => f.uri.scheme === 'file');
    const keys = new Set(wanted.map((f) => f.uri.toString()));
    for (const [key, folder] of this.#folders) {
      if (keys.has(key)) continue;
      folder.dispose();
      this.#folders.delete(key);
    }
    for (const folder of wanted) {
      if (this.#folders.has(folder.uri.toString())) continue;
      this.#folders.set(folder.uri.toString(), new FolderRuns(folder, (run) => this.#changed(run)));
    }
    this.#changed(null);
  }

  #changed(run: KnownRun | null): void {
    const all = this.all;
    setContext(contextKeys.hasRuns, all.length > 0);
    const some = (state: RunManifest['state']): boolean => all.some((r) => r.manifest?.state === state);
    setContext(contextKeys.hasHeld, some('held'));
    setContext(contextKeys.hasTraining, some('training'));
    setContext(contextKeys.hasPaused, some('paused'));
    if (run === null) this.#listChanged.fire(undefined);
    else this.#runChanged.fire(run);
  }

  dispose(): void {
    for (const folder of this.#folders.values()) folder.dispose();
    this.#store.dispose();
  }
}

const context = new Map</* key */ string, boolean>();

/** Sets a key for `when` clauses, when its value is another than before. */
export function setContext(key: string, value: boolean): void {
  if (context.get(key) === value) return;
  context.set(key, value);
  void vscode.commands.executeCommand('setContext', key, value);
}
