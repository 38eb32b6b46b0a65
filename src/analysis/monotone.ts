/**
 * Whether the loss only falls on the straight way from the worse end to the better one, as it often does from an
 * initialisation to its solution (Goodfellow, Vinyals & Saxe 2015): the largest increase between any two points of the
 * way, in its direction, which is 0 where it is monotone (Δ-monotonicity, Lucas et al. 2021).
 */
import type { Maybe } from '../protocol/result.ts';
import type { Monotonicity } from '../protocol/results.ts';
import { figures } from './trust.ts';

/** A mean of losses in float32 is known to about this share of its size: a rise below that is rounding. */
const ROUNDING = 1e-6;

/** Where the loss rises most, downhill: indices of the lowest point before and of the point it rises to. */
export interface Increase {
  readonly value: number;
  readonly from: number;
  readonly to: number;
  readonly downhill: Monotonicity['downhill'];
  /** What a rise has to be above to be more than rounding. */
  readonly rounding: number;
}

/** null where a loss is not finite. Without an increase, `from` and `to` are the start. */
export function largestIncrease(loss: readonly Maybe[]): Increase | null {
  const values = loss.map((value) => value ?? NaN);
  if (values.length === 0 || !values.every(Number.isFinite)) return null;
  const last = values.length - 1;
  const downhill = (values[last] ?? 0) <= (values[0] ?? 0) ? 'forward' : 'backward';
  const place = (k: number): number => (downhill === 'forward' ? k : last - k);
  const at = (k: number): number => values[place(k)] ?? NaN;
  let lowest = 0;
  let found = { value: 0, from: 0, to: 0 };
  for (let k = 1; k <= last; k++) {
    const value = at(k) - at(lowest);
    if (value > found.value) found = { value, from: lowest, to: k };
    if (at(k) < at(lowest)) lowest = k;
  }
  const rounding = ROUNDING * Math.max(...values.map(Math.abs));
  return { value: found.value, from: place(found.from), to: place(found.to), downhill, rounding };
}

/**
 * @param standardError of the increase; null where unknown
 * A rise counts from two standard errors on; where no error is known every rise above rounding does.
 */
export function monotonicity(
  t: readonly number[],
  increase: Increase | null,
  standardError: number | null,
): Monotonicity {
  if (increase === null) {
    return { downhill: null, largestIncrease: null, between: null, standardError: null, verdict: 'unknown' };
  }
  const { value, from, to, downhill, rounding } = increase;
  const rises = value > Math.max(rounding, 2 * (standardError ?? 0));
  return {
    downhill,
    largestIncrease: value,
    between: value > 0 ? [t[from] ?? NaN, t[to] ?? NaN] : null,
    standardError: value > 0 ? standardError : null,
    verdict: value === 0 ? 'monotone' : rises ? 'rises' : 'within-noise',
  };
}

/** @param on "training" or "validation" */
export function monotoneSentence(
  { downhill, largestIncrease: rise, between, standardError, verdict }: Monotonicity,
  ends: { readonly from: string; readonly to: string; readonly points: number },
  on: string,
): string {
  const [start, end] = downhill === 'backward' ? [ends.to, ends.from] : [ends.from, ends.to];
  const way = `From ${start} to ${end} the ${on} loss`;
  if (rise === null || verdict === 'unknown') {
    return `Whether the ${on} loss falls all the way cannot be told: it is NaN or infinite somewhere.`;
  }
  if (verdict === 'monotone') return `${way} never rises, at ${ends.points} points.`;
  const error = standardError === null ? '' : ` ± ${figures(standardError, 2)}`;
  const where = between === null ? '' : ` from t = ${figures(between[0], 3)} to ${figures(between[1], 3)}`;
  return verdict === 'within-noise'
    ? `${way} rises by no more than noise: at most ${figures(rise, 2)}${error}${where}.`
    : `${way} does not fall all the way: it rises by up to ${figures(rise, 3)}${error}${where}.`;
}
