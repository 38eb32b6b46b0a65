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
  const updates = known(steps, 'updateNorm').map(({ value }) => value);
  const distances = known(steps, 'distance').filter(({ step }) => step > 0);
  const last = distances.at(-1);
  if (last === undefined || updates.length === 0) return null;
  // Where not every update was measured, the measured ones stand for all.
  return {
    step: last.step,
    distance: last.value,
    randomWalk: Math.sqrt(last.step * mean(updates.map((u) => u * u))),
    straightLine: last.step * mean(updates),
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
