/** The landscapes of several runs on one plane, seen from the run that is shown: one colour scale, and what goes between them. */
import type { Landscape, LandscapesResult } from '../src/protocol/landscapes.ts';
import type { ComparedPath, ContourResult, PlaneCorner } from '../src/protocol/results.ts';
import type { TableData } from './dataTable.ts';
import { h, fill } from './dom.ts';
import { formatNumber, formatWithError } from './format.ts';
import { errorElement } from './lens.ts';
import { lossScale, valuesOf, type LossScale, type ScaleKind } from './lossScale.ts';
import { amount } from './provenance.ts';
import { Scrubber } from './scrubber.ts';
import { strings } from './strings.ts';

const words = strings.landscapes;

/** A landscape with an answer. */
interface Shown {
  readonly of: Landscape;
  readonly contour: ContourResult;
}

/** Those that there are, every one with the models and paths as the run `home` calls them. */
export function shownLandscapes({ landscapes }: LandscapesResult, home: string): Shown[] {
  const directions = landscapes.find(({ run }) => run === home)?.contour?.plane.directions;
  return landscapes.flatMap((of) =>
    of.contour === null ? [] : [{ of, contour: seenFrom(of.contour, of, home, landscapes, directions) }],
  );
}

/** One scale for all of them. */
export function sharedScale(shown: readonly Shown[], kind: ScaleKind): LossScale | null {
  return lossScale(valuesOf(...shown.map(({ contour }) => contour.loss)), kind);
}

/** The same picture with the home run's path as its own: a run has one colour and one name in all of the landscapes. */
function seenFrom(
  contour: ContourResult,
  { run, name }: Landscape,
  home: string,
  all: readonly Landscape[],
  directions: ContourResult['plane']['directions'] | undefined,
): ContourResult {
  const { plane, paths = [], trajectory } = contour;
  const own = paths.find((path) => path.run === home);
  if (run === home || own === undefined) return contour;
  const renamed = (corner: PlaneCorner): PlaneCorner => {
    const { at } = corner;
    if (at.startsWith(`${home}:`)) return { ...corner, at: at.slice(home.length + 1) };
    return { ...corner, at: at.includes(':') ? at : `${run}:${at}` };
  };
  const others: ComparedPath[] = [{ run, name, trajectory }, ...paths.filter((path) => path !== own)];
  const place = ({ run: id }: ComparedPath): number => all.findIndex((one) => one.run === id);
  return {
    ...contour,
    trajectory: own.trajectory,
    paths: others.sort((a, b) => place(a) - place(b)),
    plane: {
      ...plane,
      directions: directions ?? plane.directions,
      ...(plane.corners === undefined ? {} : { corners: plane.corners.map(renamed) }),
    },
  };
}

/** One row a run: what its landscape is of, or why there is none. */
export function landscapesTable({ landscapes }: LandscapesResult): TableData {
  return {
    caption: words.table,
    columns: [words.run, words.origin, words.lowest, words.highest, words.samples],
    rows: landscapes.map(({ name, contour, error }) => {
      if (contour === null) return [name, '–', '–', '–', error?.message ?? words.waiting];
      const losses = valuesOf(contour.loss).filter((loss) => loss !== null);
      const extreme = (better: (a: number, b: number) => boolean): string =>
        formatNumber(losses.reduce<number | null>((a, b) => (a === null || better(b, a) ? b : a), null));
      const { loss, standardError = null } = contour.centre;
      return [
        name,
        loss === null ? '–' : formatWithError(loss, standardError),
        extreme((a, b) => a < b),
        extreme((a, b) => a > b),
        amount(contour.data),
      ];
    }),
  };
}

/** A slider from run to run, and beside it what has no answer. */
export class LandscapeChoice {
  readonly element: HTMLElement;
  private readonly scrubber: Scrubber;
  private readonly missing = h('div', {});
  private shown: readonly Shown[] = [];
  /** The run that was gone to; null until one was. */
  private chosen: string | null = null;
  private set: string | null = null;
  private told = '';

  /** @param onMove another landscape is to be drawn */
  constructor(onMove: () => void) {
    this.scrubber = new Scrubber(words.scrub, (place) => {
      this.chosen = this.shown[place]?.of.run ?? null;
      onMove();
    });
    this.element = h(
      'div',
      { class: 'landscapes', hidden: true },
      h('span', { class: 'note' }, words.title),
      this.scrubber.element,
      this.missing,
    );
  }

  /** @param home the run that is shown; its own landscape is in front at first @param job what the set was asked by */
  show(set: LandscapesResult | null, home: string, job: string): Shown | null {
    this.element.hidden = set === null;
    if (set === null) {
      this.scrubber.stop();
      this.shown = [];
      return null;
    }
    // A set that is refined and the one that is kept of it are one: the hand stays where it was.
    if (this.set !== job) this.chosen = null;
    this.set = job;
    this.shown = shownLandscapes(set, home);
    this.scrubber.show(this.shown.map(({ of }) => of.name));
    const wanted = this.chosen ?? (set.complete ? home : (this.shown.at(-1)?.of.run ?? home));
    const place = Math.max(
      0,
      this.shown.findIndex(({ of }) => of.run === wanted),
    );
    if (this.scrubber.place !== place) this.scrubber.to(place);
    this.tell(set);
    return this.shown[place] ?? null;
  }

  scale(kind: ScaleKind): LossScale | null {
    return sharedScale(this.shown, kind);
  }

  stop(): void {
    this.scrubber.stop();
  }

  /** What failed stands where its landscape would be, and is said once. */
  private tell({ landscapes }: LandscapesResult): void {
    const failed = landscapes.flatMap(({ name, error }) => (error === null ? [] : [{ name, error }]));
    const key = JSON.stringify(failed);
    if (key === this.told) return;
    this.told = key;
    fill(
      this.missing,
      ...failed.map(({ name, error: { message, cure } }) =>
        errorElement({
          message: words.refused(name, message),
          ...(cure === undefined ? {} : { cure }),
        }),
      ),
    );
  }
}
