/** Loss and accuracy on the straight line between two models. */
import type { AnalysisResult } from '../src/protocol/analyses.ts';
import type { LineResult } from '../src/protocol/results.ts';
import { Chart } from './chart.ts';
import { button, dropdown } from './controls.ts';
import { DataTable } from './dataTable.ts';
import { fill, h } from './dom.ts';
import { exportButtons } from './exporting.ts';
import { emptyElement, JobStatus, modelChoices, reference } from './lens.ts';
import type { Lens, PanelActions } from './lens.ts';
import { barrierText, lineDrawing, monotoneText } from './lineChart.ts';
import { resultsOf, runningOf } from './panelState.ts';
import type { PanelState } from './panelState.ts';
import { provenanceElement, trustElement } from './provenance.ts';
import { formatNumber } from './format.ts';
import { strings } from './strings.ts';
import { lineCsv, lineTables } from './tables.ts';

const POINTS = 61;

export class LineLens implements Lens {
  readonly element: HTMLElement;
  private readonly chart: Chart;
  private readonly stage: HTMLElement;
  private readonly empty = h('div', {});
  private readonly summary = h('p', { class: 'summary' });
  private readonly below = h('div', { class: 'below' });
  private readonly table = new DataTable();
  private readonly status: JobStatus;
  private readonly compute;
  private readonly from;
  private readonly to;
  private state: PanelState | null = null;
  private result: LineResult | null = null;
  private described: string | null = null;
  private chosen = false;

  constructor(private readonly actions: PanelActions) {
    const changed = (): void => {
      this.chosen = true;
      this.redraw();
    };
    this.from = dropdown(strings.fromLabel, [], '', changed);
    this.to = dropdown(strings.toLabel, [], '', changed);
    this.compute = button(strings.compute, () => this.start(), 'primary');
    this.status = new JobStatus(['line'], actions);
    const chartElement = h('div', { class: 'chart' });
    this.chart = new Chart(chartElement, (theme, size) =>
      this.result === null ? null : lineDrawing(this.result, null, theme, size),
    );
    const exports = exportButtons(() => {
      const result = this.result;
      return (
        result && {
          name: `${result.run}-${result.id}`,
          chart: this.chart,
          csv: () => lineCsv(result),
          json: () => result,
          tables: () => lineTables(result),
          result,
        }
      );
    }, actions.save);
    this.stage = h(
      'div',
      { class: 'stage' },
      this.summary,
      chartElement,
      h('div', { class: 'chart-tools' }, exports),
      this.below,
      this.table.element,
    );
    this.element = h(
      'section',
      { class: 'lens' },
      h('div', { class: 'toolbar' }, this.from.element, this.to.element, this.compute),
      this.status.element,
      this.empty,
      this.stage,
    );
  }

  update(state: PanelState): void {
    this.state = state;
    this.status.update(state);
    const { view } = state;
    if (view === null) return;
    const choices = modelChoices(view.snapshots, view.models);
    this.from.setChoices(choices);
    this.to.setChoices(choices);
    const newest = resultsOf(view, 'line')[0];
    if (!this.chosen) {
      // Until the user chooses: what there is to see, or the middle of the run to its end.
      this.from.value = newest?.from ?? String(view.snapshots[Math.floor(view.snapshots.length / 2)] ?? '');
      this.to.value = newest?.to ?? String(view.snapshots.at(-1) ?? '');
    }
    this.compute.disabled = runningOf(state, ['line']) !== null || view.snapshots.length < 2;
    this.redraw();
  }

  show(result: AnalysisResult): void {
    if (result.kind !== 'line') return;
    this.chosen = true;
    this.from.value = result.from;
    this.to.value = result.to;
    this.redraw();
  }

  private start(): void {
    const run = this.state?.view?.run.id;
    if (run === undefined) return;
    this.chosen = true;
    this.actions.start({
      kind: 'line',
      run,
      from: reference(this.from.value),
      to: reference(this.to.value),
      points: POINTS,
    });
  }

  private redraw(): void {
    if (!this.state?.view) return;
    this.result =
      resultsOf(this.state.view, 'line').find(
        ({ from, to }) => from === this.from.value && to === this.to.value,
      ) ?? null;
    const { result } = this;
    this.stage.hidden = result === null;
    this.empty.hidden = result !== null || runningOf(this.state, ['line']) !== null;
    if (result === null) {
      const enough = this.state.view.snapshots.length >= 2;
      const words = enough ? strings.empty.line : { ...strings.empty.snapshots, action: '' };
      fill(
        this.empty,
        emptyElement(
          words.title,
          words.text,
          enough ? button(words.action, () => this.start(), 'primary') : null,
        ),
      );
    } else {
      this.table.show(() => lineTables(result));
      if (this.described !== result.id) {
        this.described = result.id;
        fill(
          this.summary,
          h(
            'p',
            {},
            h('strong', {}, barrierText(result)),
            monotoneText(result) === null ? null : ` · ${monotoneText(result)}`,
            ` · ${strings.line.apart(formatNumber(result.length, 3))}`,
          ),
        );
        fill(this.below, trustElement(result.trust), provenanceElement(result));
      }
    }
    this.chart.redraw();
  }
}
