/** A sweep of averages to look through: its map, two sliders for the window, and what that window is worth. */
import type { Candidate, SweepResult } from '../src/protocol/averaging.ts';
import { Chart } from './chart.ts';
import { button } from './controls.ts';
import { DataTable } from './dataTable.ts';
import { definitions, fill, h, setText } from './dom.ts';
import { exportButtons } from './exporting.ts';
import type { SaveFile } from './exporting.ts';
import { provenanceElement, trustElement } from './provenance.ts';
import { strings } from './strings.ts';
import {
  candidateName,
  candidateRows,
  placeOf,
  sweepCsv,
  sweepDrawing,
  sweepTable,
  windowAt,
} from './sweepChart.ts';
import type { Place } from './sweepChart.ts';

export class SweepFigure {
  readonly element: HTMLElement;
  private readonly chart: Chart;
  private readonly verdict = h('p', { class: 'summary', lang: 'en' });
  private readonly first = slider(strings.sweep.firstStep, (first) => this.choose({ ...this.place, first }));
  private readonly last = slider(strings.sweep.lastStep, (last) => this.choose({ ...this.place, last }));
  private readonly name = h('strong', {});
  private readonly rows = h('dl', { class: 'readout' });
  private readonly below = h('div', { class: 'below' });
  private readonly table = new DataTable();
  private readonly build;
  private result: SweepResult | null = null;
  private place: Place = { first: 0, last: 0 };

  /** @param build is asked for the average of the chosen window */
  constructor(build: (window: { from: number; to: number }) => void, save: SaveFile) {
    this.build = button(
      strings.sweep.build,
      () => {
        const window = this.result === null ? undefined : windowAt(this.result, this.place);
        if (window !== undefined) build(window);
      },
      'primary',
    );
    const picture = h('div', { class: 'chart chart-sweep' });
    this.chart = new Chart(picture, (theme, size) =>
      this.result === null ? null : sweepDrawing(this.result, this.place, theme, size),
    );
    picture.addEventListener('click', () => {
      const at = this.chart.coordinates(this.chart.pointer.x, this.chart.pointer.y);
      if (at !== null) this.choose({ first: Math.round(at[0]), last: Math.round(at[1]) });
    });
    const exports = exportButtons(() => {
      const { result } = this;
      return (
        result && {
          name: `${result.run}-${result.id}`,
          chart: this.chart,
          csv: () => sweepCsv(result),
          json: () => result,
          tables: () => [sweepTable(result)],
          result,
        }
      );
    }, save);
    this.element = h(
      'div',
      { class: 'stage sweep', hidden: true },
      this.verdict,
      h(
        'div',
        { class: 'sweep-row' },
        picture,
        h(
          'div',
          { class: 'sweep-side' },
          this.first.element,
          this.last.element,
          h('div', { role: 'status', 'aria-live': 'polite' }, this.name, this.rows),
          this.build,
        ),
      ),
      h('div', { class: 'chart-tools' }, exports),
      this.below,
      this.table.element,
    );
  }

  /** @param busy an average is being built */
  show(result: SweepResult | null, busy: boolean): void {
    this.element.hidden = result === null;
    this.build.disabled = busy;
    if (result === null || result.id === this.result?.id) return;
    this.result = result;
    const [sentence = '', ...rest] = result.trust;
    setText(this.verdict, sentence);
    fill(this.below, trustElement(rest), provenanceElement(result));
    this.table.show(() => [sweepTable(result)]);
    const most = result.blocks.length - 1;
    this.first.limit(most);
    this.last.limit(most);
    const shown = result.windows.find((w) => same(w, result.best)) ?? result.windows.at(-1);
    this.choose(shown === undefined ? { first: 0, last: most } : placeOf(result, shown));
  }

  /** The nearest place that holds an average: the last not before the first, and two snapshots at least. */
  private choose(wanted: Place): void {
    const { result } = this;
    if (result === null) return;
    const inside = (i: number): number => Math.min(result.blocks.length - 1, Math.max(0, i));
    let place = { first: inside(wanted.first), last: inside(wanted.last) };
    if (windowAt(result, place) === undefined) {
      // The one that was moved keeps its place where it can; the other gives way.
      const moved = wanted.first !== this.place.first;
      const among = result.windows.map((w) => placeOf(result, w));
      const apart = (p: Place): number =>
        (moved ? 1000 : 1) * Math.abs(p.first - place.first) +
        (moved ? 1 : 1000) * Math.abs(p.last - place.last);
      place = among.reduce((a, b) => (apart(b) < apart(a) ? b : a), among[0] ?? place);
    }
    this.place = place;
    const window = windowAt(result, place);
    this.first.set(place.first, String(result.blocks[place.first]?.from ?? ''));
    this.last.set(place.last, String(result.blocks[place.last]?.to ?? ''));
    if (window !== undefined) {
      setText(this.name, candidateName(window));
      const rows = candidateRows(window, result.data.split);
      fill(this.rows, ...definitions(rows));
    }
    this.chart.redraw();
  }
}

/** A slider over places whose text is the step there. */
function slider(label: string, onInput: (place: number) => void) {
  const input = h('input', {
    type: 'range',
    min: 0,
    max: 1,
    step: 1,
    'aria-label': label,
    on: { input: () => onInput(Number(input.value)) },
  });
  const text = h('output', {});
  return {
    element: h('label', { class: 'slider' }, h('span', { class: 'field-label' }, label), input, text),
    limit(most: number): void {
      input.max = String(most);
    },
    set(place: number, step: string): void {
      input.value = String(place);
      input.setAttribute('aria-valuetext', strings.step(Number(step)));
      setText(text, step);
    },
  };
}

const same = (a: Candidate, b: Candidate | null): boolean =>
  b !== null && b.decay === null && a.from === b.from && a.to === b.to;
