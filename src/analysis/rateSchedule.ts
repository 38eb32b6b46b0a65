/** Learning rates by step, as the papers have them. Steps count from 1; a cycle has `cycle` steps. */
import { BasinError } from '../protocol/errors.ts';

/**
 * constant: `high` throughout, and cyclic: from `high` down to `low` in a straight line, again in every cycle (both
 * Izmailov et al. 2018). triangular: from `high` to `low` and back in every cycle (Garipov et al. 2018). cosine: from
 * `high` towards 0 by half a cosine, again in every cycle (Loshchilov & Hutter 2017, Huang et al. 2017).
 */
export type ScheduleName = 'constant' | 'cyclic' | 'triangular' | 'cosine';

export interface RateSchedule {
  readonly name: ScheduleName;
  readonly high: number;
  /** Of a constant or cosine schedule ignored. */
  readonly low: number;
  readonly cycle: number;
}

/** t(i) = (mod(i − 1, c) + 1)/c: how far step i is in its cycle, in (0, 1]. */
export function placeInCycle(step: number, cycle: number): number {
  return (((step - 1) % cycle) + 1) / cycle;
}

/** α(i) of step i ≥ 1. */
export function rateAt({ name, high, low, cycle }: RateSchedule, step: number): number {
  const t = placeInCycle(step, cycle);
  switch (name) {
    case 'constant':
      return high;
    case 'cyclic':
      return (1 - t) * high + t * low;
    case 'triangular':
      return t <= 0.5 ? (1 - 2 * t) * high + 2 * t * low : (2 - 2 * t) * low + (2 * t - 1) * high;
    case 'cosine':
      // α₀/2·(cos(π·mod(t − 1, c)/c) + 1)
      return (high / 2) * (Math.cos((Math.PI * ((step - 1) % cycle)) / cycle) + 1);
  }
}

/**
 * Whether the weights behind step i are taken: at the end of each cycle, where the rate is lowest; in the triangular
 * schedule in the middle of each, where it is.
 */
export function takenAfter({ name, cycle }: RateSchedule, step: number): boolean {
  const place = step % cycle;
  return name === 'triangular' ? place === cycle / 2 : place === 0;
}

/** @throws BasinError `bad-input` for a cycle or rates that the schedule cannot have */
export function requireSchedule({ name, high, low, cycle }: RateSchedule): void {
  if (!(high > 0 && Number.isFinite(high) && low >= 0 && low <= high)) {
    throw new BasinError(
      'bad-input',
      `The learning rate cannot go between ${high} and ${low}.`,
      'Give a --rate above 0, and a --low of at most that.',
    );
  }
  if (!Number.isInteger(cycle) || cycle < 1 || (name === 'triangular' && cycle % 2 !== 0)) {
    throw new BasinError(
      'bad-input',
      `A cycle of ${cycle} steps is not possible${name === 'triangular' ? ': it has a middle, so it has to be even' : ''}.`,
      `Give a --cycle of ${Math.max(2, 2 * Math.round(cycle / 2))} steps.`,
    );
  }
}
