/** The panel: an editor tab for each run, restored after a restart. */
import * as vscode from 'vscode';
import type { LensName } from '../protocol/page.ts';
import type { RunManifest } from '../protocol/run.ts';
import type { TrainingEvent } from '../protocol/trainingEvents.ts';
import { followRun } from '../runs/follow.ts';
import { EdgeFinder, nameSpikes } from '../runs/measuredEvents.ts';
import { buildRunView } from '../runs/runView.ts';
import { EventFinder } from '../runs/trainingEvents.ts';
import type { ChosenObjectives } from './chosenObjectives.ts';
import { DisposableStore } from './disposables.ts';
import type { ErrorDisplay } from './errorDisplay.ts';
import { PANEL_TYPE } from './ids.ts';
import type { Jobs } from './jobs.ts';
import { PageHost } from './pageHost.ts';
import type { KnownRun, WorkspaceRuns } from './workspaceRuns.ts';

/** Steps and λ₁ reach a visible page at most this often, in ms. */
const DELTA_MS = 250;

class RunPanel implements vscode.Disposable {
  readonly #store = new DisposableStore();
  readonly #host: PageHost;
  #followed: vscode.Disposable | null = null;
  #ready = false;
  #dead: readonly TrainingEvent[] = [];
  #lens: { readonly lens: LensName; readonly result?: string } | null = null;
  readonly #directory: string;

  constructor(
    readonly panel: vscode.WebviewPanel,
    extension: vscode.Uri,
    run: KnownRun,
    private readonly runs: WorkspaceRuns,
    jobs: Jobs,
    objectives: ChosenObjectives,
    private readonly errors: ErrorDisplay,
  ) {
    this.#directory = run.run.directory;
    const name = run.manifest?.name ?? run.id;
    panel.title = name;
    panel.iconPath = vscode.Uri.joinPath(extension, 'media', 'icon.png');
    this.#host = this.#store.add(
      new PageHost(
        panel.webview,
        extension,
        {
          page: 'panel',
          title: name,
          run: () => runs.find(this.#directory) ?? null,
          choose: (objective) => objectives.choose(this.#directory, objective),
          ready: () => {
            this.#ready = true;
            this.#follow();
          },
        },
        jobs,
      ),
    );
    this.#store.add(
      panel.onDidChangeViewState(() => {
        if (panel.visible && this.#ready) this.#follow();
        else if (!panel.visible) this.#unfollow();
      }),
    );
    this.#store.add(
      vscode.workspace.onDidSaveTextDocument(({ uri }) => {
        const known = runs.find(this.#directory);
        // What its results say of the script is another thing now.
        if (known?.manifest?.sources?.[uri.fsPath] !== undefined && panel.visible && this.#ready)
          void this.#showWhole(known);
      }),
    );
    this.#store.add(
      runs.onDidChangeList(() => {
        // It was known when the panel was made: it has been deleted, or its folder was closed.
        if (runs.find(this.#directory) === undefined) panel.dispose();
      }),
    );
  }

  /** @param result one of the kept results, to be shown in the lens */
  reveal(lens: LensName | undefined, result?: string): void {
    this.#lens = lens === undefined ? null : { lens, ...(result === undefined ? {} : { result }) };
    this.panel.reveal();
    if (this.#ready) this.#showLens();
  }

  #showLens(): void {
    if (this.#lens === null) return;
    this.#host.wire.notify('showLens', this.#lens);
    this.#lens = null;
  }

  /** The whole at first, then what is added, until the panel hides: a hidden page hears nothing. */
  #follow(): void {
    this.#unfollow();
    const known = this.runs.find(this.#directory);
    if (known === undefined) return;
    let seen = new EventFinder();
    let edges = new EdgeFinder();
    let told = 0;
    this.#followed = followRun(
      known.run,
      (change) => {
        if (change.fresh) {
          seen = new EventFinder();
          edges = new EdgeFinder();
        }
        for (const step of change.steps) seen.next(step);
        for (const one of change.live) edges.next(one);
        const events = [...seen.events, ...edges.events].sort((a, b) => a.step - b.step);
        const more = events.length > told;
        told = events.length;
        if (change.fresh || change.contents) void this.#showWhole(known);
        else if (change.manifest !== null) {
          this.#host.wire.notify('addSteps', {
            steps: change.steps,
            live: change.live,
            run: change.manifest,
          });
          if (more) void this.#showEvents(known, change.manifest, events);
        }
      },
      { throttle: DELTA_MS },
    );
  }

  /** Dead units come with the whole, which new snapshots bring; the layers of spikes from what is recorded by now. */
  async #showEvents(
    { run }: KnownRun,
    manifest: RunManifest,
    found: readonly TrainingEvent[],
  ): Promise<void> {
    const named = await nameSpikes(run, manifest, found);
    const events = [...named, ...this.#dead].sort((a, b) => a.step - b.step);
    this.#host.wire.notify('addSteps', { steps: [], live: [], run: manifest, events });
  }

  async #showWhole({ run }: KnownRun): Promise<void> {
    try {
      const view = await buildRunView(run);
      this.#dead = view.events?.filter(({ kind }) => kind === 'dead-units') ?? [];
      this.#host.wire.notify('showRun', view);
      this.#showLens();
    } catch (error) {
      this.errors.note(error);
    }
  }

  #unfollow(): void {
    this.#followed?.dispose();
    this.#followed = null;
  }

  dispose(): void {
    this.#unfollow();
    this.#store.dispose();
  }
}

export class RunPanels implements vscode.WebviewPanelSerializer, vscode.Disposable {
  readonly #panels = new Map</* run directory */ string, RunPanel>();

  constructor(
    private readonly extension: vscode.Uri,
    private readonly runs: WorkspaceRuns,
    private readonly jobs: Jobs,
    private readonly objectives: ChosenObjectives,
    private readonly errors: ErrorDisplay,
  ) {}

  /** Opens a run's panel, or brings it to the front, with a lens in front when one is named, and in it a kept result. */
  open(run: KnownRun, lens?: LensName, result?: string): void {
    const existing = this.#panels.get(run.run.directory);
    const panel =
      existing ??
      this.#adopt(
        vscode.window.createWebviewPanel(PANEL_TYPE, run.manifest?.name ?? run.id, {
          viewColumn: vscode.ViewColumn.Active,
        }),
        run,
      );
    panel.reveal(lens, result);
  }

  /** Whether the run's panel can be seen, so that errors show in it. */
  isVisible(run: KnownRun): boolean {
    return this.#panels.get(run.run.directory)?.panel.visible ?? false;
  }

  #adopt(panel: vscode.WebviewPanel, run: KnownRun): RunPanel {
    const { directory } = run.run;
    const adopted = new RunPanel(
      panel,
      this.extension,
      run,
      this.runs,
      this.jobs,
      this.objectives,
      this.errors,
    );
    this.#panels.set(directory, adopted);
    panel.onDidDispose(() => {
      this.#panels.delete(directory);
      adopted.dispose();
    });
    return adopted;
  }

  /** @param state what the page kept: the run's id */
  async deserializeWebviewPanel(panel: vscode.WebviewPanel, state: unknown): Promise<void> {
    const id = (state as { run?: unknown } | null | undefined)?.run;
    await this.runs.refresh();
    const run = typeof id === 'string' ? this.runs.find(id) : undefined;
    // The run was deleted, or its folder is gone: an empty tab would only be in the way.
    if (run === undefined || this.#panels.has(run.run.directory)) panel.dispose();
    else this.#adopt(panel, run);
  }

  dispose(): void {
    for (const { panel } of this.#panels.values()) panel.dispose();
  }
}
