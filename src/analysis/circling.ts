/**
 * When averaging starts to pay. Izmailov et al. (2018) see SGD with a constant rate travel along the boundary of a flat region
 * whose middle it does not reach: the average lies there. Three signs of it are in the recorded path. Its positions are
 * stationary around their mean, so they lose their memory within it: n/(1 + 2Σr) of n points are as good as independent. Displacements
 * over long times turn back: of a stationary path with correlation ρ between their ends the cosine is −(1 − ρ)/2 for an
 * Ornstein–Uhlenbeck process, which tends to 120°, while a random walk turns by 90° and a way downhill by 0°. And the loss is flat.
 */
import { cancelled } from '../protocol/errors.ts';
import type { Circling, CirclingStretch, CirclingVerdict } from '../protocol/circling.ts';
import { knownNumber, type StepRecord } from '../protocol/run.ts';
import { autocorrelation, centre, type Series } from './autocorrelation.ts';
import { finite } from './finite.ts';
import { deviation, mean } from './moments.ts';
import type { SketchSource } from './sketchedPath.ts';

/** Points that are kept, evenly spread: between half as many and these. */
const MOST_POINTS = 2048;
const MOST_COORDINATES = 256;
const FEWEST_POINTS = 32;
/** Stretches begin at multiples of this share of the path. */
const BEGINS = 16;
const SHORTEST = 0.25;

/** A random walk's 5 and a straight line's 4 lie below. */
const FEWEST_ROUNDS = 8;
/** Degrees; a random walk turns by 90, a circling path with 8 rounds by 115. */
const LEAST_TURNING = 104;
const SPREAD = 2;
/** A sixteenth may be half a round, which lies out by chance; a descent begins many spreads away. */
const MOST_BEGIN = 2.5;
/** A change of the loss below this share of it is flat, however well it is known. */
const FLAT = 0.05;
const LOSS_BLOCKS = 8;

interface Point {
  readonly step: number;
  readonly values: Float32Array;
}

/**
 * The longest stretch up to the end that is circled in, from the sketch and the recorded losses.
 * @param to last step that is looked at; the end of the run when absent
 * @throws BasinError `cancelled`
 */
export async function circling(
  sketch: SketchSource | null,
  steps: readonly StepRecord[],
  signal: AbortSignal,
  to = Infinity,
): Promise<Circling> {
  const points = sketch === null ? [] : await readPoints(sketch, to, signal);
  const losses = steps.flatMap((record) => {
    const loss = finite(knownNumber(record.loss));
    return loss === null ? [] : [{ step: record.step, loss }];
  });
  if (points.length < FEWEST_POINTS) return { verdict: 'unknown', stretch: null };
  const look = (begin: number): CirclingStretch | null => {
    if (signal.aborted) throw cancelled();
    const inside = points.slice(Math.floor(begin * points.length));
    return inside.length < FEWEST_POINTS ? null : stretchOf(inside, losses);
  };
  for (let k = 0; k / BEGINS <= 1 - SHORTEST; k++) {
    const stretch = look(k / BEGINS);
    if (stretch !== null && isCircled(stretch)) return { verdict: 'circling', stretch };
  }
  const stretch = look(2 / 3) ?? look(0);
  return { verdict: stretch === null ? 'unknown' : otherVerdict(stretch), stretch };
}

function isCircled({ rounds, turning, spread, begin, loss }: CirclingStretch): boolean {
  return (
    rounds >= FEWEST_ROUNDS &&
    turning >= LEAST_TURNING &&
    spread < SPREAD &&
    spread > 1 / SPREAD &&
    begin < MOST_BEGIN &&
    (loss === null || isFlat(loss))
  );
}

/** Not told from no change, or too small to matter. */
function isFlat({ change, standardError, mean: level }: NonNullable<CirclingStretch['loss']>): boolean {
  return Math.abs(change) <= Math.max(2 * standardError, FLAT * Math.abs(level ?? 0));
}

/** What contracts while it turns back and forth comes to rest; what contracts on its way does so because the way slows down. */
function otherVerdict({ spread, turning }: CirclingStretch): CirclingVerdict {
  return spread < 1 / SPREAD && turning >= 75 ? 'annealed' : 'going-on';
}

/** The finite points up to a step, thinned evenly to a bounded number. */
async function readPoints(sketch: SketchSource, to: number, signal: AbortSignal): Promise<Point[]> {
  const stride = Math.ceil(sketch.dimension / MOST_COORDINATES);
  const width = Math.ceil(sketch.dimension / stride);
  let points: Point[] = [];
  let [every, count] = [1, 0];
  for await (const { step, values } of sketch.records()) {
    if (signal.aborted) throw cancelled();
    if (step > to) break;
    if (count++ % every !== 0) continue;
    const chosen = Float32Array.from({ length: width }, (_, i) => values[i * stride] ?? NaN);
    // What diverges is no path to average over: what came before it is not either.
    if (!chosen.every(Number.isFinite)) return [];
    points.push({ step, values: chosen });
    if (points.length < MOST_POINTS) continue;
    points = points.filter((_, i) => i % 2 === 0);
    every *= 2;
  }
  return points;
}

function stretchOf(
  points: readonly Point[],
  losses: readonly { readonly step: number; readonly loss: number }[],
): CirclingStretch | null {
  const [from, to] = [points[0]?.step ?? 0, points.at(-1)?.step ?? 0];
  const width = points[0]?.values.length ?? 0;
  const series: Series = {
    length: points.length,
    width,
    values: Float64Array.from({ length: points.length * width }, (_, k) => {
      const point = points[Math.floor(k / width)];
      return point?.values[k % width] ?? 0;
    }),
  };
  centre(series);
  const { r } = autocorrelation(series);
  if (!((r[0] ?? 0) > 0)) return null;
  const half = points.length >> 1;
  const [first, second] = [centred(series, 0, half), centred(series, points.length - half, points.length)];
  const apart = first.mean.reduce((s, m, i) => s + (m - (second.mean[i] ?? 0)) ** 2, 0);
  const within = (first.square + second.square) / 2;
  return {
    from,
    to,
    points: points.length,
    rounds: effectivePoints(r),
    turning: turningOver(series, Math.max(1, points.length >> 3)),
    spread: second.square / first.square,
    begin: squareOf(series, Math.max(1, points.length >> 4)) / second.square,
    drift: apart / within,
    loss: lossChange(losses.filter(({ step }) => step >= from && step <= to)),
  };
}

/** n/(1 + 2Σ(1 − τ/n)·r(τ)), summed until r first falls to 0 (Geyer 1992). */
function effectivePoints(r: Float64Array): number {
  let sum = 0;
  for (let lag = 1; lag < r.length && (r[lag] ?? 0) > 0; lag++) sum += (1 - lag / r.length) * (r[lag] ?? 0);
  return r.length / (1 + 2 * sum);
}

/** The angle whose cosine is Σ⟨d_t, d_{t+lag}⟩/Σ‖d‖², d_t = θ_{t+lag} − θ_t. */
function turningOver({ length, width, values }: Series, lag: number): number {
  let [product, squares] = [0, 0];
  for (let t = 0; t + 2 * lag < length; t++) {
    for (let i = 0; i < width; i++) {
      const [a, b, c] = [t, t + lag, t + 2 * lag].map((at) => values[at * width + i] ?? 0) as [
        number,
        number,
        number,
      ];
      product += (b - a) * (c - b);
      squares += ((b - a) ** 2 + (c - b) ** 2) / 2;
    }
  }
  return (Math.acos(Math.min(1, Math.max(-1, product / squares))) * 180) / Math.PI;
}

/** The mean of some points, and their mean square distance from it. */
function centred({ width, values }: Series, from: number, to: number): { mean: number[]; square: number } {
  const middle = Array.from({ length: width }, (_, i) => {
    let sum = 0;
    for (let t = from; t < to; t++) sum += values[t * width + i] ?? 0;
    return sum / (to - from);
  });
  let square = 0;
  for (let t = from; t < to; t++)
    for (let i = 0; i < width; i++) square += ((values[t * width + i] ?? 0) - (middle[i] ?? 0)) ** 2;
  return { mean: middle, square: square / (to - from) };
}

/** Mean square of the first so many points of a centred series. */
function squareOf({ width, values }: Series, count: number): number {
  let sum = 0;
  for (let k = 0; k < count * width; k++) sum += (values[k] ?? 0) ** 2;
  return sum / count;
}

/** A straight line through the means of eight blocks, whose scatter around it gives the error. */
function lossChange(losses: readonly { readonly loss: number }[]): CirclingStretch['loss'] {
  if (losses.length < 2 * LOSS_BLOCKS) return null;
  const blocks = Array.from({ length: LOSS_BLOCKS }, (_, b) => {
    const edge = (k: number): number => Math.round((k * losses.length) / LOSS_BLOCKS);
    return mean(losses.slice(edge(b), edge(b + 1)).map(({ loss }) => loss));
  });
  const x = blocks.map((_, b) => (b + 0.5) / LOSS_BLOCKS - 0.5);
  const squares = x.reduce((s, value) => s + value * value, 0);
  const level = mean(blocks);
  const change = x.reduce((s, value, b) => s + value * (blocks[b] ?? 0), 0) / squares;
  const residuals = blocks.map((block, b) => block - level - change * (x[b] ?? 0));
  const scatter = deviation(residuals) * Math.sqrt((LOSS_BLOCKS - 1) / (LOSS_BLOCKS - 2));
  return { change, standardError: scatter / Math.sqrt(squares), mean: level };
}
