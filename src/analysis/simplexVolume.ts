/** Volume of the simplex between models, from nothing but how far they are apart. */
import { determinant, Matrix } from 'ml-matrix';

/**
 * Cayley–Menger: of n + 1 corners (−1)ⁿ⁺¹ 2ⁿ (n!)² V² is the determinant of their squared distances, bordered by ones. For two
 * corners the length between them, for three the triangle's area. Corners that lie in fewer dimensions have the volume 0.
 * @param distances between the corners, symmetric, zero on the diagonal; at least two
 * @returns in the n-th power of the distances' unit; NaN where a distance is not finite
 */
export function simplexVolume(distances: readonly (readonly number[])[]): number {
  const corners = distances.length;
  const n = corners - 1;
  // In units of the longest distance: its 2n-th power would leave the range of numbers.
  const unit = Math.max(...distances.flat());
  if (!(unit > 0)) return unit === 0 ? 0 : NaN;
  const bordered = Matrix.ones(corners + 1, corners + 1);
  bordered.set(corners, corners, 0);
  distances.forEach((row, i) => row.forEach((d, j) => bordered.set(i, j, (d / unit) ** 2)));
  let factorial = 1;
  for (let k = 2; k <= n; k++) factorial *= k;
  const squared = ((n % 2 === 0 ? -1 : 1) * determinant(bordered)) / (2 ** n * factorial ** 2);
  return Math.sqrt(Math.max(0, squared)) * unit ** n;
}
