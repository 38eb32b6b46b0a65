/** A point of a contour that was clicked or typed: its loss, the nearest snapshot, and the button that makes it a model. */
import { nearestSnapshot } from '../src/protocol/points.ts';
import type { PointJob, PointResult } from '../src/protocol/points.ts';
import { sameGrid } from '../src/protocol/landscapes.ts';
import type { ContourResult } from '../src/protocol/results.ts';
import { button, numberField } from './controls.ts';
import { bilinear } from './contourGeometry.ts';
import type { Point } from './contourGeometry.ts';
import { h, setText } from './dom.ts';
import { formatNumber } from './format.ts';
import type { PanelActions } from './lens.ts';
import { strings } from './strings.ts';

const words = strings.picked;
const FAR = 1e12;

export class PickedPoint {
  readonly element: HTMLElement;
  private readonly x;
  private readonly y;
  private readonly facts = h('span', { role: 'status' });
  private readonly become;
  private readonly saved = h('p', { class: 'note', role: 'status' });
  private result: ContourResult | null = null;
  /** The newest of the run's points before one was asked for here; undefined while none was. */
  private before: string | null | undefined = undefined;

  /** @param onPick the point is another one, or is there for the first time */
  constructor(
    private readonly actions: PanelActions,
    private readonly onPick: (at: Point) => void,
  ) {
    const typed = { onChange: () => this.pick([this.x.number, this.y.number]), whole: false };
    this.x = numberField(words.x, 0, -FAR, FAR, typed);
    this.y = numberField(words.y, 0, -FAR, FAR, typed);
    this.become = button(words.become, () => this.start());
    this.become.disabled = true;
    this.element = h(
      'div',
      { class: 'picked', role: 'group', 'aria-label': words.label },
      h('span', { class: 'note' }, words.hint),
      this.x.element,
      this.y.element,
      this.become,
      this.facts,
      this.saved,
    );
  }

  /** Where on the plane; none was picked before the first one. */
  at: Point | null = null;

  /**
   * The picture that is looked at now: a point of another one means nothing here.
   * @param own whether it is of the run that is shown, which alone can be asked here
   */
  show(result: ContourResult, busy: boolean, newest: PointResult | null, own = true): void {
    this.own = own;
    this.newest = newest?.id ?? null;
    const isNew = newest !== null && this.before !== undefined && newest.id !== this.before;
    setText(this.saved, isNew ? words.saved(newest.model, newest.trust[0] ?? '') : '');
    if (result.id !== this.result?.id) {
      // On the same plane of another run the point is the same.
      if (!samePlane(result, this.result)) this.at = null;
      setText(this.facts, '');
    }
    this.result = result;
    this.become.disabled = this.at === null || busy || !result.complete || !own;
    this.become.title = own ? '' : strings.landscapes.elsewhere;
    if (this.at !== null) setText(this.facts, pointFacts(result, this.at));
  }

  pick(at: Point): void {
    if (this.result === null) return;
    this.at = at;
    this.x.value = String(Number(at[0].toPrecision(4)));
    this.y.value = String(Number(at[1].toPrecision(4)));
    // As the fields say it, so that what is shown is what is saved.
    this.at = [this.x.number, this.y.number];
    setText(this.facts, pointFacts(this.result, this.at));
    this.become.disabled = !this.result.complete || !this.own;
    this.onPick(this.at);
  }

  private newest: string | null = null;
  private own = true;

  private start(): void {
    const { at, result } = this;
    if (at === null || result === null) return;
    this.before = this.newest;
    this.actions.start(pointJob(result, at));
  }
}

const samePlane = (a: ContourResult, b: ContourResult | null): boolean =>
  b !== null && a.id !== b.id && a.run !== b.run && sameGrid(a, b);

/** The same plane, origin and samples as the picture's, so that the point is the one that is seen. */
export function pointJob(result: ContourResult, [x, y]: Point): PointJob {
  const asked = (result.provenance.job ?? {}) as Partial<PointJob>;
  const names = [
    'objective',
    'split',
    'mode',
    'plane',
    'at',
    'seed',
    'span',
    'normalise',
    'includeBiases',
    'orthogonalise',
  ] as const;
  const kept = Object.fromEntries(
    names.flatMap((name) => (asked[name] === undefined ? [] : [[name, asked[name]]])),
  ) as Partial<PointJob>;
  return {
    plane: 'pca',
    ...kept,
    kind: 'point',
    run: result.run,
    x,
    y,
    norms: result.plane.directions.map((d) => d.norm),
  };
}

/** The loss between the points of the grid, and the nearest snapshot in weight space. */
export function pointFacts(result: ContourResult, at: Point): string {
  const loss = bilinear(result, at);
  const nearest = nearestSnapshot(result.plane, result.trajectory, at);
  return [
    loss === null ? words.outside : words.loss(formatNumber(loss)),
    nearest === null ? '' : words.nearest(nearest.step, formatNumber(nearest.distance, 3)),
  ]
    .filter(Boolean)
    .join(' · ');
}
