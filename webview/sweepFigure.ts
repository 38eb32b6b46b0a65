/** A sweep of averages to look through: its map, sliders for the window or a decay, and what that average is worth. */
import type { Candidate, SweepResult } from '../src/protocol/averaging.ts';
import { Chart } from './chart.ts';
import { button } from './controls.ts';
import { DataTable } from './dataTable.ts';
import { definitions, fill, h, setText } from './dom.ts';
import { exportButtons } from './exporting.ts';
import type { SaveFile } from './exporting.ts';
import { provenanceElement, trustElement } from './provenance.ts';
import { slider } from './slider.ts';
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
  /** From 0, the window of the other two, to the decays of the moving averages, each behind the one before. */
  private readonly decay = slider(strings.sweep.decay, (index) => this.chooseDecay(index));
  private readonly name = h('strong', {});
  private readonly rows = h('dl', { class: 'readout' });
  private readonly below = h('div', { class: 'below' });
  private readonly table = new DataTable();
  private readonly build;
  private result: SweepResult | null = null;
  private place: Place = { first: 0, last: 0 };
  private shown: Candidate | undefined;

  /** @param build is asked for the average that is shown */
  constructor(build: (window: { from: number; to: number; ema?: number }) => void, save: SaveFile) {
    this.build = button(
      strings.sweep.build,
      () => {
        if (this.shown === undefined) return;
        const { from, to, decay } = this.shown;
        build({ from, to, ...(decay === null ? {} : { ema: decay }) });
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
          this.decay.element,
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
    this.decay.limit(result.moving.length);
    this.decay.element.hidden = result.moving.length === 0;
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
    const [from, to] = [result.blocks[place.first]?.from, result.blocks[place.last]?.to];
    this.first.set(place.first, String(from ?? ''), strings.step(from ?? 0));
    this.last.set(place.last, String(to ?? ''), strings.step(to ?? 0));
    this.decay.set(0, strings.sweep.alike);
    this.tell(result, windowAt(result, place));
    this.chart.redraw();
  }

  /** A moving average, which takes all snapshots of the sweep in; 0 goes back to the window. */
  private chooseDecay(index: number): void {
    const { result } = this;
    if (result === null) return;
    const moving = [...result.moving].sort((a, b) => (a.decay ?? 0) - (b.decay ?? 0))[index - 1];
    if (moving === undefined) {
      this.choose(this.place);
      return;
    }
    this.decay.set(index, String(moving.decay ?? ''));
    this.tell(result, moving);
  }

  private tell(result: SweepResult, candidate: Candidate | undefined): void {
    this.shown = candidate;
    if (candidate === undefined) return;
    setText(this.name, candidateName(candidate));
    fill(this.rows, ...definitions(candidateRows(candidate, result.data.split)));
  }
}

const same = (a: Candidate, b: Candidate | null): boolean =>
  b !== null && b.decay === null && a.from === b.from && a.to === b.to;
