/** Small dense symmetric eigenproblems, as they come out of Gram matrices and Krylov spaces. */
import { EigenvalueDecomposition, type Matrix } from 'ml-matrix';

/** Eigenvalues of a symmetric matrix, largest first, and unit eigenvectors in the same order. */
export function eigenSymmetric(matrix: Matrix): { values: number[]; vector: (k: number) => number[] } {
  const n = matrix.rows;
  if (n === 0) return { values: [], vector: () => [] };
  const decomposition = new EigenvalueDecomposition(matrix, { assumeSymmetric: true });
  const values = decomposition.realEigenvalues;
  const order = values.map((_, i) => i).sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0));
  return {
    values: order.map((i) => values[i] ?? 0),
    vector: (k) => decomposition.eigenvectorMatrix.getColumn(order[k] ?? 0),
  };
}
