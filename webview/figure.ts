/** The picture of a kept result: its charts, each with its table and exports, and below them how far to trust it. */
import type { AnalysisResult } from '../src/protocol/analyses.ts';
import { Chart } from './chart.ts';
import type { Drawing, Size } from './chart.ts';
import { DataTable } from './dataTable.ts';
import type { TableData } from './dataTable.ts';
import { fill, h } from './dom.ts';
import type { Child } from './dom.ts';
import { exportButtons } from './exporting.ts';
import type { SaveFile } from './exporting.ts';
import { provenanceElement, trustElement } from './provenance.ts';
import type { Theme } from './theme.ts';

/** One chart of a result. */
export interface FigurePart<R> {
  /** In file names, and as the element's class `chart-<id>`. */
  readonly id: string;
  /** Above it; none for a result's only chart. */
  readonly title?: string;
  /** null where the result has nothing of it: the chart is left out then. */
  readonly draw: (result: R, theme: Theme, size: Size) => Drawing | null;
  /** Whether the result has anything to draw here; every result when absent. */
  readonly has?: (result: R) => boolean;
  readonly tables: (result: R) => readonly TableData[];
  readonly csv: (result: R) => string;
}

export interface FigureSpec<R> {
  readonly parts: readonly FigurePart<R>[];
  /** The answer in a line or a table, above the charts. */
  readonly summary?: (result: R) => readonly Child[];
  /** Controls of the picture itself, such as a scrubber: made once, below the part that they belong to. */
  readonly tools?: Readonly<Record</* part */ string, HTMLElement>>;
}

export class Figure<R extends AnalysisResult> {
  readonly element = h('div', { class: 'stage', hidden: true });
  private readonly summary = h('div', { class: 'summary' });
  private readonly below = h('div', { class: 'below' });
  private readonly parts: { spec: FigurePart<R>; block: HTMLElement; chart: Chart; table: DataTable }[];
  private result: R | null = null;

  constructor(
    private readonly spec: FigureSpec<R>,
    save: SaveFile,
    /** Of the charts' titles: one below that of what the figure stands under. */
    private readonly heading: 'h2' | 'h3',
  ) {
    this.parts = spec.parts.map((part) => this.part(part, save));
    this.element.append(
      this.summary,
      h('div', { class: 'parts' }, ...this.parts.map(({ block }) => block)),
      this.below,
    );
  }

  show(result: R | null): void {
    this.element.hidden = result === null;
    if (result === null || result.id === this.result?.id) return;
    this.result = result;
    const summary = this.spec.summary?.(result) ?? [];
    this.summary.hidden = summary.length === 0;
    fill(this.summary, ...summary);
    for (const { spec, block, chart, table } of this.parts) {
      block.hidden = !(spec.has?.(result) ?? true);
      table.show(() => spec.tables(result));
      chart.redraw();
    }
    fill(this.below, trustElement(result.trust), provenanceElement(result));
  }

  /** Draws again what is shown, as when a setting of the picture has changed. */
  redraw(): void {
    for (const { chart } of this.parts) chart.redraw();
  }

  private part(spec: FigurePart<R>, save: SaveFile) {
    const element = h('div', { class: `chart chart-${spec.id}` });
    const chart = new Chart(element, (theme, size) =>
      this.result === null ? null : spec.draw(this.result, theme, size),
    );
    const table = new DataTable();
    const exports = exportButtons(() => {
      const { result } = this;
      return (
        result && {
          name: `${result.run}-${result.id}-${spec.id}`,
          chart,
          csv: () => spec.csv(result),
          json: () => result,
          tables: () => spec.tables(result),
          ...(spec.title === undefined ? {} : { title: spec.title }),
          result,
        }
      );
    }, save);
    const block = h(
      'div',
      { class: 'stage part' },
      spec.title === undefined ? null : h(this.heading, { class: 'part-title' }, spec.title),
      element,
      this.spec.tools?.[spec.id],
      h('div', { class: 'chart-tools' }, exports),
      table.element,
    );
    return { spec, block, chart, table };
  }
}
