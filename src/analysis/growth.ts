/**
 * How the distance from start grows: a random walk gets √t far, a straight line t, and training is in between; a long
 * high-rate phase grows as slowly as log t (Hoffer et al. 2017, "Train longer, generalize better").
 */
import { decodeNumber, type StepRecord } from '../protocol/run.ts';
import type { Growth } from '../protocol/trajectory.ts';
import { mean } from './moments.ts';

/** The fit weighs every stretch of log t alike, so it takes points evenly spaced there. */
const POINTS_FITTED = 40;
const FEWEST_FITTED = 5;

/** @param steps by step; null when no distance or no update's length was recorded */
export function growth(steps: readonly StepRecord[]): Growth | null {
  const distances = known(steps, 'distance').filter(({ step }) => step > 0);
  const last = distances.at(-1);
  if (last === undefined) return null;
  const updates = known(steps, 'updateNorm').filter(({ step }) => step > 0 && step <= last.step);
  if (updates.length === 0) return null;
  return {
    step: last.step,
    distance: last.value,
    measured: updates.length,
    randomWalk: Math.sqrt(overAll(updates, last.step, (u) => u * u)),
    straightLine: overAll(updates, last.step, (u) => u),
    exponent: exponentOf(distances.filter(({ value }) => value > 0)),
  };
}

interface At {
  readonly step: number;
  readonly value: number;
}

function known(steps: readonly StepRecord[], name: 'updateNorm' | 'distance'): At[] {
  return steps.flatMap((record) => {
    const value = record[name] === null ? NaN : decodeNumber(record[name]);
    return Number.isFinite(value) ? [{ step: record.step, value }] : [];
  });
}

/**
 * The sum of `of` over updates 1 to `count`. An update that was not measured is taken to be as long as the measured one
 * nearest to it: a recording that keeps its budget measures the first, longest ones far more often.
 */
function overAll(updates: readonly At[], count: number, of: (length: number) => number): number {
  let [sum, begin] = [0, 0.5];
  updates.forEach(({ step, value }, i) => {
    const next = updates[i + 1];
    const end = next === undefined ? count + 0.5 : (step + next.step) / 2;
    sum += (end - begin) * of(value);
    begin = end;
  });
  return sum;
}

/** The slope of log distance over log step. */
function exponentOf(points: readonly At[]): number | null {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || last.step < 10 * first.step) return null;
  const chosen = new Set<At>();
  let next = 0;
  for (let k = 0; k < POINTS_FITTED; k++) {
    const target = first.step * (last.step / first.step) ** (k / (POINTS_FITTED - 1));
    while (next < points.length - 1 && (points[next]?.step ?? 0) < target - 0.5) next++;
    const point = points[next];
    if (point !== undefined) chosen.add(point);
  }
  if (chosen.size < FEWEST_FITTED) return null;
  const t = [...chosen].map(({ step }) => Math.log(step));
  const d = [...chosen].map(({ value }) => Math.log(value));
  const [tMean, dMean] = [mean(t), mean(d)];
  const covariance = t.reduce((s, x, i) => s + (x - tMean) * ((d[i] ?? 0) - dMean), 0);
  return covariance / t.reduce((s, x) => s + (x - tMean) ** 2, 0);
}
