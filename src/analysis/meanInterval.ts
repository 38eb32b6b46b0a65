/**
 * A 95 % confidence interval for the mean of a skewed distribution by Hall's transformation (1992, J. R. Statist. Soc. B
 * 54): with W = (mean − μ)/s and the sample's skewness g, √n·(W + gW²/3 + g²W³/27 + g/(6n)) is nearly Student's t, and the
 * cubic can be turned round. Quadratic forms of Gaussian vectors are skewed like χ² with few degrees of freedom wherever
 * few eigenvalues rule; there Student's interval holds the mean in 87 to 89 % of cases at 12 to 20 samples.
 */
import jstat from 'jstat';
import { mean } from './moments.ts';

/**
 * @param values at least two
 * @param spread their standard deviation, or that of the first stage of a two-stage procedure
 * @param degrees of freedom of the spread
 * @param shift added to both ends
 */
export function meanInterval(
  values: readonly number[],
  spread: number,
  degrees: number,
  shift = 0,
): [low: number, high: number] {
  const n = values.length;
  const centre = mean(values);
  const skewness = skewnessOf(values, centre);
  const quantile = jstat.studentt.inv(0.975, degrees) / Math.sqrt(n);
  const turned = (u: number): number =>
    // The cubic is (3/g)·((1 + gW/3)³ − 1)/3, nearly W itself for a small g.
    Math.abs(skewness) < 1e-6 ? u : (3 / skewness) * (Math.cbrt(1 + skewness * (u - skewness / (6 * n))) - 1);
  return [centre + shift - spread * turned(quantile), centre + shift - spread * turned(-quantile)];
}

/** Third central moment over the cube of the standard deviation; 0 where nothing varies. */
function skewnessOf(values: readonly number[], centre: number): number {
  const moment = (k: number): number => mean(values.map((x) => (x - centre) ** k));
  const variance = moment(2);
  return variance > 0 ? moment(3) / variance ** 1.5 : 0;
}
