/** The path through the snapshots, all weights exactly: everything about it is in their Gram matrix. */
import type { Path, PathPoint } from '../protocol/trajectory.ts';
import { mean } from './moments.ts';
import { describePath, degreesBetween } from './path.ts';
import { principalComponents, randomWalkShares, turnsAround } from './pca.ts';

/**
 * @param steps of the snapshots, ascending
 * @param gram (θ_i − o)·(θ_j − o) for any origin o; n × n, finite
 * @param count components wanted
 * @returns null for fewer than three snapshots, and where all hold the same weights
 */
export function snapshotPath(
  steps: readonly number[],
  gram: readonly (readonly number[])[],
  count: number,
): Path | null {
  if (steps.length < 3) return null;
  const { coefficients, shares } = principalComponents(gram, Math.max(2, count));
  if (coefficients.length === 0) return null;
  const g = (i: number, j: number): number => gram[i]?.[j] ?? 0;
  const [x = [], y = []] = [0, 1].map((k) => {
    const along = gram.map((row) => row.reduce((s, value, j) => s + value * (coefficients[k]?.[j] ?? 0), 0));
    const middle = mean(along);
    const centred = along.map((a) => a - middle);
    return turnsAround(centred, k) ? centred.map((a) => -a) : centred;
  });
  const rowMeans = gram.map((row) => mean(row));
  const overall = mean(rowMeans);
  const between = (i: number, j: number): number => Math.max(0, g(i, i) - 2 * g(i, j) + g(j, j));
  const points = steps.map((step, i): PathPoint => {
    const [a, b] = [x[i] ?? 0, y[i] ?? 0];
    const square = g(i, i) - 2 * (rowMeans[i] ?? 0) + overall - a * a - b * b;
    const ahead = g(i, i + 1) - g(i, i) - g(i - 1, i + 1) + g(i - 1, i);
    return {
      step,
      x: a,
      y: b,
      // Rounding can leave a square below 0 for a snapshot that lies in the plane.
      distance: Math.sqrt(Math.max(0, square)),
      speed: i === 0 ? null : Math.sqrt(between(i, i - 1)) / (step - (steps[i - 1] ?? 0)),
      turning:
        i === 0 || i === steps.length - 1
          ? null
          : degreesBetween(ahead, between(i, i - 1), between(i + 1, i)),
      fromStart: Math.sqrt(between(i, 0)),
    };
  });
  return describePath(points, shares, randomWalkShares(steps, Math.max(2, count)), count);
}
