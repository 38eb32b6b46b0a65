/**
 * The path through every recorded step, in the sketch: coordinates sampled from the weights and scaled so that squared
 * distances are kept in expectation.
 *
 * The sketch is streamed twice. The first time gives lengths, angles and the mean, and keeps up to 512 points, evenly
 * spread, whose principal components are taken; the second time measures every point against those components, so that
 * shares are of the variance of all points. For n points and m coordinates: O(n·m) work, O(512·m) memory.
 */
import { cancelled } from '../protocol/errors.ts';
import type { PathPoint, SketchedPath } from '../protocol/trajectory.ts';
import { deviation, mean, median } from './moments.ts';
import { degreesBetween, describePath, thinPath } from './path.ts';
import { principalComponents, randomWalkShares, turnsAround } from './pca.ts';

/** Points whose components are taken: an eigenproblem of this size takes half a second. */
const MOST_CHOSEN = 512;
/** Points that a result keeps. */
const MOST_POINTS = 500;

export interface SketchSource {
  readonly dimension: number;
  /** The recorded points from the first on, each time that it is called. */
  readonly records: () => AsyncIterable<{ readonly step: number; readonly values: ArrayLike<number> }>;
}

/** Norms of all weights, as recorded at a step; null where they were not. */
export interface RecordedNorms {
  /** ‖θ_k − θ_{k−1}‖ */
  readonly update: number | null;
  /** ‖θ_k − θ_0‖ */
  readonly distance: number | null;
}

/**
 * @param parameters n, of which `dimension` are in the sketch
 * @param norms by step
 * @param count components that are told
 * @returns null for fewer than three finite points, and where all are the same
 * @throws BasinError `cancelled`
 */
export async function sketchedPath(
  sketch: SketchSource,
  parameters: number,
  norms: ReadonlyMap<number, RecordedNorms>,
  count: number,
  signal: AbortSignal,
): Promise<SketchedPath | null> {
  const walked = await walk(sketch, signal);
  const { steps, chosen, middle } = walked;
  if (steps.length < 3) return null;
  const { coefficients } = principalComponents(gramAbout(chosen, middle), Math.max(2, count));
  if (coefficients.length === 0) return null;
  const directions = coefficients.map((c) => combination(chosen, c));
  const measured = await project(sketch, walked, directions, signal);
  const [x = [], y = []] = [0, 1].map((k) => {
    const along = measured.along[k] ?? steps.map(() => 0);
    return turnsAround(along, k) ? along.map((a) => -a) : along;
  });
  const points = steps.map((step, i): PathPoint => {
    const [a, b] = [x[i] ?? 0, y[i] ?? 0];
    const recorded = norms.get(step);
    const single = step - (steps[i - 1] ?? -Infinity) === 1;
    return {
      step,
      x: a,
      y: b,
      distance: Math.sqrt(Math.max(0, (measured.squares[i] ?? 0) - a * a - b * b)),
      speed: recorded?.update ?? (single ? (walked.ways[i] ?? null) : null),
      turning: walked.turning[i] ?? null,
      fromStart: recorded?.distance ?? walked.fromStart[i] ?? 0,
    };
  });
  const baseline = randomWalkShares(
    chosen.map((c) => c.step),
    Math.max(2, count),
  );
  const path = describePath(points, measured.shares, baseline, count);
  return {
    ...path,
    points: thinPath(path.points, MOST_POINTS),
    dimension: sketch.dimension,
    every: median(steps.slice(1).map((step, i) => step - (steps[i] ?? 0))) ?? 1,
    error: samplingError(walked.farthest, parameters),
    measuredError: measuredError(walked, norms),
  };
}

interface Chosen {
  readonly step: number;
  readonly values: Float64Array;
}

interface Walked {
  readonly steps: readonly number[];
  /** In the sketch: ‖θ_k − θ_start‖, the way from the point before, and the angle between it and the next, degrees. */
  readonly fromStart: readonly number[];
  readonly ways: readonly number[];
  readonly turning: readonly (number | null)[];
  /** The mean of all points. */
  readonly middle: Float64Array;
  readonly chosen: readonly Chosen[];
  /** θ_k − θ_start at the point farthest from the start. */
  readonly farthest: Float64Array;
}

async function walk({ dimension, records }: SketchSource, signal: AbortSignal): Promise<Walked> {
  const steps: number[] = [];
  const fromStart: number[] = [];
  const ways: number[] = [];
  const turning: (number | null)[] = [];
  const middle = new Float64Array(dimension);
  let chosen: Chosen[] = [];
  let stride = 1;
  let [reach, farthest] = [0, new Float64Array(dimension)];
  let [start, last, way] = [new Float64Array(0), new Float64Array(0), new Float64Array(0)];
  for await (const { step, values } of records()) {
    if (signal.aborted) throw cancelled();
    const now = Float64Array.from(values);
    if (!now.every(Number.isFinite)) continue;
    if (steps.length === 0) start = last = now;
    const displacement = now.map((value, k) => value - (start[k] ?? 0));
    const ahead = now.map((value, k) => value - (last[k] ?? 0));
    const distance = Math.sqrt(dot(displacement, displacement));
    if (distance > reach) [reach, farthest] = [distance, displacement];
    if (steps.length > 1) {
      turning[steps.length - 1] = degreesBetween(dot(way, ahead), dot(way, way), dot(ahead, ahead));
    }
    for (let k = 0; k < dimension; k++) middle[k] = (middle[k] ?? 0) + (displacement[k] ?? 0);
    if (steps.length % stride === 0) {
      chosen.push({ step, values: now });
      if (chosen.length > MOST_CHOSEN) {
        stride *= 2;
        chosen = chosen.filter((_, i) => i % 2 === 0);
      }
    }
    steps.push(step);
    fromStart.push(distance);
    ways.push(Math.sqrt(dot(ahead, ahead)));
    turning.push(null);
    [last, way] = [now, ahead];
  }
  const points = Math.max(1, steps.length);
  return {
    steps,
    fromStart,
    ways,
    turning,
    middle: middle.map((sum, k) => (start[k] ?? 0) + sum / points),
    chosen,
    farthest,
  };
}

/** Every point's coordinates along the directions, and its squared distance from the mean of all. */
async function project(
  { records }: SketchSource,
  { steps, middle }: Walked,
  directions: readonly Float64Array[],
  signal: AbortSignal,
): Promise<{ along: number[][]; squares: number[]; shares: number[] }> {
  const along: number[][] = directions.map(() => []);
  const squares: number[] = [];
  for await (const { step, values } of records()) {
    if (signal.aborted) throw cancelled();
    // A run that goes on recording may have more by now, and points that are not finite are in no list.
    if (step !== steps[squares.length]) continue;
    const centred = middle.map((value, k) => (values[k] as number) - value);
    directions.forEach((direction, k) => along[k]?.push(dot(direction, centred)));
    squares.push(dot(centred, centred));
  }
  const total = squares.reduce((s, value) => s + value, 0);
  const shares = along.map((values) => values.reduce((s, a) => s + a * a, 0) / total);
  return { along, squares, shares };
}

function gramAbout(points: readonly Chosen[], origin: Float64Array): number[][] {
  const rows = points.map(({ values }) => values.map((value, k) => value - (origin[k] ?? 0)));
  const gram = rows.map(() => new Array<number>(rows.length).fill(0));
  rows.forEach((a, i) => {
    for (let j = i; j < rows.length; j++) {
      const value = dot(a, rows[j] as Float64Array);
      (gram[i] as number[])[j] = value;
      (gram[j] as number[])[i] = value;
    }
  });
  return gram;
}

/** Σ_i c_i·θ_i for coefficients that sum to 0. */
function combination(points: readonly Chosen[], coefficients: readonly number[]): Float64Array {
  const sum = new Float64Array(points[0]?.values.length ?? 0);
  const origin = points[0]?.values ?? sum;
  points.forEach(({ values }, i) => {
    const c = coefficients[i] ?? 0;
    for (let k = 0; k < sum.length; k++) sum[k] = (sum[k] ?? 0) + c * ((values[k] ?? 0) - (origin[k] ?? 0));
  });
  return sum;
}

/**
 * Relative standard error of a distance told by m coordinates of n: half of that of its square, a mean over a sample
 * without replacement, sd(d²)/(mean(d²)·√m)·√(1 − m/n). For Gaussian displacements this is √(1/2m), the error of a
 * Gaussian projection (Johnson & Lindenstrauss); a few weights that move alone make it larger.
 */
function samplingError(displacement: Float64Array, parameters: number): number {
  const squares = Array.from(displacement, (d) => d * d);
  const m = squares.length;
  const average = mean(squares);
  if (m >= parameters || m < 2 || !(average > 0)) return 0;
  return (deviation(squares) / average / Math.sqrt(m) / 2) * Math.sqrt(1 - m / parameters);
}

function measuredError(
  { steps, fromStart }: Walked,
  norms: ReadonlyMap<number, RecordedNorms>,
): number | null {
  // The sketch's start has to be the run's for the two distances to be the same.
  if (steps[0] !== 0) return null;
  const errors = steps.flatMap((step, i) => {
    const recorded = norms.get(step)?.distance ?? 0;
    return recorded > 0 ? [((fromStart[i] ?? 0) / recorded - 1) ** 2] : [];
  });
  return errors.length === 0 ? null : Math.sqrt(mean(errors));
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += (a[k] as number) * (b[k] as number);
  return sum;
}
