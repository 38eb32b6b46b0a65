/**
 * What each update of a momentum optimizer brought anew: momentum carries every batch's gradient on over some 1/(1 − β)
 * steps, and what an epoch shorter than that repeats is smeared out by it.
 */
import type { Momentum } from '../protocol/momentum.ts';
import type { Series } from './autocorrelation.ts';

/**
 * The gradients behind a series of updates, but for sign and a constant factor: u_t = Δ_t/η_t − β·Δ_{t−1}/η_{t−1}, which
 * is −g_t for the heavy ball. For Nesterov that is −((1 + β)g_t − βg_{t−1}), which is undone step by step; what is not known of
 * the step before the first is forgotten as (β/(1 + β))ᵗ. For Adam (its correction of early steps taken back) it is
 * the gradient over √v̂, as long as v̂ changes little from a step to the next.
 *
 * @param updates Δ_t by row, of successive steps
 * @param steps updates done before each row
 * @param rates η_t of each row; null where they are not all known, and then they count as constant
 * @returns one row fewer than `updates` where there is momentum, as many without
 */
export function innovations(
  updates: Series,
  steps: readonly number[],
  rates: readonly number[] | null,
  momentum: Momentum | null,
): Series {
  const { length, width, values } = updates;
  const beta = momentum?.beta ?? 0;
  const factor = (t: number): number => {
    const corrected = momentum?.corrected === true ? 1 - beta ** ((steps[t] ?? 0) + 1) : 1;
    return corrected / (rates?.[t] ?? 1);
  };
  if (beta === 0 || momentum === null) {
    const scaled = Float64Array.from(values, (v, k) => v * factor(Math.floor(k / width)));
    return { length, width, values: scaled };
  }
  const fresh = new Float64Array((length - 1) * width);
  for (let t = 1; t < length; t++) {
    const [now, before] = [factor(t), factor(t - 1)];
    for (let i = 0; i < width; i++) {
      const here = t * width + i;
      let value = (values[here] ?? 0) * now - beta * (values[here - width] ?? 0) * before;
      if (momentum.kind === 'nesterov') {
        const last = t > 1 ? (fresh[here - 2 * width] ?? 0) : value;
        value = (value + beta * last) / (1 + beta);
      }
      fresh[here - width] = value;
    }
  }
  return { length: length - 1, width, values: fresh };
}
