/** The limit cycles of SGD (Chaudhari & Soatto 2018): whether its increments repeat an epoch later, and where it goes. */
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { mersenne } from 'pure-rand/generator/mersenne';
import { BasinError, cancelled } from '../protocol/errors.ts';
import type { CyclesResult, CycleVerdict } from '../protocol/cycles.ts';
import { momentumOf } from '../protocol/momentum.ts';
import type { OptimizerInfo, StepRecord } from '../protocol/run.ts';
import { autocorrelation, centre, type Series } from './autocorrelation.ts';
import type { AnalysisContext } from './evaluator.ts';
import { innovations } from './innovations.ts';
import type { Draft } from './model.ts';
import { deviation, mean, median } from './moments.ts';
import type { SketchSource } from './sketchedPath.ts';
import { cycleSentences } from './trustCycles.ts';

export interface CyclesInput {
  readonly sketch: SketchSource;
  readonly from: number;
  /** Steps of an epoch; null where it is not known. */
  readonly epoch: number | null;
  readonly seed: number;
  readonly optimizer: OptimizerInfo | null;
  /** The learning rate of the update that follows this many; null where it is not known. */
  readonly rate: (step: number) => number | null;
}

/** Steps that are looked at, from the latest on: the memory they take is bounded. */
const MOST_STEPS = 4096;
const MOST_COORDINATES = 256;
const FEWEST_STEPS = 16;
/** A bounce between two walls repeats every second step as well. */
const SHORTEST_PERIOD = 3;
const SHUFFLES = 99;
const BANDS = 200;
const MOST_LAGS = 2000;

/**
 * Looks for what repeats in what each update brought anew (see innovations.ts), since momentum would smear an epoch out.
 * @throws BasinError `bad-input` with too few successive steps, `non-finite`, `cancelled`
 */
export async function cycles(input: CyclesInput, context: AnalysisContext): Promise<Draft<CyclesResult>> {
  const { steps, series: updates } = await increments(input, context);
  const momentum = momentumOf(input.optimizer);
  const exponent = growthExponent(updates, Math.ceil(1 / (1 - (momentum?.beta ?? 0))));
  const rates = changingRates(steps.slice(0, -1), input.rate);
  const series = innovations(updates, steps, rates, momentum);
  centre(updates);
  centre(series);
  context.progress(0.5, 'looking for cycles');
  const { r, power, size } = autocorrelation(series);
  const { epoch, seed } = input;
  const lags = Math.min(Math.floor(series.length / 2), MOST_LAGS);
  const fits = epoch !== null && epoch >= SHORTEST_PERIOD && epoch <= lags;
  const strongest = strongestLag(r, lags);
  const atEpoch = fits ? atPeriod(series, r, epoch, lags, seed, context) : null;
  const atStrongest =
    epoch === null && strongest !== null && strongest.lag >= SHORTEST_PERIOD
      ? atPeriod(series, r, strongest.lag, lags, seed, context)
      : null;
  const body = {
    kind: 'cycles' as const,
    data: null,
    from: steps[0] ?? 0,
    to: steps.at(-1) ?? 0,
    coordinates: series.width,
    epoch,
    momentum,
    rateScaled: rates !== null,
    autocorrelation: Array.from(r.slice(0, lags + 1)),
    ofUpdates: Array.from(autocorrelation(updates).r.slice(0, lags + 1)),
    atEpoch,
    strongest,
    spectrum: bands(power, size),
    exponent,
    verdict: verdictOf(epoch, atEpoch, atStrongest),
  };
  return { ...body, refreshedStatistics: false, trust: cycleSentences(body) };
}

/** Steps of an epoch, from the epochs that were wholly recorded; null where there are none. */
export function stepsPerEpoch(steps: readonly Pick<StepRecord, 'epoch'>[]): number | null {
  const counts = new Map</* epoch */ number, number>();
  for (const { epoch } of steps) if (epoch !== null) counts.set(epoch, (counts.get(epoch) ?? 0) + 1);
  // The last one may still be going on.
  return median([...counts.values()].slice(0, -1));
}

/** Δ_t = θ_{t+1} − θ_t of the latest successive points of the sketch. */
async function increments(
  { sketch, from }: CyclesInput,
  context: AnalysisContext,
): Promise<{ steps: number[]; series: Series }> {
  context.progress(0, 'reading the sketch');
  const stride = Math.ceil(sketch.dimension / MOST_COORDINATES);
  const width = Math.ceil(sketch.dimension / stride);
  let steps: number[] = [];
  let points: Float64Array[] = [];
  for await (const { step, values } of sketch.records()) {
    if (context.signal.aborted) throw cancelled();
    if (step < from) continue;
    if (step !== (steps.at(-1) ?? step - 1) + 1) [steps, points] = [[], []];
    steps.push(step);
    points.push(Float64Array.from({ length: width }, (_, i) => values[i * stride] ?? NaN));
    if (steps.length > MOST_STEPS + 1) {
      steps.shift();
      points.shift();
    }
  }
  const length = steps.length - 1;
  if (length < FEWEST_STEPS) {
    throw new BasinError(
      'bad-input',
      `Cycles need the weights at ${FEWEST_STEPS + 1} successive steps at least; the sketch has ${steps.length} in a row at its end.`,
      'Record the run with --every-step, or for longer.',
    );
  }
  if (!points.every((p) => p.every(Number.isFinite))) {
    throw new BasinError(
      'non-finite',
      'Some of the weights are NaN or infinite.',
      'Train with a smaller learning rate: a run that diverged has no cycles.',
    );
  }
  const values = new Float64Array(length * width);
  for (let t = 0; t < length; t++)
    for (let i = 0; i < width; i++) values[t * width + i] = (points[t + 1]?.[i] ?? 0) - (points[t]?.[i] ?? 0);
  return { steps, series: { length, width, values } };
}

/** The learning rates of these updates; null where they are not all known and positive, or never change. */
function changingRates(steps: readonly number[], rate: CyclesInput['rate']): number[] | null {
  const all = steps.map((step) => rate(step) ?? NaN);
  return all.every((eta) => eta > 0 && Number.isFinite(eta)) && all.some((eta) => eta !== all[0])
    ? all
    : null;
}

/**
 * A period as it is judged: its lag beside all lags within half a period of it, and beside the same updates shuffled
 * within each stretch of a period, which keeps every drift that is slower than that.
 */
function atPeriod(
  series: Series,
  r: Float64Array,
  period: number,
  lags: number,
  seed: number,
  { signal }: AnalysisContext,
): NonNullable<CyclesResult['atEpoch']> {
  const value = r[period] ?? 0;
  const near = around(r, period, period, lags);
  // Of an oscillation with a shorter period some shorter lag is higher; what repeats is highest at every multiple.
  const peaks = [1, 2, 3]
    .filter((k) => k * period <= lags)
    .every((k) => around(r, k * period, period, lags).every((other) => other < (r[k * period] ?? 0)));
  const generator = mersenne(seed);
  const order = Uint32Array.from({ length: series.length }, (_, t) => t);
  const shuffled: number[] = [];
  for (let s = 0; s < SHUFFLES; s++) {
    if (signal.aborted) throw cancelled();
    for (let t = order.length - 1; t > 0; t--) {
      const other = uniformInt(generator, t - (t % period), t);
      [order[t], order[other]] = [order[other] ?? 0, order[t] ?? 0];
    }
    shuffled.push(lagged(series, order, period));
  }
  const sorted = [...shuffled].sort((a, b) => a - b);
  return {
    value,
    neighbours: { mean: near.length > 0 ? mean(near) : 0, deviation: near.length > 1 ? deviation(near) : 0 },
    peaks,
    shuffled: {
      mean: mean(shuffled),
      deviation: deviation(shuffled),
      percentile95: sorted[Math.ceil(0.95 * SHUFFLES) - 1] ?? NaN,
      count: SHUFFLES,
    },
    p: (1 + shuffled.filter((x) => x >= value).length) / (SHUFFLES + 1),
  };
}

/** r at the lags within half a period of one, itself left out. */
function around(r: Float64Array, lag: number, period: number, lags: number): number[] {
  const reach = Math.floor(period / 2);
  const near: number[] = [];
  for (let other = lag - reach; other <= lag + reach && other <= lags; other++)
    if (other >= 1 && other !== lag) near.push(r[other] ?? 0);
  return near;
}

/** r at one lag of a centred series in another order. */
function lagged({ length, width, values }: Series, order: Uint32Array, lag: number): number {
  let product = 0;
  let square = 0;
  for (let t = 0; t < length; t++) {
    const here = (order[t] ?? 0) * width;
    const there = t + lag < length ? (order[t + lag] ?? 0) * width : -1;
    for (let i = 0; i < width; i++) {
      const value = values[here + i] ?? 0;
      square += value * value;
      if (there >= 0) product += value * (values[there + i] ?? 0);
    }
  }
  return square > 0 ? (product / square) * (length / (length - lag)) : 0;
}

/** The shortest lag that comes within a tenth of the largest r: of a period and its multiples, the period. */
function strongestLag(r: Float64Array, lags: number): { lag: number; value: number } | null {
  const values = r.slice(2, lags + 1);
  if (values.length === 0) return null;
  const largest = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const at = values.findIndex((value) => value >= largest - 0.1 * Math.abs(largest));
  return { lag: at + 2, value: values[at] ?? 0 };
}

function verdictOf(
  epoch: number | null,
  atEpoch: CyclesResult['atEpoch'],
  atStrongest: CyclesResult['atEpoch'],
): CycleVerdict {
  if (epoch !== null) return atEpoch === null ? 'unknown' : standsOut(atEpoch, 0.05) ? 'fixed-order' : 'none';
  // Where the period was chosen because it is the highest, chance reaches further.
  return atStrongest !== null && standsOut(atStrongest, 0.3) ? 'repeats' : 'none';
}

/** What repeats is a peak that no shuffle reaches, by a share `least` of the variance and four deviations of chance. */
function standsOut(
  { value, neighbours, shuffled, peaks, p }: NonNullable<CyclesResult['atEpoch']>,
  least: number,
): boolean {
  const excess = value - Math.max(neighbours.mean, shuffled.mean);
  return peaks && p <= 0.01 && excess > least && excess > 4 * shuffled.deviation;
}

/** The powers of bands of frequencies, without the constant; sums to 1. */
function bands(power: Float64Array, size: number): CyclesResult['spectrum'] {
  const inside = power.length - 1;
  const count = Math.min(BANDS, inside);
  const total = power.slice(1).reduce((s, p) => s + p, 0) || 1;
  const edge = (b: number): number => 1 + Math.round((b * inside) / count);
  const each = Array.from({ length: count }, (_, b) => ({
    frequency: (edge(b) + edge(b + 1) - 1) / 2 / size,
    power: power.slice(edge(b), edge(b + 1)).reduce((s, p) => s + p, 0) / total,
  }));
  return { frequency: each.map((e) => e.frequency), power: each.map((e) => e.power) };
}

/**
 * The slope of log ‖θ_{t+τ} − θ_t‖² over log τ, by least squares; null where nothing moves.
 * @param shortest τ: over fewer steps than momentum lasts, every path is straight
 */
function growthExponent({ length, width, values }: Series, shortest: number): number | null {
  const position = new Float64Array((length + 1) * width);
  for (let t = 0; t < length; t++)
    for (let i = 0; i < width; i++)
      position[(t + 1) * width + i] = (position[t * width + i] ?? 0) + (values[t * width + i] ?? 0);
  const logs: { x: number; y: number }[] = [];
  for (let tau = shortest; tau <= length / 4; tau = Math.max(tau + 1, Math.round(tau * 1.5))) {
    let sum = 0;
    for (let k = 0; k < (length + 1 - tau) * width; k++)
      sum += ((position[k + tau * width] ?? 0) - (position[k] ?? 0)) ** 2;
    const y = Math.log(sum / (length + 1 - tau));
    if (Number.isFinite(y)) logs.push({ x: Math.log(tau), y });
  }
  if (logs.length < 2) return null;
  const [x, y] = [mean(logs.map((l) => l.x)), mean(logs.map((l) => l.y))];
  const along = logs.reduce((s, l) => s + (l.x - x) ** 2, 0);
  return logs.reduce((s, l) => s + (l.x - x) * (l.y - y), 0) / along;
}
