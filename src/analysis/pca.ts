/**
 * Principal components of a trajectory from the Gram matrix of its snapshots, so that only n·n numbers leave the
 * evaluator for n snapshots of any size.
 *
 * The components are those of the centred snapshots, as in the published code of Li et al. 2018 (whose PCA of
 * θ_i − θ_n centres again): only then are "share of variance" and the random-walk baseline what their names say.
 * The plane that is drawn may still go through any origin.
 */
import { Matrix } from 'ml-matrix';
import { eigenSymmetric } from './eigen.ts';

export interface PrincipalComponents {
  /** Component k is Σ_i coefficients[k][i]·θ_i: orthonormal vectors. Each row of coefficients sums to 0. */
  readonly coefficients: readonly (readonly number[])[];
  /** Share of the snapshots' variance along each component. */
  readonly shares: readonly number[];
  /** Mean squared distance of the snapshots from their mean. */
  readonly variance: number;
}

/**
 * @param gram (θ_i − o)·(θ_j − o) for any origin o; n × n, finite
 * @param count components wanted; fewer come back when the snapshots span fewer dimensions
 */
export function principalComponents(
  gram: readonly (readonly number[])[],
  count: number,
): PrincipalComponents {
  const n = gram.length;
  const centred = doubleCentre(gram);
  const total = centred.trace();
  const largest = Math.max(...centred.diagonal());
  const { values, vector } = eigenSymmetric(centred);
  const coefficients: number[][] = [];
  const shares: number[] = [];
  for (let k = 0; k < Math.min(count, n); k++) {
    const value = values[k] ?? 0;
    // Float32 snapshots leave a relative noise of about 1e-14 in squared distances; below it there is no direction.
    if (!(value > 1e-12 * largest)) break;
    const u = vector(k);
    const mean = u.reduce((s, x) => s + x, 0) / n;
    coefficients.push(u.map((x) => (x - mean) / Math.sqrt(value)));
    shares.push(value / total);
  }
  return { coefficients, shares, variance: n === 0 ? 0 : total / n };
}

/**
 * Variance shares that a random walk in very many dimensions would show at the same steps: the honest baseline
 * beside "the trajectory is low-dimensional". For n equally spaced snapshots the k-th share is
 * 3/((n² − 1)(1 − cos(πk/n))), which goes to 6/(π²k²) (Antognini & Sohl-Dickstein 2018).
 * @param steps of the snapshots, ascending; the walk's variance between two of them is the steps they are apart
 */
export function randomWalkShares(steps: readonly number[], count: number): number[] {
  const start = steps[0] ?? 0;
  const expected = steps.map((a) => steps.map((b) => Math.min(a, b) - start));
  const centred = doubleCentre(expected);
  const total = centred.trace();
  if (!(total > 0)) return [];
  const { values } = eigenSymmetric(centred);
  return values.slice(0, count).map((value) => Math.max(0, value) / total);
}

/**
 * The sign of an eigenvector is arbitrary: the path starts on the left and, of its extremes, rises to the higher.
 * @param along the path's coordinates along component k
 * @returns whether the component's sign has to change for that
 */
export function turnsAround(along: readonly number[], k: number): boolean {
  if (k === 0) return (along[0] ?? 0) > 0;
  let [lowest, highest] = [Infinity, -Infinity];
  for (const x of along) {
    lowest = Math.min(lowest, x);
    highest = Math.max(highest, x);
  }
  return highest < -lowest;
}

/** J·G·J with J = I − 11ᵀ/n: the Gram matrix about the mean. */
function doubleCentre(gram: readonly (readonly number[])[]): Matrix {
  const n = gram.length;
  const means = gram.map((row) => row.reduce((s, x) => s + x, 0) / n);
  const mean = means.reduce((s, x) => s + x, 0) / n;
  const centred = new Matrix(n, n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      // Averaged with its mirror image, since a matrix that is not exactly symmetric has no real decomposition.
      const value = ((gram[i]?.[j] ?? 0) + (gram[j]?.[i] ?? 0)) / 2;
      centred.set(i, j, value - (means[i] ?? 0) - (means[j] ?? 0) + mean);
    }
  }
  return centred;
}
