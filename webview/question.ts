/** A kind of analysis in the panel: its options, a button that asks, progress or failure, and the answers kept so far. */
import type { AnalysisKind, AnalysisJob, AnalysisResult } from '../src/protocol/analyses.ts';
import type { RunView } from '../src/protocol/page.ts';
import { button, dropdown } from './controls.ts';
import { fill, h } from './dom.ts';
import { Figure } from './figure.ts';
import type { FigureSpec } from './figure.ts';
import { formatTime } from './format.ts';
import { emptyElement, JobStatus, modelChoices } from './lens.ts';
import type { Lens, PanelActions } from './lens.ts';
import { Options } from './options.ts';
import type { OptionSpecs, Values } from './options.ts';
import { resultsOf, runningOf } from './panelState.ts';
import type { PanelState } from './panelState.ts';
import { strings } from './strings.ts';

export type ResultOf<K extends AnalysisKind> = Extract<AnalysisResult, { kind: K }>;
export type JobOf<K extends AnalysisKind> = Extract<AnalysisJob, { kind: K }>;

export interface QuestionSpec<K extends AnalysisKind> extends FigureSpec<ResultOf<K>> {
  readonly kind: K;
  /** Above it, where a lens asks several. */
  readonly title: string;
  readonly options: OptionSpecs;
  /** On the button that asks. */
  readonly ask: string;
  readonly job: (values: Values) => Omit<JobOf<K>, 'kind' | 'run'>;
  /** In place of a picture. */
  readonly empty: { readonly title: string; readonly text: string };
  /** What tells a result from others of its kind, in a few words. */
  readonly name: (result: ResultOf<K>) => string;
  /** Told of the run as it stands, for pictures that draw more than the result alone. */
  readonly look?: (view: RunView) => void;
}

export class Question<K extends AnalysisKind> implements Lens {
  readonly element: HTMLElement;
  readonly kind: K;
  private readonly figure: Figure<ResultOf<K>>;
  private readonly options: Options;
  private readonly status: JobStatus;
  private readonly ask;
  private readonly kept;
  private readonly empty = h('div', {});
  private state: PanelState | null = null;
  private chosen: string | null = null;
  private newest: string | null = null;
  private described = '';

  constructor(
    private readonly spec: QuestionSpec<K>,
    private readonly actions: PanelActions,
    { titled = false, onShow }: { titled?: boolean; onShow?: (result: ResultOf<K>) => void } = {},
  ) {
    this.kind = spec.kind;
    this.onShow = onShow;
    const key = `options ${spec.kind}`;
    this.options = new Options(spec.options, recalled(actions.recall(key)), (values) =>
      actions.remember(key, JSON.stringify(values)),
    );
    this.figure = new Figure(spec, actions.save, titled ? 'h3' : 'h2');
    this.status = new JobStatus([spec.kind], actions);
    this.ask = button(spec.ask, () => this.start(), 'primary');
    this.kept = dropdown(strings.keptLabel, [], '', (id) => {
      this.chosen = id;
      this.redraw();
    });
    const title = titled ? h('h2', { id: `question-${spec.kind}` }, spec.title) : null;
    this.element = h(
      'section',
      { class: 'lens question', ...(titled ? { 'aria-labelledby': `question-${spec.kind}` } : {}) },
      title,
      h(
        'div',
        { class: 'toolbar' },
        this.options.element,
        this.ask,
        h('span', { class: 'spring' }),
        this.kept.element,
      ),
      this.status.element,
      this.empty,
      this.figure.element,
    );
  }
  private readonly onShow: ((result: ResultOf<K>) => void) | undefined;

  update(state: PanelState): void {
    this.state = state;
    this.status.update(state);
    const { view } = state;
    if (view === null) return;
    this.spec.look?.(view);
    this.options.setModels(modelChoices(view.snapshots, view.models), String(view.snapshots.at(-1) ?? ''));
    this.ask.disabled = runningOf(state, [this.kind]) !== null || view.snapshots.length === 0;
    this.redraw();
  }

  show({ id }: AnalysisResult): void {
    this.chosen = id;
    this.redraw();
  }

  /** Draws again what is shown. */
  refresh(): void {
    this.figure.redraw();
  }

  private start(): void {
    const run = this.state?.view?.run.id;
    if (run === undefined) return;
    this.actions.start({
      ...this.spec.job(this.options.values),
      kind: this.kind,
      run,
    } as unknown as JobOf<K>);
  }

  private redraw(): void {
    if (!this.state?.view) return;
    const { view } = this.state;
    const results = resultsOf(view, this.kind) as ResultOf<K>[];
    const newest = results[0]?.id ?? null;
    // What has just been answered comes to the front.
    if (newest !== this.newest && this.newest !== null) this.chosen = newest;
    this.newest = newest;
    const result = results.find(({ id }) => id === this.chosen) ?? results[0] ?? null;
    this.kept.element.hidden = results.length < 2;
    this.kept.setChoices(
      results.map((one) => ({
        value: one.id,
        label: `${this.spec.name(one)} · ${formatTime(one.provenance.created)}`,
      })),
    );
    if (result !== null) {
      this.kept.value = result.id;
      this.onShow?.(result);
    }
    this.figure.show(result);
    const running = runningOf(this.state, [this.kind]) !== null;
    const ready = view.snapshots.length > 0;
    this.empty.hidden = result !== null || running;
    const key = `${this.empty.hidden} ${ready}`;
    if (key === this.described) return;
    this.described = key;
    const words = ready ? this.spec.empty : strings.empty.snapshots;
    fill(
      this.empty,
      emptyElement(words.title, words.text, ready ? button(this.spec.ask, () => this.start()) : null),
    );
  }
}

/** Several questions, one below the other. */
export class QuestionsLens implements Lens {
  readonly element: HTMLElement;

  constructor(private readonly parts: readonly (Lens & { readonly kind?: AnalysisKind })[]) {
    this.element = h('section', { class: 'questions' }, ...parts.map(({ element }) => element));
  }

  update(state: PanelState): void {
    for (const part of this.parts) part.update(state);
  }

  show(result: AnalysisResult): void {
    (this.parts.find(({ kind }) => kind === result.kind) ?? this.parts[0])?.show?.(result);
  }
}

function recalled(text: string | undefined): Values {
  try {
    const found: unknown = JSON.parse(text ?? '{}');
    return typeof found === 'object' && found !== null ? (found as Values) : {};
  } catch {
    return {};
  }
}
