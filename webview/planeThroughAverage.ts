/**
 * Why averaging works, shown (Izmailov et al. 2018): the plane through the last snapshot, the average and an earlier
 * snapshot, on training and validation samples in one colour scale, and the line from the average to the last on both.
 */
import type { AnalysisResult } from '../src/protocol/analyses.ts';
import type { RunView } from '../src/protocol/page.ts';
import type { ContourResult, LineResult } from '../src/protocol/results.ts';
import { Chart } from './chart.ts';
import { ContourSide } from './contourSide.ts';
import { button, dropdown } from './controls.ts';
import { DataTable } from './dataTable.ts';
import { fill, h } from './dom.ts';
import { exportButtons } from './exporting.ts';
import type { Exportable } from './exportable.ts';
import { emptyElement, JobStatus, modelChoices, reference } from './lens.ts';
import type { Lens, PanelActions } from './lens.ts';
import { barrierText, lineDrawing } from './lineChart.ts';
import { lossScale, valuesOf } from './lossScale.ts';
import { resultsOf } from './panelState.ts';
import type { PanelState } from './panelState.ts';
import { provenanceElement, trustElement } from './provenance.ts';
import { strings } from './strings.ts';
import { lineCsv, lineTables } from './tables.ts';

const words = strings.averagePlane;
const SIZE = 25;
const POINTS = 61;
type Split = 'train' | 'validation';

export class PlaneThroughAverage implements Lens {
  readonly element: HTMLElement;
  private readonly status: JobStatus;
  private readonly average;
  private readonly earlier;
  private readonly ask;
  private readonly empty = h('div', {});
  private readonly stage: HTMLElement;
  private readonly sides: Readonly<Record<Split, ContourSide>>;
  private readonly lineBlock: HTMLElement;
  private readonly lineChart: Chart;
  private readonly lineTable = new DataTable();
  private readonly lineSummary = h('p', { class: 'note' });
  private readonly below = h('div', { class: 'below' });
  private line: LineResult | null = null;
  private state: PanelState | null = null;
  private described = '';

  constructor(private readonly actions: PanelActions) {
    const redraw = (): void => this.redraw();
    this.average = dropdown(words.average, [], '', redraw);
    this.earlier = dropdown(words.earlier, [], '', redraw);
    this.ask = button(words.ask, () => this.start(), 'primary');
    this.status = new JobStatus(
      ['contour', 'line'],
      actions,
      (job) =>
        (job.kind === 'contour' && typeof job.plane !== 'string') ||
        (job.kind === 'line' && job.from === this.average.value),
    );
    this.sides = {
      train: new ContourSide('train', actions.save, 'h3'),
      validation: new ContourSide('validation', actions.save, 'h3'),
    };
    const lineElement = h('div', { class: 'chart chart-average-line' });
    this.lineChart = new Chart(lineElement, (theme, size) =>
      this.line === null ? null : lineDrawing(this.line, null, theme, size),
    );
    this.lineBlock = h(
      'div',
      { class: 'stage part' },
      h('h3', {}, words.lineTitle),
      this.lineSummary,
      lineElement,
      this.tools(() => {
        const { line } = this;
        return (
          line && {
            name: `${line.run}-${line.id}`,
            chart: this.lineChart,
            csv: () => lineCsv(line),
            json: () => line,
            tables: () => lineTables(line),
            result: line,
          }
        );
      }),
      this.lineTable.element,
    );
    this.stage = h(
      'div',
      { class: 'stage' },
      h('div', { class: 'pair' }, this.sides.train.element, this.sides.validation.element),
      this.lineBlock,
      this.below,
    );
    this.element = h(
      'section',
      { class: 'lens question', 'aria-labelledby': 'average-plane' },
      h('h2', { id: 'average-plane' }, words.title),
      h('div', { class: 'toolbar' }, this.average.element, this.earlier.element, this.ask),
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
    const built = view.models.filter(({ kind }) => kind !== 'ensemble');
    this.average.setChoices([...built].reverse().map(({ id, name }) => ({ value: id, label: name })));
    const last = view.snapshots.at(-1);
    const earlier = view.snapshots.filter((step) => step !== last);
    const known = this.earlier.value;
    this.earlier.setChoices(
      modelChoices(earlier, []).map(({ value }) => ({ value, label: strings.snapshot(value) })),
    );
    // Until another is chosen: that of the newest picture, or one a fifth into the run, where the path still comes down.
    if (known === '') {
      const drawn = newestPlane(view)?.plane.corners?.find(({ at }) => built.some(({ id }) => id === at));
      if (drawn !== undefined) this.average.value = drawn.at;
    }
    if (known === '')
      this.earlier.value =
        newestPlane(view)?.plane.corners?.find(({ at }) => at !== String(last) && /^\d+$/.test(at))?.at ??
        String(earlier[Math.floor(earlier.length / 5)] ?? '');
    const busy = state.running.some(({ job }) => job.kind === 'contour' || job.kind === 'line');
    this.ask.disabled = busy || built.length === 0 || earlier.length === 0;
    this.redraw();
  }

  private start(): void {
    const view = this.state?.view;
    const last = view?.snapshots.at(-1);
    if (!view || last === undefined) return;
    const run = view.run.id;
    const plane = [last, this.average.value, reference(this.earlier.value)] as const;
    for (const split of this.splits(view))
      this.actions.start({ kind: 'contour', run, plane, size: SIZE, split });
    this.actions.start({ kind: 'line', run, from: this.average.value, to: last, points: POINTS });
  }

  private splits(view: RunView): Split[] {
    return view.run.evaluationSet?.validation == null ? ['train'] : ['train', 'validation'];
  }

  private redraw(): void {
    const { state } = this;
    const view = state?.view;
    if (!state || !view) return;
    const last = String(view.snapshots.at(-1));
    const wanted = [last, this.average.value, this.earlier.value];
    const goesThrough = ({ plane }: ContourResult): boolean =>
      wanted.every((at) => plane.corners?.some((corner) => corner.at === at) ?? false);
    const found = (split: Split): ContourResult | null => {
      const [partial] = state.running.flatMap(({ partial: known }) =>
        known?.kind === 'contour' && known.data.split === split && goesThrough(known) ? [known] : [],
      );
      return (
        partial ??
        resultsOf(view, 'contour').find((one) => one.data.split === split && goesThrough(one)) ??
        null
      );
    };
    const [train, validation] = [found('train'), found('validation')];
    this.line =
      resultsOf(view, 'line').find(({ from, to }) => from === this.average.value && to === last) ?? null;
    const { line } = this;
    const scale = lossScale(valuesOf(train?.loss ?? [], validation?.loss ?? []), 'log');
    this.sides.train.show(train, 'log', scale);
    this.sides.validation.show(validation, 'log', scale);
    this.lineBlock.hidden = line === null;
    this.lineChart.redraw();
    const nothing = train === null && validation === null && line === null;
    this.stage.hidden = nothing;
    const running = state.running.some(({ job }) => job.kind === 'contour' && typeof job.plane !== 'string');
    this.empty.hidden = !nothing || running;
    const built = view.models.some(({ kind }) => kind !== 'ensemble');
    const shown = [train, validation, line].filter((one) => one !== null);
    const key = `${shown.map(({ id, trust }) => id + trust.join()).join()} ${built} ${this.empty.hidden}`;
    if (key === this.described) return;
    this.described = key;
    if (!this.empty.hidden)
      fill(
        this.empty,
        emptyElement(
          words.none,
          built ? words.about : words.buildFirst,
          built ? button(words.ask, () => this.start()) : null,
        ),
      );
    fill(this.lineSummary, line === null ? null : barrierText(line));
    if (line !== null) this.lineTable.show(() => lineTables(line));
    fill(
      this.below,
      ...shown.flatMap((result: AnalysisResult) => [trustElement(result.trust), provenanceElement(result)]),
    );
  }

  private tools(source: () => Exportable | null): HTMLElement {
    return h('div', { class: 'chart-tools' }, exportButtons(source, this.actions.save));
  }
}

/** The newest contour through the last snapshot and a built model. */
function newestPlane(view: RunView): ContourResult | null {
  const last = String(view.snapshots.at(-1));
  return (
    resultsOf(view, 'contour').find(
      ({ plane }) =>
        plane.corners?.some(({ at }) => at === last) === true &&
        plane.corners.some(({ at }) => view.models.some(({ id }) => id === at)),
    ) ?? null
  );
}
