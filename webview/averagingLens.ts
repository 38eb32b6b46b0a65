/** What the average (SWA) or the ensemble of the last snapshots is worth, beside the last snapshot. */
import type { AverageJob, EnsembleJob } from '../src/protocol/analyses.ts';
import type { SweepJob } from '../src/protocol/averaging.ts';
import { button, numberField } from './controls.ts';
import { fill, h } from './dom.ts';
import { formatCount } from './format.ts';
import { emptyElement, JobStatus } from './lens.ts';
import type { Lens, PanelActions } from './lens.ts';
import { resultsOf, runningOf } from './panelState.ts';
import type { PanelState } from './panelState.ts';
import { slider } from './slider.ts';
import { SweepFigure } from './sweepFigure.ts';
import { provenanceElement, trustElement } from './provenance.ts';
import { newestBuilt, newestTrained, scoreTable } from './scoreTable.ts';
import { strings } from './strings.ts';

/** Jobs that this lens shows. */
const built = ['average', 'ensemble', 'sweep', 'swa', 'fge', 'snapshot-ensemble'] as const;

export class AveragingLens implements Lens {
  readonly element: HTMLElement;
  private readonly status: JobStatus;
  private readonly from = numberField(strings.fromLabel, 0, 0, 1e9, { onChange: () => this.limitStride() });
  private readonly to = numberField(strings.toLabel, 0, 0, 1e9, { onChange: () => this.limitStride() });
  private readonly decay = numberField(strings.decayLabel, 0, 0, 0.9999, { whole: false });
  /** From every snapshot of the window to its first and last alone. */
  private readonly stride = slider(strings.strideLabel, (stride) => this.chooseStride(stride));
  private strideChosen = 1;
  private readonly last = numberField(strings.lastLabel, 5, 2, 100);
  private readonly average;
  private readonly ensemble;
  private readonly sweep;
  /** What the extension's own commands build: they ask for members, and offer the model for export. */
  private readonly commands;
  private readonly figure;
  private readonly body = h('div', { class: 'stage' });
  private state: PanelState | null = null;
  private described: string | null = null;
  private filled = '';
  private filledTo = '';

  constructor(private readonly actions: PanelActions) {
    this.average = button(strings.buildAverage, () => this.buildAverage(), 'primary');
    this.sweep = button(strings.sweep.compare, () => this.compare());
    this.commands = [
      button(strings.buildSoup, () => actions.command('basin.soup')),
      button(strings.trainFurther.swa, () => actions.command('basin.swa')),
      button(strings.trainFurther.fge, () => actions.command('basin.fge')),
      button(strings.trainFurther.snapshotEnsemble, () => actions.command('basin.snapshotEnsemble')),
    ];
    this.figure = new SweepFigure((window) => this.start({ kind: 'average', ...window }), actions.save);
    this.ensemble = button(strings.buildEnsemble, () => this.buildEnsemble(), 'primary');
    this.status = new JobStatus([...built, 'export'], actions);
    this.element = h(
      'section',
      { class: 'lens' },
      h(
        'div',
        { class: 'toolbar' },
        h(
          'div',
          { class: 'group' },
          this.from.element,
          this.to.element,
          this.stride.element,
          this.decay.element,
          this.average,
        ),
        h('div', { class: 'group' }, this.last.element, this.ensemble),
        h('div', { class: 'group' }, this.sweep),
        h('div', { class: 'group' }, ...this.commands),
      ),
      this.status.element,
      this.body,
      this.figure.element,
    );
  }

  update(state: PanelState): void {
    this.state = state;
    this.status.update(state);
    const { view } = state;
    if (view === null) return;
    const final = view.snapshots.at(-1) ?? 0;
    // The last quarter, as the job's own default, until the user says otherwise.
    const quarter = String(Math.ceil(0.75 * final));
    if (this.from.value === '0' || this.from.value === this.filled) {
      this.from.value = quarter;
      this.filled = quarter;
    }
    if (this.to.value === '0' || this.to.value === this.filledTo) {
      this.to.value = String(final);
      this.filledTo = String(final);
    }
    this.limitStride();
    const busy = runningOf(state, built) !== null;
    this.average.disabled = busy || view.snapshots.length < 2;
    this.ensemble.disabled = busy || view.snapshots.length < 2;
    this.sweep.disabled = busy || view.snapshots.length < 2;
    for (const one of this.commands) one.disabled = busy || view.snapshots.length < 1;
    const swept = resultsOf(view, 'sweep')[0] ?? null;
    this.figure.show(swept, busy);
    const { average, ensemble } = newestBuilt(view.results);
    const trained = newestTrained(view.results);
    const key = `${average?.id} ${ensemble?.id} ${trained.map((r) => r.id).join()} ${busy} ${view.snapshots.length > 1} ${view.models.length} ${swept === null}`;
    if (key === this.described) return;
    this.described = key;
    const scores = scoreTable(view.results);
    if (scores === null) {
      const words = view.snapshots.length > 1 ? strings.empty.averaging : strings.empty.snapshots;
      fill(this.body, busy || swept !== null ? null : emptyElement(words.title, words.text, null));
      return;
    }
    fill(
      this.body,
      scores,
      h('p', { class: 'note' }, strings.score.legend),
      average &&
        h(
          'div',
          { class: 'actions' },
          button(strings.saveModel, () => this.actions.command('basin.exportModel', average.model)),
        ),
      h(
        'div',
        { class: 'below' },
        ...[average, ...trained].flatMap((result) =>
          result ? [trustElement(result.trust), provenanceElement(result)] : [],
        ),
      ),
    );
  }

  private buildAverage(): void {
    const decay = this.decay.number;
    this.start({
      kind: 'average',
      from: this.from.number,
      ...(this.to.value === this.filledTo ? {} : { to: this.to.number }),
      stride: this.strideChosen,
      ...(decay > 0 ? { ema: decay } : {}),
    });
  }

  /** No further than leaves two snapshots of the window: what is chosen beyond gives way. */
  private limitStride(): void {
    const [from, to] = [this.from.number, this.to.number];
    const inside = (this.state?.view?.snapshots ?? []).filter((step) => step >= from && step <= to).length;
    this.stride.limit(Math.max(1, inside - 1), 1);
    this.chooseStride(Math.min(this.strideChosen, Math.max(1, inside - 1)));
  }

  private chooseStride(stride: number): void {
    this.strideChosen = stride;
    this.stride.set(stride, formatCount(stride));
  }

  private buildEnsemble(): void {
    this.start({ kind: 'ensemble', last: this.last.number });
  }

  private compare(): void {
    this.start({ kind: 'sweep' });
  }

  private start(job: Omit<AverageJob, 'run'> | Omit<EnsembleJob, 'run'> | Omit<SweepJob, 'run'>): void {
    const run = this.state?.view?.run.id;
    if (run !== undefined) this.actions.start({ ...job, run });
  }
}
