/** Random planes of several seeds side by side in one colour scale, and how typical one of them is among many. */
import type { ContourResult } from '../src/protocol/results.ts';
import { ContourChart } from './contourChart.ts';
import { DataTable } from './dataTable.ts';
import { h } from './dom.ts';
import { exportButtons } from './exporting.ts';
import type { Exportable } from './exportable.ts';
import { Figure } from './figure.ts';
import { repeatsFigure } from './figures/repeats.ts';
import type { Lens, PanelActions } from './lens.ts';
import { lossScale, valuesOf } from './lossScale.ts';
import { resultsOf } from './panelState.ts';
import type { PanelState } from './panelState.ts';
import { strings } from './strings.ts';
import { contourCsv, contourTables } from './tables.ts';

const words = strings.seeds;

/** Pictures side by side. */
const MOST = 4;

const seedOf = ({ plane }: ContourResult): number | null => plane.directions[0]?.seed ?? null;

export class SeedsFigure implements Lens {
  readonly element: HTMLElement;
  private readonly sides;
  private readonly repeats: Figure<ContourResult>;

  constructor(private readonly actions: PanelActions) {
    this.sides = Array.from({ length: MOST }, () => this.side());
    this.repeats = new Figure(repeatsFigure, actions.save, 'h3');
    this.element = h(
      'section',
      { class: 'lens question', hidden: true, 'aria-labelledby': 'seeds' },
      h('h2', { id: 'seeds' }, words.title),
      h(
        'div',
        { class: 'stage' },
        h('div', { class: 'pair' }, ...this.sides.map((s) => s.element)),
        this.repeats.element,
      ),
    );
  }

  update({ view }: PanelState): void {
    const random =
      view === null ? [] : resultsOf(view, 'contour').filter((r) => r.plane.kind === 'random' && r.complete);
    const one = random[0];
    // Planes compare where they start from one model, on one split: of each seed the newest.
    const seeds = new Map</* seed */ number, ContourResult>();
    for (const result of random) {
      const seed = seedOf(result);
      const alike = result.at === one?.at && result.data.split === one.data.split;
      if (seed !== null && alike && !seeds.has(seed)) seeds.set(seed, result);
    }
    const shown = [...seeds].sort(([a], [b]) => a - b).slice(0, MOST);
    const typical = random.find((result) => result.repeats != null) ?? null;
    const several = shown.length > 1;
    this.element.hidden = !several && typical === null;
    const scale = lossScale(valuesOf(...shown.map(([, result]) => result.loss)), 'log');
    this.sides.forEach((side, k) => side.show(several ? (shown[k] ?? null) : null, scale));
    this.repeats.show(typical);
  }

  private side() {
    const element = h('div', { class: 'chart chart-side chart-seed' });
    const chart = new ContourChart(element);
    const heading = h('h3', {});
    const table = new DataTable();
    let result: ContourResult | null = null;
    const block = h(
      'div',
      { class: 'stage part', hidden: true },
      heading,
      element,
      this.tools(() => {
        const one = result;
        return (
          one && {
            name: `${one.run}-${one.id}`,
            chart: chart.chart,
            csv: () => contourCsv(one),
            json: () => one,
            tables: () => contourTables(one),
            result: one,
          }
        );
      }),
      table.element,
    );
    return {
      element: block,
      show(seeded: readonly [number, ContourResult] | null, scale: ReturnType<typeof lossScale>): void {
        result = seeded?.[1] ?? null;
        block.hidden = result === null;
        if (seeded !== null) heading.textContent = words.seed(seeded[0]);
        chart.show(result, 'log', scale);
        const one = result;
        if (one !== null) table.show(() => contourTables(one));
      },
    };
  }

  private tools(source: () => Exportable | null): HTMLElement {
    return h('div', { class: 'chart-tools' }, exportButtons(source, this.actions.save));
  }
}
