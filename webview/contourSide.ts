/** A contour on one split beside that on the other, with its table and exports. */
import type { ContourResult } from '../src/protocol/results.ts';
import { ContourChart } from './contourChart.ts';
import { DataTable } from './dataTable.ts';
import { h } from './dom.ts';
import { exportButtons } from './exporting.ts';
import type { SaveFile } from './exporting.ts';
import type { LossScale, ScaleKind } from './lossScale.ts';
import { strings } from './strings.ts';
import { contourCsv, contourTables } from './tables.ts';

export class ContourSide {
  readonly element: HTMLElement;
  readonly chart: ContourChart;
  private readonly table = new DataTable();
  private shown: ContourResult | null = null;

  constructor(
    split: 'train' | 'validation',
    save: SaveFile,
    /** One below that of what it stands under. */
    heading: 'h2' | 'h3',
  ) {
    const element = h('div', { class: 'chart chart-side' });
    this.chart = new ContourChart(element);
    const tools = exportButtons(() => {
      const result = this.shown;
      return (
        result && {
          name: `${result.run}-${result.id}`,
          chart: this.chart.chart,
          csv: () => contourCsv(result),
          json: () => result,
          tables: () => contourTables(result),
          result,
        }
      );
    }, save);
    this.element = h(
      'div',
      { class: 'stage part' },
      h(heading, {}, strings.splitChoice[split]),
      element,
      h('div', { class: 'chart-tools' }, tools),
      this.table.element,
    );
  }

  /** @param scale of both sides; their own where it is null */
  show(result: ContourResult | null, kind: ScaleKind, scale: LossScale | null): void {
    this.shown = result;
    this.element.hidden = result === null;
    this.chart.show(result, kind, scale);
    if (result !== null) this.table.show(() => contourTables(result));
  }
}
