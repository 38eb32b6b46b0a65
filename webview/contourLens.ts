/** The loss on a plane: PCA of the trajectory or filter-normalised random, in 2-D or 3-D. */
import type { AnalysisResult, ContourJob } from '../src/protocol/analyses.ts';
import { planeNames, type PlaneName } from '../src/protocol/plane.ts';
import type { ContourResult } from '../src/protocol/results.ts';
import { button, checkbox, dropdown } from './controls.ts';
import type { Field } from './controls.ts';
import { sameGrid } from '../src/protocol/landscapes.ts';
import { ContourSide } from './contourSide.ts';
import { ContourChart, contourLayout } from './contourChart.ts';
import type { ContourPicture } from './contourChart.ts';
import { DataTable } from './dataTable.ts';
import { fill, h, setText } from './dom.ts';
import { exportButtons } from './exporting.ts';
import { LandscapeChoice, landscapesTable } from './landscapes.ts';
import type { LandscapesJob, LandscapesResult } from '../src/protocol/landscapes.ts';
import type { Job } from '../src/protocol/engine.ts';
import type { RunView } from '../src/protocol/page.ts';
import { comparedNames } from './comparedModels.ts';
import { emptyElement, JobStatus } from './lens.ts';
import { PickedPoint } from './pickedPoint.ts';
import type { Lens, PanelActions } from './lens.ts';
import { lossScale, valuesOf } from './lossScale.ts';
import type { ScaleKind } from './lossScale.ts';
import { curvatureMapSpec } from './curvatureMapChart.ts';
import { Figure } from './figure.ts';
import { resultsOf, runningOf } from './panelState.ts';
import type { CurvatureMapResult } from '../src/protocol/curvatureMap.ts';
import type { PanelState } from './panelState.ts';
import { provenanceElement, trustElement } from './provenance.ts';
import { strings } from './strings.ts';
import { Scrubber } from './scrubber.ts';
import type { Surface3d } from './surface3d.ts';
import { contourCsv, contourTables } from './tables.ts';

type Plane = ContourResult['plane']['kind'];
type Split = ContourResult['data']['split'];

export class ContourLens implements Lens {
  readonly element: HTMLElement;
  private readonly chartElement = h('div', { class: 'chart chart-contour' });
  private readonly surfaceElement = h('div', { class: 'chart chart-contour', hidden: true });
  private readonly stage: HTMLElement;
  private readonly empty = h('div', {});
  private readonly caption = h('p', { class: 'note caption' });
  private readonly below = h('div', { class: 'below' });
  private readonly table = new DataTable();
  private readonly chart = new ContourChart(this.chartElement);
  /** The picture, and beside it the same plane on validation data, where both are asked for. */
  private readonly pair: HTMLElement;
  private readonly side: ContourSide;
  private readonly ownTitle = h('h2', { hidden: true }, strings.splitChoice.train);
  private readonly scrubber = new Scrubber(strings.scrubContour, (place) => {
    this.chart.go(place);
    this.side.chart.go(place);
  });
  /** Between the models that a plane goes through, of one run or of several. */
  private readonly between = new Scrubber(strings.compared.scrub, (model) => this.chart.compare(model));
  private readonly compared = h(
    'div',
    { class: 'compared', hidden: true },
    h('span', { class: 'note' }, strings.compared.title),
    this.between.element,
  );
  /** From run to run, where each has a landscape of its own. */
  private readonly landscapes = new LandscapeChoice(() => this.redraw());
  private set: LandscapesResult | null = null;
  private readonly status: JobStatus;
  private readonly picked: PickedPoint;
  private readonly plane;
  private readonly split;
  private readonly size;
  private readonly colour;
  private readonly view;
  private readonly points: Field;
  private readonly compute;
  private readonly choices: ReadonlyMap</* key that it is remembered by */ string, Field>;
  /** What each had when it was drawn last. */
  private readonly shown = new Map<string, string>();
  /** Those that the user has made, the newest last. */
  private readonly changes: { readonly key: string; readonly before: string }[] = [];
  private readonly undo = h(
    'button',
    { type: 'button', class: 'link', hidden: true, on: { click: () => this.undoLast() } },
    strings.undo,
  );
  private surface: Surface3d | null = null;
  private surfaceRefused = false;
  private loading3d: Promise<Surface3d | null> | null = null;
  private state: PanelState | null = null;
  private result: ContourResult | null = null;
  /** Of the other split. */
  private beside: ContourResult | null = null;
  private described: string | null = null;
  /** A kept map of the curvature over a plane: the newest, or the one that was asked for. */
  private readonly curvature: Figure<CurvatureMapResult>;
  private askedCurvature: string | null = null;

  constructor(private readonly actions: PanelActions) {
    this.side = new ContourSide('validation', actions.save, 'h2');
    this.pair = h(
      'div',
      { class: 'pair' },
      h('div', { class: 'stage part' }, this.ownTitle, this.chartElement, this.surfaceElement),
      this.side.element,
    );
    this.curvature = new Figure(curvatureMapSpec, actions.save, 'h2');
    const again = (key: string) => (value: string) => {
      this.changes.push({ key, before: this.shown.get(key) ?? '' });
      this.take(key, value);
    };
    const choices = (labels: Readonly<Record<string, string>>) =>
      Object.entries(labels).map(([value, label]) => ({ value, label }));
    this.plane = dropdown(
      strings.planeLabel,
      planeChoices(Object.keys(strings.plane)),
      actions.recall('plane') ?? 'pca',
      again('plane'),
    );
    this.split = dropdown(
      strings.dataLabel,
      [...choices(strings.splitChoice), { value: 'both', label: strings.bothSplits }],
      actions.recall('split') ?? 'train',
      again('split'),
    );
    this.size = dropdown(
      strings.sizeLabel,
      [21, 41, 81].map((n) => ({ value: String(n), label: `${n} × ${n}` })),
      actions.recall('size') ?? '41',
      again('size'),
    );
    this.colour = dropdown(
      strings.colourLabel,
      choices(strings.colour),
      actions.recall('colour') ?? 'log',
      again('colour'),
    );
    this.view = dropdown(
      strings.viewLabel,
      choices(strings.view),
      actions.recall('view') ?? 'plane',
      again('view'),
    );
    this.points = checkbox(strings.evaluatedPoints, actions.recall('points') === 'true', () =>
      again('points')(this.points.value),
    );
    const { plane, split, size, colour, view, points } = this;
    this.choices = new Map(Object.entries({ plane, split, size, colour, view, points }));
    this.chart.showPoints(actions.recall('points') === 'true');
    this.compute = button(strings.compute, () => this.start(), 'primary');
    this.status = new JobStatus(
      ['contour', 'landscapes', 'point'],
      actions,
      (job) =>
        job.kind === 'point' || job.kind === 'landscapes' || (job.kind === 'contour' && isDrawnHere(job)),
    );
    this.picked = new PickedPoint(actions, (at) => {
      this.chart.mark(at);
      this.side.chart.mark(at);
    });
    this.chart.onClick((at) => this.picked.pick(at));
    this.side.chart.onClick((at) => this.picked.pick(at));
    const reset = h(
      'button',
      { type: 'button', class: 'link', on: { click: () => this.chart.chart.resetZoom() } },
      strings.resetZoom,
    );
    this.stage = h(
      'div',
      { class: 'stage' },
      this.landscapes.element,
      this.pair,
      this.scrubber.element,
      this.compared,
      this.picked.element,
      this.caption,
      h(
        'div',
        { class: 'chart-tools' },
        exportButtons(() => this.exportable(), actions.save),
        reset,
      ),
      this.below,
      this.table.element,
    );
    this.element = h(
      'section',
      { class: 'lens' },
      h(
        'div',
        { class: 'toolbar apart' },
        h(
          'div',
          { class: 'fields' },
          this.plane.element,
          this.split.element,
          this.size.element,
          this.compute,
        ),
        h('div', { class: 'fields' }, this.points.element, this.colour.element, this.view.element, this.undo),
      ),
      this.status.element,
      this.empty,
      this.stage,
      this.curvature.element,
    );
  }

  /** A choice's new value, by the user or undone. */
  private take(key: string, value: string): void {
    this.actions.remember(key, value);
    if (key === 'points') this.chart.showPoints(value === 'true');
    if (key === 'plane') this.asked = null;
    this.redraw();
    if (key === 'plane' && this.state !== null) this.update(this.state);
  }

  private undoLast(): void {
    const change = this.changes.pop();
    const field = this.choices.get(change?.key ?? '');
    if (change === undefined || field === undefined) return;
    field.value = change.before;
    this.take(change.key, change.before);
  }

  /** Turns to the 3-D view, as when the panel is asked for its surface. */
  show3d(): void {
    this.view.value = 'surface';
    this.actions.remember('view', 'surface');
    this.redraw();
  }

  show(result: AnalysisResult): void {
    if (result.kind === 'curvature-map') {
      this.askedCurvature = result.id;
      this.redraw();
    }
    if (result.kind === 'landscapes') {
      this.asked = result.id;
      this.plane.value = 'snapshots';
      this.split.value = splitOf(result);
      this.redraw();
      return;
    }
    if (result.kind !== 'contour') return;
    this.asked = result.id;
    this.plane.value = result.plane.kind;
    this.split.value = result.data.split;
    this.redraw();
  }

  update(state: PanelState): void {
    this.state = state;
    this.status.update(state);
    // Other planes are asked for elsewhere; what is kept of them is drawn here as well.
    if (state.view !== null)
      this.plane.setChoices(
        planeChoices([
          ...resultsOf(state.view, 'contour').map(({ plane }) => plane.kind),
          ...(resultsOf(state.view, 'landscapes').length > 0 ? ['snapshots'] : []),
          ...state.running.flatMap(({ job }) => (isPicture(job) ? (planeKind(job) ?? []) : [])),
        ]),
      );
    const running = runningOf(state, ['contour', 'landscapes']);
    // A picture that has just been asked for comes to the front with its plane.
    const job = running !== null && isPicture(running.job) ? running.job : null;
    if (job !== null && running !== null && this.followed !== running.number) {
      this.followed = running.number;
      const kind = planeKind(job);
      if (kind !== null) this.plane.value = kind;
      if (kind === 'snapshots') this.asked = null;
      if (!this.both) this.split.value = job.split ?? 'train';
    }
    this.compute.disabled =
      running !== null || !isName(this.plane.value) || (state.view?.snapshots.length ?? 0) === 0;
    this.redraw();
  }
  private followed = 0;
  /** The result that was asked for by its id. */
  private asked: string | null = null;
  private path = '';

  /** The split of the picture itself. */
  private get own(): Split {
    return this.split.value === 'validation' ? 'validation' : 'train';
  }
  private get both(): boolean {
    return this.split.value === 'both';
  }

  private start(): void {
    const run = this.state?.view?.run.id;
    const plane = this.plane.value as Plane;
    if (run === undefined || !isName(plane)) return;
    this.asked = null;
    const size = Number(this.size.value);
    const held = this.state?.view?.run.evaluationSet?.validation != null;
    const splits: readonly Split[] = this.both && held ? ['train', 'validation'] : [this.own];
    for (const split of splits) this.actions.start({ kind: 'contour', run, plane, size, split });
  }

  private redraw(): void {
    for (const [key, field] of this.choices) this.shown.set(key, field.value);
    this.undo.hidden = this.changes.length === 0;
    const { view } = this.state ?? {};
    if (!this.state || !view) return;
    const running = runningOf(this.state, ['contour', 'landscapes']);
    const kept = resultsOf(view, 'contour').filter(
      (result) => result.plane.kind === this.plane.value && result.data.split === this.own,
    );
    const drawn = this.state.running.filter(({ job }) => isPicture(job) && isDrawnHere(job));
    const partial = drawn.find(({ job }) => !this.both || splitAsked(job) === this.own)?.partial ?? null;
    const own =
      (partial?.kind === 'contour' ? partial : null) ??
      kept.find(({ id }) => id === this.asked) ??
      kept.find((one) => one.x.length >= Number(this.size.value)) ??
      kept[0] ??
      null;
    this.set =
      partial?.kind === 'landscapes'
        ? partial
        : partial === null
          ? this.setWith(view, own?.id ?? null)
          : null;
    const of = this.landscapes.show(this.set, view.run.id, JSON.stringify(this.set?.provenance.job));
    const result = this.set === null ? own : (of?.contour ?? null);
    this.result = result;
    const maps = resultsOf(view, 'curvature-map');
    this.curvature.show(maps.find(({ id }) => id === this.askedCurvature) ?? maps[0] ?? null);
    const scale = this.colour.value as ScaleKind;
    const beside = (this.beside =
      this.both && this.set === null && result !== null
        ? ([
            ...drawn.flatMap(({ partial: one }) => (one?.kind === 'contour' ? [one] : [])),
            ...resultsOf(view, 'contour'),
          ].find((one) => one.data.split === 'validation' && samePlace(one, result)) ?? null)
        : null);
    const shared =
      beside === null || result === null ? null : lossScale(valuesOf(result.loss, beside.loss), scale);
    const picture = this.chart.show(result, scale, of === null ? shared : this.landscapes.scale(scale));
    this.side.show(this.view.value === 'surface' ? null : beside, scale, shared);
    this.ownTitle.hidden = beside === null;
    this.pair.classList.toggle('both', beside !== null);
    this.stage.hidden = picture === null && this.set === null;
    this.empty.hidden = picture !== null || this.set !== null || running !== null;
    this.compute.textContent = kept.length > 0 ? strings.computeAgain : strings.compute;
    if (!this.empty.hidden)
      this.showEmpty(view.snapshots.length > 0, view.run.evaluationSet?.validation != null);
    if (picture !== null) {
      const [newest = null] = resultsOf(view, 'point');
      this.picked.show(
        picture.result,
        runningOf(this.state, ['point']) !== null,
        newest,
        of === null || of.of.run === view.run.id,
      );
      this.chart.mark(this.picked.at);
      this.describe(picture);
      this.followPath(picture.result);
      this.showCompared(picture.result);
    }
    void this.showView(picture);
  }

  /** The set that was asked for, or the newest of this plane's where no newer contour stands before it. @param id of the contour that would be shown */
  private setWith(view: RunView, id: string | null): LandscapesResult | null {
    if (this.plane.value !== 'snapshots') return null;
    const sets = resultsOf(view, 'landscapes').filter((set) => splitOf(set) === this.own);
    const asked = sets.find((set) => set.id === this.asked);
    if (asked !== undefined) return asked;
    if (id !== null && id === this.asked) return null;
    const created = view.results.find((one) => one.id === id)?.provenance.created ?? '';
    return sets.find((set) => set.provenance.created >= created) ?? null;
  }

  private showEmpty(ready: boolean, validation: boolean): void {
    const words = ready
      ? strings.empty.contour(strings.plane[this.plane.value as PlaneName])
      : { ...strings.empty.snapshots, action: '' };
    const possible = ready && (validation || this.own === 'train');
    fill(
      this.empty,
      emptyElement(
        words.title,
        words.text,
        possible ? button(words.action, () => this.start(), 'primary') : null,
      ),
    );
  }

  private describe(picture: ContourPicture): void {
    const { result, resolution } = picture;
    const whole = `${result.x.length} × ${result.y.length}`;
    const { clientWidth: width, clientHeight: height } = this.chartElement;
    setText(
      this.caption,
      result.complete
        ? contourLayout(result, { width, height }).equal
          ? ''
          : strings.scales
        : resolution === null
          ? strings.partial(String(result.evaluated), String(result.x.length * result.y.length))
          : strings.refining(`${resolution[0]} × ${resolution[1]}`, whole),
    );
    this.points.element.hidden = result.interpolation === undefined;
    const { set } = this;
    this.table.show(() => [...(set === null ? [] : [landscapesTable(set)]), ...contourTables(result)]);
    const trust = [...(set?.trust ?? []), ...result.trust];
    const shown = set ?? result;
    const { beside } = this;
    const key = `${shown.id} ${result.id} ${beside?.id} ${shown.complete} ${trust.join()}`;
    if (key === this.described) return;
    this.described = key;
    fill(
      this.below,
      trustElement(trust),
      shown.complete ? provenanceElement(shown) : null,
      beside === null ? null : trustElement(beside.trust),
      beside?.complete === true ? provenanceElement(beside) : null,
    );
  }

  /** The scrubber goes along the trajectory that is drawn, and starts anew only where that has changed. */
  private followPath({ id, trajectory }: ContourResult): void {
    const key = `${id} ${trajectory.length}`;
    if (key === this.path) return;
    this.path = key;
    this.scrubber.show(trajectory.map(({ step }) => strings.step(step)));
    this.scrubber.toEnd();
    this.chart.go(null);
  }

  private showCompared(result: ContourResult): void {
    const names = comparedNames(result);
    this.compared.hidden = names.length < 2 || !this.surfaceElement.hidden;
    if (result.id !== this.comparing) this.chart.compare(null);
    this.comparing = result.id;
    this.between.show(names);
  }
  private comparing = '';

  private async showView(picture: ContourPicture | null): Promise<void> {
    const wanted = this.view.value === 'surface' && picture !== null && !this.surfaceRefused;
    this.chartElement.hidden = wanted;
    this.surfaceElement.hidden = !wanted;
    this.picked.element.hidden = wanted;
    this.scrubber.element.hidden = wanted || (picture?.result.trajectory.length ?? 0) < 2;
    this.compared.hidden = wanted || (picture?.result.plane.corners?.length ?? 0) < 2;
    if (wanted) for (const one of [this.scrubber, this.between, this.landscapes]) one.stop();
    if (!wanted) {
      if (this.view.value === 'surface' && this.surfaceRefused) setText(this.caption, strings.noWebgl);
      return;
    }
    if (this.surface === null) {
      setText(this.caption, strings.loading3d);
      this.surface = await this.load3d();
      this.surfaceRefused = this.surface === null;
      // What is to be shown may have changed meanwhile.
      this.redraw();
      return;
    }
    this.surface.show(picture);
  }

  /** null without WebGL. */
  private load3d(): Promise<Surface3d | null> {
    this.loading3d ??= import('./surface3d.ts').then(({ Surface3d, hasWebgl }) =>
      hasWebgl() ? new Surface3d(this.surfaceElement) : null,
    );
    return this.loading3d;
  }

  private exportable() {
    const result = this.result;
    if (result === null) return null;
    const in3d = !this.surfaceElement.hidden && this.surface !== null;
    return {
      name: `${result.run}-${result.id}`,
      chart: in3d ? this.surface : this.chart.chart,
      csv: () => contourCsv(result),
      json: () => this.set ?? result,
      tables: () => [...(this.set === null ? [] : [landscapesTable(this.set)]), ...contourTables(result)],
      result,
    };
  }
}

const isName = (plane: string): plane is PlaneName => planeNames.some((name) => name === plane);

type PictureJob = ContourJob | LandscapesJob;
const isPicture = (job: Job): job is PictureJob => job.kind === 'contour' || job.kind === 'landscapes';

const splitOf = ({ provenance }: LandscapesResult): Split =>
  (provenance.job as Partial<LandscapesJob> | null)?.split ?? 'train';

const splitAsked = (job: Job): Split => (isPicture(job) ? job.split : undefined) ?? 'train';

/** Whether two contours are of the same points in weight space. */
const samePlace = (a: ContourResult, b: ContourResult): boolean =>
  a.plane.kind === b.plane.kind &&
  a.at === b.at &&
  a.plane.directions.every(({ seed }, i) => seed === b.plane.directions[i]?.seed) &&
  (a.plane.corners ?? []).every(({ at }, i) => at === b.plane.corners?.[i]?.at) &&
  sameGrid(a, b);

/** The kind of plane that a job's picture will have here; null for one that is drawn elsewhere, as through an average. */
function planeKind(job: PictureJob): Plane | null {
  if (job.kind === 'landscapes') return 'snapshots';
  const { plane, beside } = job;
  if (typeof plane === 'string') return plane;
  const compares = beside !== undefined || plane.some((at) => String(at).includes(':'));
  const snapshots = plane.length === 3 && plane.every((at) => /^(\d+|first|last)$/.test(String(at)));
  return plane.length === 3 && (compares || snapshots) ? 'snapshots' : null;
}

const isDrawnHere = (job: PictureJob): boolean => planeKind(job) !== null;

/** Planes that can be asked for by name, and those that there are results of. @param kept kinds of plane */
function planeChoices(kept: readonly string[]): { value: string; label: string }[] {
  return Object.entries(strings.plane)
    .filter(([value]) => isName(value) || kept.includes(value))
    .map(([value, label]) => ({ value, label }));
}
