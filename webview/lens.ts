/** What the panel's lenses have in common. */
import type { AnalysisResult } from '../src/protocol/analyses.ts';
import type { Job } from '../src/protocol/engine.ts';
import type { ErrorData } from '../src/protocol/errors.ts';
import type { StepColumns } from '../src/protocol/page.ts';
import { button, progressRing } from './controls.ts';
import { fill, h, setText } from './dom.ts';
import type { SaveFile } from './exporting.ts';
import type { PanelState, RunningJob } from './panelState.ts';
import { strings } from './strings.ts';

/** What a lens may ask of the panel. */
export interface PanelActions {
  /** Starts a job for the run that is shown. */
  start(job: Job): void;
  cancel(number: number): void;
  command(command: string, argument?: string): void;
  readonly save: SaveFile;
  /** All steps of the run that is shown. */
  readSteps(): Promise<StepColumns>;
  /** Settings of a lens that outlive the page. */
  recall(key: string): string | undefined;
  remember(key: string, value: string): void;
}

export interface Lens {
  readonly element: HTMLElement;
  update(state: PanelState): void;
  /** Brings one of the kept results to the front, where the lens shows one at a time. */
  show?(result: AnalysisResult): void;
}

/** Progress of jobs of some kinds with a button that cancels, or what the last one failed with and its cure. */
export class JobStatus {
  readonly element = h('div', { class: 'job', hidden: true });
  private readonly message = h('span', { class: 'job-message' });
  private readonly bar = h('progress', { max: 1, 'aria-label': strings.progress });
  private readonly stop: HTMLElement & { disabled: boolean };
  private readonly progress: HTMLElement;
  private shown: RunningJob | null = null;
  private shownError: ErrorData | null = null;
  /** Whether the latest job of a kind was the lens's own. */
  private readonly asked = new Map<Job['kind'], boolean>();

  constructor(
    private readonly kinds: readonly Job['kind'][],
    actions: PanelActions,
    /** Whether a job of these kinds is one of the lens: another lens may ask for the same kind. */
    private readonly own: (job: Job) => boolean = () => true,
  ) {
    this.stop = button(strings.cancel, () => {
      if (this.shown !== null) actions.cancel(this.shown.number);
    });
    this.progress = h('div', { class: 'job-row' }, progressRing(), this.message, this.bar, this.stop);
  }

  update(state: PanelState): void {
    const running = state.running.find(({ job }) => this.kinds.includes(job.kind) && this.own(job)) ?? null;
    // A failure is told by kind: one of a kind that another lens asked for last is not this one's.
    for (const { job } of state.running)
      if (this.kinds.includes(job.kind)) this.asked.set(job.kind, this.own(job));
    const error =
      this.kinds
        .filter((kind) => this.asked.get(kind) ?? true)
        .map((kind) => state.failures.get(kind))
        .find(Boolean) ?? null;
    this.element.hidden = running === null && error === null;
    if (running !== null) {
      if (this.shown === null) fill(this.element, this.progress);
      setText(this.message, running.cancelling ? strings.cancelling : running.progress.message);
      this.stop.disabled = running.cancelling;
      if (running.progress.fraction === null) this.bar.removeAttribute('value');
      else this.bar.value = running.progress.fraction;
    } else if (error !== this.shownError || this.shown !== null) {
      fill(this.element, error === null ? null : errorElement(error));
    }
    this.shown = running;
    this.shownError = running === null ? error : null;
  }
}

/** An error where it happened: what, and what mends it. */
export function errorElement({ message, cure }: Pick<ErrorData, 'message' | 'cure'>): HTMLElement {
  return h(
    'div',
    { class: 'error', role: 'alert' },
    h('strong', {}, message),
    cure === undefined ? null : h('span', {}, cure),
  );
}

/** In place of a picture: what is missing and what to do. */
export function emptyElement(title: string, text: string, action: HTMLElement | null): HTMLElement {
  return h('div', { class: 'empty' }, h('h2', {}, title), h('p', {}, text), action);
}

/** Choices for a model: first and last snapshot, those between, then what was built. */
export function modelChoices(
  snapshots: readonly number[],
  models: readonly { id: string; name: string; kind: string }[],
): { value: string; label: string }[] {
  const last = snapshots.at(-1);
  return [
    ...[...snapshots].reverse().map((step) => ({
      value: String(step),
      label: step === last ? `${strings.snapshot(step)} (${strings.last})` : strings.snapshot(step),
    })),
    // An ensemble is no point in weight space.
    ...models.filter(({ kind }) => kind !== 'ensemble').map(({ id, name }) => ({ value: id, label: name })),
  ];
}

/** A model reference as jobs have it: a number for a snapshot, the id of a built model otherwise. */
export function reference(value: string): number | string {
  return /^\d+$/.test(value) ? Number(value) : value;
}
