/** Every step of the run: loss, norms and learning rate, with λ₁ below. */
import { Chart } from './chart.ts';
import { dropdown } from './controls.ts';
import { DataTable } from './dataTable.ts';
import { fill, h } from './dom.ts';
import { exportButtons } from './exporting.ts';
import { emptyElement } from './lens.ts';
import type { Lens, PanelActions } from './lens.ts';
import { lossDrawing, quantityNames } from './lossChart.ts';
import type { StepQuantity } from './lossChart.ts';
import type { ScaleKind } from './lossScale.ts';
import type { PanelState } from './panelState.ts';
import { factsElement, runFacts } from './runFacts.ts';
import { strings } from './strings.ts';
import { StepLog } from './stepLog.ts';
import { measuredTables, stepCsv } from './tables.ts';

export class LogLens implements Lens {
  readonly element: HTMLElement;
  private readonly chart: Chart;
  private readonly quantity;
  private readonly scale;
  private readonly stage: HTMLElement;
  private readonly empty = h(
    'div',
    {},
    emptyElement(strings.empty.steps.title, strings.empty.steps.text, null),
  );
  private readonly facts = h('div', {});
  private readonly table = new DataTable();
  private readonly log: StepLog;
  private state: PanelState | null = null;

  constructor(actions: PanelActions) {
    this.log = new StepLog(() => actions.readSteps());
    const redraw = (key: string) => (value: string) => {
      actions.remember(key, value);
      this.chart.redraw();
    };
    this.quantity = dropdown(
      strings.log.quantity,
      Object.entries(quantityNames).map(([value, label]) => ({ value, label })),
      actions.recall('quantity') ?? 'loss',
      redraw('quantity'),
    );
    this.scale = dropdown(
      strings.log.scale,
      [
        { value: 'auto', label: strings.log.automatic },
        { value: 'log', label: strings.colour.log },
        { value: 'linear', label: strings.colour.linear },
      ],
      actions.recall('scale') ?? 'auto',
      redraw('scale'),
    );
    const chartElement = h('div', { class: 'chart' });
    this.chart = new Chart(chartElement, (theme, size) => {
      const view = this.state?.view;
      const scale = this.scale.value === 'auto' ? null : (this.scale.value as ScaleKind);
      return view
        ? lossDrawing(view, { quantity: this.quantity.value as StepQuantity, scale }, theme, size)
        : null;
    });
    const exports = exportButtons(() => {
      const view = this.state?.view;
      return view
        ? {
            name: `${view.run.id}-steps`,
            chart: this.chart,
            csv: () => stepCsv(view),
            json: () => ({ steps: view.steps, live: view.live }),
            tables: () => measuredTables(view),
          }
        : null;
    }, actions.save);
    const reset = h(
      'button',
      { type: 'button', class: 'link', on: { click: () => this.chart.resetZoom() } },
      strings.resetZoom,
    );
    this.stage = h(
      'div',
      { class: 'stage' },
      h('div', { class: 'toolbar' }, this.quantity.element, this.scale.element),
      chartElement,
      h('div', { class: 'chart-tools' }, exports, reset),
      this.table.element,
      this.log.element,
    );
    this.element = h('section', { class: 'lens' }, this.empty, this.stage, this.facts);
  }

  update(state: PanelState): void {
    this.state = state;
    const { view } = state;
    if (view === null) return;
    this.empty.hidden = view.steps.length > 0;
    this.stage.hidden = view.steps.length === 0;
    // All steps stand in the log below; λ₁ and what else was measured are few enough for a plain table.
    this.table.show(() => measuredTables(view));
    this.log.update(view);
    fill(
      this.facts,
      factsElement(runFacts(view.run, view.steps)),
      ...view.run.recording.notes.map((note) => h('p', { class: 'note' }, note)),
    );
    this.chart.redraw();
  }
}
