/** Loss over a plane in weight space, coarse to fine. */
import { BasinError } from '../protocol/errors.ts';
import type { HowToEvaluate, LossValue } from '../protocol/evaluator.ts';
import type {
  ContourResult,
  Interpolation,
  PlaneCorner,
  PlaneRepeats,
  TrajectoryPoint,
} from '../protocol/results.ts';
import type { Maybe } from '../protocol/result.ts';
import { buildPlane } from './buildPlane.ts';
import { fingerprintOf, fits, sameLoss, type ContourPoints, type KnownPoint } from './contourPoints.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { finite } from './finite.ts';
import { howToEvaluate, lossAt, type Draft } from './model.ts';
import type { Plane, PlaneInput } from './plane.ts';
import { Refinement, type GridPoint } from './refinement.ts';
import { repeatRandomPlane, repeatsSentence } from './repeats.ts';
import { requireReplay } from './replay.ts';
import { dataSentence, replaySentence } from './trust.ts';
import { contourSentences, resumedSentences } from './trustContour.ts';
import { withVectors, type Vectors } from './vectors.ts';

export interface ContourInput extends PlaneInput {
  /**
   * Snapshots whose own loss is evaluated beside the grid, spread evenly over the run; by default one for every 16
   * points of the grid, from 9 to 64. Those that a plane goes through are always among them.
   */
  readonly evaluatedSnapshots?: number;
  /** Random planes to compare a random one with, itself among them. */
  readonly seeds?: number;
  /** Evaluate only where isolines need it and interpolate elsewhere; default false: every point. */
  readonly adaptive?: boolean;
  /** What the same question had found when it was interrupted; it is left out where it does not fit. */
  readonly known?: ContourPoints;
}

/** Seconds of work in one request: long enough to hide its overhead, short enough to cancel and to show progress. */
const SECONDS_PER_REQUEST = 0.4;
const MOST_POINTS_PER_REQUEST = 256;
/** Seconds of evaluation after which a long pass shows what it has. */
const SECONDS_PER_PUBLICATION = 1;

/**
 * Evaluates the loss over a grid that has the origin as one of its points: every 8th point along each axis first,
 * then every 4th, 2nd and all. Values that are not finite, and points not reached yet, are null.
 * Adaptively, a level is as a pass is, but of the points that interpolation from coarser levels would get visibly wrong.
 * The losses of the snapshots themselves are evaluated last, in the same way as the grid's.
 *
 * @param publish is given a partial result (`complete: false`) and the points that it has after each pass, within long
 *   passes about once a second, and a last time with everything there is when the analysis is cancelled
 * @throws BasinError `bad-input` when the snapshots span no such plane, `non-finite` when the origin's weights are
 *   NaN or infinite, `not-replayable`, `cancelled`
 */
export async function contour(
  evaluator: Evaluator,
  input: ContourInput,
  context: AnalysisContext,
  publish: (partial: Draft<ContourResult>, points: ContourPoints) => void = () => undefined,
): Promise<Draft<ContourResult>> {
  const { size } = input;
  if (!Number.isInteger(size) || size % 2 === 0 || size < 5 || size > 401) {
    throw new BasinError(
      'bad-input',
      `A grid of ${size} points a side cannot be drawn.`,
      'Give an odd size from 5 to 401.',
    );
  }
  requireReplay(evaluator.description);
  return withVectors(evaluator, async (vectors) => {
    context.progress(0, 'finding the plane');
    const plane = await buildPlane(evaluator, vectors, input, context);
    const grid = new Grid(evaluator, input, plane);
    let last = 0;
    try {
      await grid.evaluateCentre(context);
      if (input.known !== undefined) await grid.adopt(input.known, context);
      for (const indices of grid.passes()) {
        const batches = grid.evaluate(indices, context);
        for await (const seconds of batches) {
          context.progress(
            grid.fraction(),
            `contour ${grid.evaluated} of ${input.adaptive === true ? 'at most ' : ''}${size * size}`,
          );
          if (seconds - last >= SECONDS_PER_PUBLICATION) {
            last = seconds;
            publish(grid.draft(false), grid.points());
          }
        }
        publish(grid.draft(false), grid.points());
      }
      await grid.evaluateSnapshots(vectors, context);
      await grid.evaluateBuilt(vectors, context);
      await grid.evaluateRepeats(vectors, context);
    } catch (error) {
      if (grid.evaluated > 0) publish(grid.draft(false), grid.points());
      throw error;
    }
    return grid.draft(true);
  });
}

/**
 * The grid's points in the order they are evaluated: lattices of every 8th, 4th, 2nd and every index of each axis,
 * each with the axis' last index, each without the points of the one before. Small grids start finer.
 */
export function passes(size: number): (readonly [row: number, column: number])[][] {
  let stride = 8;
  while (stride > 1 && (size - 1) / stride < 4) stride /= 2;
  const done = new Set<number>();
  const result: [number, number][][] = [];
  for (; stride >= 1; stride /= 2) {
    const lattice = Array.from({ length: size }, (_, i) => i).filter(
      (i) => i % stride === 0 || i === size - 1,
    );
    const points: [number, number][] = [];
    for (const row of lattice) {
      for (const column of lattice) {
        if (done.has(row * size + column)) continue;
        done.add(row * size + column);
        points.push([row, column]);
      }
    }
    result.push(points);
  }
  return result;
}

/** The values found so far, and how to find more. */
class Grid {
  evaluated = 0;
  private readonly how: HowToEvaluate;
  private readonly loss: Maybe[][];
  /** Every point that was evaluated, in the order it was. */
  private readonly found: KnownPoint[] = [];
  /** Points of `found` that an interrupted run had left; null where what it left does not fit. */
  private resumed: number | null | undefined = undefined;
  private readonly trajectory: TrajectoryPoint[];
  private centre: Maybe = null;
  private centreError: Maybe = null;
  private samples = 0;
  private seconds = 0;
  private pointsPerRequest = 1;
  private readonly refinement: Refinement | null;
  private repeats: PlaneRepeats | null | undefined = undefined;
  private readonly corners: PlaneCorner[];
  /** Snapshots to evaluate by themselves, as indices into the trajectory. */
  private readonly chosen: number[];
  /** Steps of the snapshots whose own loss has been evaluated. */
  private readonly settled = new Set<number>();

  constructor(
    private readonly evaluator: Evaluator,
    private readonly input: ContourInput,
    private readonly plane: Plane,
  ) {
    this.how = howToEvaluate(evaluator.description, input, true);
    this.loss = plane.y.map(() => plane.x.map(() => null));
    this.refinement = input.adaptive === true ? new Refinement(input.size) : null;
    this.trajectory = [...plane.trajectory];
    const fitting = Math.min(64, Math.max(9, Math.round(input.size ** 2 / 16)));
    this.corners = plane.corners.map(({ vector: _, ...place }) => ({ ...place, evaluated: null }));
    const evenly = new Set(spread(this.trajectory.length, input.evaluatedSnapshots ?? fitting));
    this.chosen = this.trajectory.flatMap((t, i) =>
      evenly.has(i) || this.corners.some(({ at }) => at === String(t.step)) ? [i] : [],
    );
  }

  /** The points in the order they are evaluated; what a pass asks for may depend on what the ones before have found. */
  passes(): Iterable<readonly GridPoint[]> {
    if (this.refinement !== null) return this.refinement.levels();
    const known = new Set(this.found.map(([row, column]) => row * this.input.size + column));
    return passes(this.input.size).map((points) =>
      points.filter(([row, column]) => !known.has(row * this.input.size + column)),
    );
  }

  fraction(): number {
    // Nobody knows how many points refinement will want: as a rule no more than half of them.
    return Math.min(this.refinement === null ? 1 : 0.95, this.evaluated / this.total());
  }

  private total(): number {
    const points = this.plane.x.length * this.plane.y.length;
    // A snapshot costs about as much as a point.
    return (this.refinement === null ? points : points / 2) + this.chosen.length;
  }

  async evaluateCentre(context: AnalysisContext): Promise<void> {
    const value = await this.ownLoss(this.plane.origin, context);
    this.centre = finite(value.loss);
    this.centreError = finite(value.standardError ?? NaN);
    this.samples = value.samples;
  }

  /** Takes over what an interrupted run had found, where the plane and a point evaluated again are what they were. */
  async adopt(known: ContourPoints, { signal }: AnalysisContext): Promise<void> {
    this.resumed = null;
    const { origin, directions, x, y } = this.plane;
    const last = known.points.at(-1);
    if (last === undefined || !fits(known, this.plane, this.centre)) return;
    const [row, column, loss] = last;
    const coefficients = [[x[column] ?? 0, y[row] ?? 0]];
    const { points } = await this.evaluator.loss({ origin, directions, coefficients, how: this.how }, signal);
    if (!sameLoss(finite(points[0]?.loss ?? NaN), loss)) return;
    for (const point of known.points) this.note(point);
    for (const [step, evaluated] of known.snapshots) {
      const k = this.trajectory.findIndex((t) => t.step === step);
      const at = this.trajectory[k];
      if (at === undefined) continue;
      this.trajectory[k] = { ...at, evaluated };
      this.settled.add(step);
      this.noteCorner(String(step), evaluated);
    }
    this.resumed = known.points.length;
  }

  /** What an interrupted run leaves behind. */
  points(): ContourPoints {
    return {
      ...fingerprintOf(this.plane, this.centre),
      points: [...this.found],
      snapshots: this.trajectory
        .filter(({ step }) => this.settled.has(step))
        .map(({ step, evaluated }) => [step, evaluated] as const),
    };
  }

  private note(point: KnownPoint): void {
    const [row, column, loss] = point;
    const line = this.loss[row];
    if (line === undefined) return;
    line[column] = loss;
    this.refinement?.set([row, column], loss);
    this.found.push(point);
    this.evaluated++;
  }

  /** Evaluates points in batches; yields the seconds of evaluation so far after each. */
  async *evaluate(
    points: readonly (readonly [row: number, column: number])[],
    context: AnalysisContext,
  ): AsyncGenerator<number> {
    const { origin, directions, x, y } = this.plane;
    for (let next = 0; next < points.length;) {
      const batch = points.slice(next, next + this.pointsPerRequest);
      next += batch.length;
      const coefficients = batch.map(([row, column]) => [x[column] ?? 0, y[row] ?? 0]);
      const answer = await this.evaluator.loss(
        { origin, directions, coefficients, how: this.how },
        context.signal,
      );
      batch.forEach(([row, column], i) => {
        const value = answer.points[i];
        if (value === undefined) return;
        this.note([row, column, finite(value.loss), finite(value.standardError ?? NaN)]);
      });
      this.seconds += answer.seconds;
      const perPoint = answer.seconds / batch.length;
      const affordable = Math.floor(SECONDS_PER_REQUEST / Math.max(perPoint, 1e-6));
      this.pointsPerRequest = Math.max(1, Math.min(affordable, 4 * batch.length, MOST_POINTS_PER_REQUEST));
      yield this.seconds;
    }
  }

  async evaluateSnapshots(vectors: Vectors, context: AnalysisContext): Promise<void> {
    const begun = this.fraction();
    for (const [done, index] of this.chosen.entries()) {
      const at = this.trajectory[index];
      const snapshot = this.input.snapshots.find((s) => s.step === at?.step);
      if (at === undefined || snapshot === undefined || this.settled.has(at.step)) continue;
      const vector = await vectors.load(snapshot.vector, 'snapshot', context.signal);
      const { loss } = await this.ownLoss(vector, context);
      this.trajectory[index] = { ...at, evaluated: finite(loss) };
      this.settled.add(at.step);
      await vectors.release([vector]);
      this.noteCorner(String(at.step), finite(loss));
      const share = (done + 1) / this.chosen.length;
      context.progress(begun + (1 - begun) * share, `snapshot ${done + 1} of ${this.chosen.length}`);
    }
  }

  /** The loss of models that the plane goes through and that are no snapshots. */
  async evaluateBuilt(vectors: Vectors, { signal }: AnalysisContext): Promise<void> {
    for (const { at, vector } of this.plane.corners) {
      if (this.trajectory.some(({ step }) => String(step) === at)) continue;
      const loaded = await vectors.load(vector, 'corner', signal);
      this.noteCorner(at, finite((await lossAt(this.evaluator, loaded, this.how, signal)).loss));
      await vectors.release([loaded]);
    }
  }

  async evaluateRepeats(vectors: Vectors, context: AnalysisContext): Promise<void> {
    const { evaluator, input, plane, how, centre } = this;
    if (input.seeds === undefined || plane.description.kind !== 'random') return;
    const { origin } = plane;
    const asked = { origin, input, how, seeds: input.seeds, centre: centre ?? NaN };
    this.repeats = await repeatRandomPlane(evaluator, vectors, asked, context);
  }

  private noteCorner(at: string, evaluated: Maybe): void {
    const k = this.corners.findIndex((corner) => corner.at === at);
    const corner = this.corners[k];
    if (corner !== undefined) this.corners[k] = { ...corner, evaluated };
  }

  draft(complete: boolean): Draft<ContourResult> {
    const { input, plane } = this;
    const filled = complete ? this.filled() : null;
    const sorted = this.found
      .flatMap(([, , , error]) => (error === null ? [] : [error]))
      .sort((a, b) => a - b);
    const body = {
      kind: 'contour' as const,
      at: plane.at,
      data: { split: input.data.split, samples: this.samples },
      plane:
        this.corners.length === 0 ? plane.description : { ...plane.description, corners: [...this.corners] },
      x: plane.x,
      y: plane.y,
      loss: filled?.loss ?? this.loss.map((row) => [...row]),
      ...(this.repeats === undefined ? {} : { repeats: this.repeats }),
      ...(filled === null ? {} : { interpolation: filled.interpolation }),
      standardError: sorted[Math.floor(sorted.length / 2)] ?? null,
      pointErrors: this.pointErrors(),
      trajectory: [...this.trajectory],
      ...(plane.paths === undefined ? {} : { paths: plane.paths }),
      centre: { loss: this.centre, standardError: this.centreError },
      evaluated: this.evaluated,
      ...(typeof this.resumed === 'number' ? { resumed: this.resumed } : {}),
      complete,
      refreshedStatistics: this.how.refresh,
    };
    return {
      ...body,
      trust: [
        ...contourSentences(body, plane),
        ...resumedSentences(this.resumed),
        ...(this.repeats ? [repeatsSentence(this.repeats)] : []),
        dataSentence(body.data, input.mode, this.how.refresh),
        ...replaySentence(this.evaluator.description),
      ],
    };
  }

  /** All values where some are interpolated; null where every one is evaluated. */
  private filled(): { loss: Maybe[][]; interpolation: Interpolation } | null {
    const { refinement } = this;
    if (refinement === null) return null;
    return {
      loss: refinement.filled(),
      interpolation: {
        of: refinement.unit,
        relativeError: refinement.interpolationError(),
        evaluated: this.plane.y.map((_, row) =>
          this.plane.x.map((__, column) => (refinement.isEvaluated(row, column) ? 1 : 0)),
        ),
      },
    };
  }

  /** Of each evaluated point's loss, as the grid lies. */
  private pointErrors(): Maybe[][] {
    const errors = this.loss.map((row) => row.map((): Maybe => null));
    for (const [row, column, , error] of this.found) {
      const line = errors[row];
      if (line !== undefined) line[column] = error;
    }
    return errors;
  }

  private ownLoss(vector: string, { signal }: AnalysisContext): Promise<LossValue> {
    return lossAt(this.evaluator, vector, this.how, signal);
  }
}

/** At most `count` of 0..length−1, evenly spread, first and last among them. */
function spread(length: number, count: number): number[] {
  if (count <= 0) return [];
  if (length <= count) return Array.from({ length }, (_, i) => i);
  if (count === 1) return [length - 1];
  return Array.from({ length: count }, (_, i) => Math.round((i * (length - 1)) / (count - 1)));
}
