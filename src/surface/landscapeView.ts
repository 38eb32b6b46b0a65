/** The Landscape view in the side bar: the live contour with the trajectory so far, loss and λ₁. */
import * as vscode from 'vscode';
import type { JobProgress } from '../protocol/engine.ts';
import { isCancelled, toErrorData, type ErrorData } from '../protocol/errors.ts';
import type { LandscapeView as LandscapeContent } from '../protocol/page.ts';
import type { ContourResult } from '../protocol/results.ts';
import type { LiveSharpness, RunManifest, StepRecord } from '../protocol/run.ts';
import { followRun, type RunChange } from '../runs/follow.ts';
import { thinSteps } from '../runs/runView.ts';
import type { ChosenObjectives } from './chosenObjectives.ts';
import { setting } from './configuration.ts';
import { DisposableStore } from './disposables.ts';
import type { ErrorDisplay } from './errorDisplay.ts';
import type { Jobs } from './jobs.ts';
import { LiveContourBudget } from './liveContour.ts';
import { PageHost } from './pageHost.ts';
import type { Relaunch } from './relaunch.ts';
import type { KnownRun, WorkspaceRuns } from './workspaceRuns.ts';

/** Points along each axis while a run trains, and once it is done. */
const LIVE_SIZE = 15;
const FINAL_SIZE = 25;
const POINTS_DRAWN = 600;
const DELTA_MS = 250;

export class LandscapeProvider implements vscode.WebviewViewProvider, vscode.Disposable {
  readonly #store = new DisposableStore();
  #view: Landscape | null = null;
  /** A run chosen in the tree; the newest one otherwise, and again as soon as another begins. */
  #chosen: string | null = null;
  #newest: string | null = null;

  constructor(
    private readonly extension: vscode.Uri,
    private readonly runs: WorkspaceRuns,
    private readonly jobs: Jobs,
    private readonly relaunch: Relaunch,
    private readonly objectives: ChosenObjectives,
    private readonly errors: ErrorDisplay,
  ) {
    this.#store.add(runs.onDidChangeList(() => this.#choose()));
  }

  resolveWebviewView(view: vscode.WebviewView): void {
    const landscape = new Landscape(
      view,
      this.extension,
      this.jobs,
      this.relaunch,
      this.objectives,
      this.runs,
      this.errors,
    );
    this.#view = landscape;
    view.onDidDispose(() => {
      landscape.dispose();
      if (this.#view === landscape) this.#view = null;
    });
    this.#choose();
  }

  /** Shows this run until another begins. */
  show(run: KnownRun): void {
    this.#chosen = run.run.directory;
    this.#choose();
  }

  #choose(): void {
    const newest = this.runs.all.find((r) => r.manifest !== null) ?? null;
    if (newest?.run.directory !== this.#newest) this.#chosen = null;
    this.#newest = newest?.run.directory ?? null;
    const chosen = this.#chosen === null ? newest : (this.runs.find(this.#chosen) ?? newest);
    this.#view?.show(chosen);
  }

  dispose(): void {
    this.#view?.dispose();
    this.#store.dispose();
  }
}

class Landscape implements vscode.Disposable {
  readonly #host: PageHost;
  readonly #subscriptions = new DisposableStore();
  #directory: string | null = null;
  #known: KnownRun | null = null;
  #followed: vscode.Disposable | null = null;
  #ready = false;
  #disposed = false;

  #manifest: RunManifest | null = null;
  #steps: StepRecord[] = [];
  #live: LiveSharpness[] = [];
  #contour: ContourResult | null = null;
  #progress: JobProgress | null = null;
  #error: ErrorData | null = null;
  #budget = new LiveContourBudget();
  #asking: AbortController | null = null;
  /** A run that was seen training gets one better contour at its end; a glance at an old run starts nothing. */
  #finalDue = false;
  /** Of a run that stands in the debugger, the step whose weights were asked about, and the picture of them. */
  #stood: { readonly step: number; readonly notes: number } | null = null;

  constructor(
    private readonly view: vscode.WebviewView,
    extension: vscode.Uri,
    private readonly jobs: Jobs,
    private readonly relaunch: Relaunch,
    private readonly objectives: ChosenObjectives,
    runs: WorkspaceRuns,
    private readonly errors: ErrorDisplay,
  ) {
    this.#host = this.#subscriptions.add(
      new PageHost(
        view.webview,
        extension,
        {
          page: 'landscape',
          title: vscode.l10n.t('Landscape'),
          run: () => (this.#directory === null ? null : (runs.find(this.#directory) ?? null)),
          choose: (objective) => {
            if (this.#directory !== null) objectives.choose(this.#directory, objective);
          },
          ready: () => {
            this.#ready = true;
            this.#visibilityChanged();
          },
        },
        jobs,
      ),
    );
    this.#subscriptions.add(view.onDidChangeVisibility(() => this.#visibilityChanged()));
    this.#subscriptions.add(
      objectives.onDidChoose((directory) => {
        if (directory === this.#directory) this.#begin();
      }),
    );
  }

  get #objective(): number {
    const chosen = this.#directory === null ? 0 : this.objectives.of(this.#directory);
    return chosen < (this.#manifest?.objectives.length ?? 0) ? chosen : 0;
  }

  show(run: KnownRun | null): void {
    const directory = run?.run.directory ?? null;
    this.#known = run;
    if (directory === this.#directory) return;
    this.#directory = directory;
    this.#begin();
  }

  /** With nothing of what was shown before: another run, or another of its objectives. */
  #begin(): void {
    this.#unfollow();
    this.#asking = null;
    this.#manifest = this.#known?.manifest ?? null;
    this.#steps = [];
    this.#live = [];
    this.#contour = null;
    this.#error = null;
    this.#progress = null;
    this.#budget = new LiveContourBudget();
    this.#finalDue = false;
    this.#stood = null;
    this.#visibilityChanged();
  }

  #visibilityChanged(): void {
    if (!this.view.visible || !this.#ready) {
      // Nothing is collected for a view that nobody sees.
      this.#unfollow();
      return;
    }
    const known = this.#known;
    this.#followed?.dispose();
    this.#followed = null;
    if (known === null) this.#showWhole();
    else
      this.#followed = followRun(known.run, (change) => void this.#hear(known, change), {
        throttle: DELTA_MS,
      });
  }

  #unfollow(): void {
    this.#asking?.abort();
    this.#followed?.dispose();
    this.#followed = null;
  }

  async #hear(known: KnownRun, change: RunChange): Promise<void> {
    if (change.fresh) {
      this.#steps = [];
      this.#live = [];
    }
    const steps = change.steps.filter((one) => one.objective === this.#objective);
    const live = change.live.filter((one) => one.objective === this.#objective);
    for (const one of steps) this.#steps.push(one);
    for (const one of live) this.#live.push(one);
    const state = this.#manifest?.state;
    this.#manifest = change.manifest ?? this.#manifest;
    // What stands in place of a picture goes by the state.
    const turned = this.#manifest?.state !== state;
    if (this.#manifest?.state !== 'paused') {
      // Training is not held up by a picture of where it stood.
      if (this.#stood !== null) this.#asking?.abort();
      this.#stood = null;
    }
    if (change.contents) {
      const name = this.#manifest?.objectives[this.#objective]?.name;
      const kept = (await known.run.analyses()).find((r) => r.kind === 'contour' && r.objective === name);
      if (this.#directory !== known.run.directory || this.#disposed) return;
      // A picture that is being refined here is newer than what is on disk.
      if (kept?.kind === 'contour' && this.#asking === null) this.#contour = kept;
    }
    if (change.fresh || change.contents || turned || change.manifest === null) this.#showWhole();
    else this.#host.wire.notify('addSteps', { steps, live, run: change.manifest });
    await this.#askWhenDue(known);
  }

  async #askWhenDue(known: KnownRun): Promise<void> {
    const manifest = this.#manifest;
    if (manifest === null || this.#asking !== null || !setting('liveContour', known.folder.uri)) return;
    if (!vscode.workspace.isTrusted) return;
    const training = manifest.state === 'training';
    const standing = manifest.state === 'paused';
    const snapshots = manifest.recording.snapshots;
    if (standing) {
      this.#finalDue = true;
      // Weights that were put back are other weights at the same step; the run notes each time.
      const stood = { step: this.#steps.at(-1)?.step ?? 0, notes: manifest.recording.notes.length };
      if (stood.step === this.#stood?.step && stood.notes === this.#stood.notes) return;
      this.#stood = stood;
    } else if (training) {
      this.#finalDue = true;
      const seconds = this.#steps.at(-1)?.time ?? 0;
      if (!this.#budget.due({ snapshots, seconds, sharpness: this.#live.length > 0 })) return;
      this.#budget.asked(snapshots);
    } else {
      const ended = manifest.state === 'held' || manifest.state === 'finished';
      const job = this.#job(known, FINAL_SIZE, false);
      if (!this.#finalDue || !ended || !this.relaunch.isAllowed({ ...known, manifest }, job)) return;
      this.#finalDue = false;
    }
    const asking = new AbortController();
    this.#asking = asking;
    const started = performance.now();
    const objective = this.#objective;
    const current = (): boolean =>
      this.#asking === asking && this.#directory === known.run.directory && this.#objective === objective;
    try {
      const live = training || standing;
      const job = this.#job(known, live ? LIVE_SIZE : FINAL_SIZE, live);
      const result = await this.jobs.run({ ...known, manifest }, job, {
        quiet: true,
        signal: asking.signal,
        progress: (progress) => {
          if (!current() || training) return;
          this.#progress = progress;
          this.#showWhole();
        },
        partial: (partial) => {
          // Coarser than what is shown already would be a step back.
          if (partial.kind !== 'contour' || !current() || (this.#contour?.complete === true && !standing))
            return;
          this.#contour = partial;
          this.#showWhole();
        },
      });
      if (current() && result.kind === 'contour') this.#contour = result;
      if (current()) this.#error = null;
    } catch (error) {
      // Nobody asked: it is told in place, quietly, unless the run has simply ended meanwhile.
      if (!isCancelled(error)) this.errors.note(error);
      const gone = toErrorData(error).code === 'process-ended';
      if (current() && !isCancelled(error) && !gone) this.#error = toErrorData(error);
    } finally {
      // Nobody trains while it stands.
      if (!standing) this.#budget.spent((performance.now() - started) / 1000);
      if (this.#asking === asking) {
        this.#asking = null;
        this.#progress = null;
        if (!this.#disposed) this.#showWhole();
      }
    }
  }

  #job(known: KnownRun, size: number, live: boolean) {
    const objective = this.#objective === 0 ? {} : { objective: this.#objective };
    return { kind: 'contour', run: known.id, plane: 'pca', size, live, ...objective } as const;
  }

  #showWhole(): void {
    if (!this.#ready || !this.view.visible || this.#disposed) return;
    const name = this.#manifest?.name ?? '';
    this.view.description =
      this.#stood === null
        ? name
        : vscode.l10n.t(
            '{0} · the weights that stand, step {1}',
            name,
            this.#contour?.at ?? this.#stood.step,
          );
    this.#host.wire.notify('showLandscape', this.#content());
  }

  #content(): LandscapeContent {
    return {
      run: this.#manifest,
      objective: this.#objective,
      steps: thinSteps(this.#steps, POINTS_DRAWN),
      live: this.#live,
      contour: this.#contour,
      message: this.#message(),
      progress: this.#progress,
      error: this.#error,
    };
  }

  /** In place of a picture, or below a coarse one that nobody refines any more: what is missing, and what brings it. */
  #message(): string | null {
    const manifest = this.#manifest;
    if (this.#contour?.complete === true || (this.#contour !== null && this.#asking !== null)) return null;
    if (this.#contour !== null) {
      // A short training ends within its first picture, which is all there is of it without a question to the script.
      return manifest?.state === 'training'
        ? null
        : vscode.l10n.t(
            'Coarse: training ended before this picture was refined. Basin: Show Loss Contour computes all of it.',
          );
    }
    if (manifest === null) {
      return vscode.l10n.t(
        'No run yet. Train a script under Basin, and its landscape appears here while it learns.',
      );
    }
    switch (manifest.state) {
      case 'starting':
        return vscode.l10n.t('Waiting for the first training step.');
      case 'training':
        return setting('liveContour', this.#known?.folder.uri)
          ? vscode.l10n.t('The contour appears after a few snapshots.')
          : vscode.l10n.t('Live contours are off (setting basin.liveContour).');
      case 'no-training':
      case 'failed':
        return manifest.stateReason ?? vscode.l10n.t('The script ended without a training step.');
      case 'paused':
      case 'held':
      case 'finished':
      case 'interrupted':
        return manifest.recording.steps === 0
          ? (manifest.stateReason ?? vscode.l10n.t('The script ended without a training step.'))
          : vscode.l10n.t('No contour of this run yet. Basin: Show Loss Contour computes one.');
    }
  }

  dispose(): void {
    this.#disposed = true;
    this.#unfollow();
    this.#subscriptions.dispose();
  }
}
