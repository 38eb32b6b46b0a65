/** The standard error of a weighted sum of mean losses that were measured on the same samples. */
import { finite } from './finite.ts';
import { deviation } from './moments.ts';

export interface MeasuredLoss {
  readonly coefficient: number;
  /** Of each sample, in the same order everywhere; null where single ones are not known. */
  readonly losses: readonly number[] | null;
  /** Of the mean, without regard to the other terms. */
  readonly standardError: number | null;
}

/**
 * Σ coefficient · loss sample by sample, its deviation over √samples. Where single samples are not known the errors add
 * as if they were independent: cautious for a difference, whose terms go together.
 * @returns null where no error is known, or it is not above 0
 */
export function errorOfSum(terms: readonly MeasuredLoss[]): number | null {
  const samples = terms[0]?.losses?.length ?? 0;
  let error: number;
  if (samples > 1 && terms.every(({ losses }) => losses?.length === samples)) {
    const sums = Array.from({ length: samples }, (_, i) =>
      terms.reduce((sum, { coefficient, losses }) => sum + coefficient * (losses?.[i] ?? NaN), 0),
    );
    error = deviation(sums) / Math.sqrt(samples);
  } else {
    if (terms.some(({ standardError }) => standardError === null)) return null;
    error = Math.hypot(...terms.map(({ coefficient, standardError }) => coefficient * (standardError ?? 0)));
  }
  const known = finite(error);
  return known !== null && known > 0 ? known : null;
}
