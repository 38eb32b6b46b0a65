/**
 * A 95 % confidence interval for a quantity that is above zero, from an estimate and its standard error: symmetrical on the
 * logarithmic scale, with Student's quantile. Quadratic forms of gradients are skewed to the right, and where one comes out
 * small its standard error does too; there an interval symmetrical about the estimate holds the truth in 84 to 90 % of cases.
 */
import jstat from 'jstat';

/**
 * @param degrees of freedom of the standard error
 * @returns null where the estimate is not above zero
 */
export function positiveInterval(
  value: number,
  standardError: number,
  degrees: number,
): readonly [low: number, high: number] | null {
  if (!(value > 0) || !Number.isFinite(standardError)) return null;
  const factor = Math.exp((jstat.studentt.inv(0.975, degrees) * standardError) / value);
  return [value / factor, value * factor];
}

/** The usual one, for what may have either sign. */
export function symmetricalInterval(
  value: number,
  standardError: number,
  degrees: number,
): readonly [low: number, high: number] {
  const half = jstat.studentt.inv(0.975, degrees) * standardError;
  return [value - half, value + half];
}
