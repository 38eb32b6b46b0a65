/** Whether one model is better than another by more than noise. */

/** What a baseline loses against another model, sample for sample: mean of loss(baseline) − loss(other). */
export interface Gain {
  /** Positive where the other is better. Weight penalties are left out. */
  readonly value: number;
  /** Paired: of the mean difference over the same samples. */
  readonly standardError: number;
}

/**
 * gain: choosing pays, by more than noise and by more than 1 % of the baseline's loss. no-gain: that is as good.
 * unknown: no held-out samples, or no loss of single ones.
 */
export type SweepVerdict = 'gain' | 'no-gain' | 'unknown';
