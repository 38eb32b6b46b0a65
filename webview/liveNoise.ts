/** The noise scale as it was measured while the run trained; out of sight where it was not. */
import type { LiveNoiseScale } from '../src/protocol/run.ts';
import { Chart } from './chart.ts';
import { DataTable } from './dataTable.ts';
import { h } from './dom.ts';
import { exportButtons } from './exporting.ts';
import type { Lens, PanelActions } from './lens.ts';
import { liveNoiseCsv, liveNoiseDrawing, liveNoiseTable } from './noiseChart.ts';
import type { PanelState } from './panelState.ts';
import { strings } from './strings.ts';

export class LiveNoise implements Lens {
  readonly element: HTMLElement;
  private readonly chart: Chart;
  private readonly table = new DataTable();
  private noise: readonly LiveNoiseScale[] = [];

  constructor(actions: PanelActions) {
    const chart = h('div', { class: 'chart chart-live-noise' });
    this.chart = new Chart(chart, (theme, size) => liveNoiseDrawing(this.noise, theme, size));
    let run = '';
    this.named = (id) => (run = id);
    const exports = exportButtons(
      () => ({
        name: `${run}-noise`,
        chart: this.chart,
        csv: () => liveNoiseCsv(this.noise),
        json: () => this.noise,
        tables: () => [liveNoiseTable(this.noise)],
        title: strings.noise.liveTitle,
      }),
      actions.save,
    );
    this.element = h(
      'section',
      { class: 'lens question', hidden: true },
      h('h2', {}, strings.noise.liveTitle),
      chart,
      h('div', { class: 'chart-tools' }, exports),
      this.table.element,
    );
  }
  private readonly named: (run: string) => void;

  update({ view }: PanelState): void {
    this.noise = view?.noise ?? [];
    this.element.hidden = this.noise.length === 0;
    if (view === null || this.noise.length === 0) return;
    this.named(view.run.id);
    this.table.show(() => [liveNoiseTable(this.noise)]);
    this.chart.redraw();
  }
}
