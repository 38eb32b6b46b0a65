/**
 * The k largest or smallest eigenvalues of a block with their multiplicities.
 *
 * A Krylov space holds one direction of each eigenspace, so one run of Lanczos lists a multiple eigenvalue once. What was
 * found is therefore locked, and the search goes on in its orthogonal complement until the best that is left lies
 * no further out than the k-th that was found (deflation; Parlett, The Symmetric Eigenvalue Problem, chapters 5 and 13).
 */
import type { EigenvaluesOfBlock } from '../protocol/curvature.ts';
import { negated, type Block, type Curvature } from './curvature.ts';
import { derivedSeed } from './directions.ts';
import { lanczos, SINGLE_PRECISION } from './lanczos.ts';
import type { Vectors } from './vectors.ts';

export interface ExtremeOptions {
  readonly end: 'largest' | 'smallest';
  /** 1 to 20. */
  readonly count: number;
  /** Largest ‖Hv − λv‖/|λ| that counts as converged. */
  readonly tolerance: number;
  /** Most products of one search; each search outside of what was found has as many. */
  readonly maxProducts: number;
  readonly seed: number;
}

interface Pair {
  readonly value: number;
  readonly residual: number;
  readonly vector: string;
}

export interface ExtremeEigenvalues extends EigenvaluesOfBlock {
  /** Unit eigenvectors in names of the caller's scope, which releases them. */
  readonly vectors: readonly string[];
}

/** @throws BasinError `non-finite` when a product is, `cancelled` */
export async function extremeEigenvalues(
  curvature: Curvature,
  vectors: Vectors,
  block: Block,
  options: ExtremeOptions,
): Promise<ExtremeEigenvalues> {
  const { evaluator, place, context } = curvature;
  const sign = options.end === 'largest' ? 1 : -1;
  const product = sign === 1 ? block.multiply : negated(block, curvature);
  const count = Math.min(options.count, block.dimension);
  let searches = 0;
  const search = async (top: number, known: readonly Pair[]) => {
    const found = await lanczos(
      evaluator,
      vectors,
      product,
      {
        top,
        maxProducts: options.maxProducts,
        tolerance: options.tolerance,
        seed: derivedSeed(options.seed, 1000 * searches++),
        like: place.at,
        locked: known.map((p) => p.vector),
        norm: Math.max(0, ...known.map((p) => Math.abs(p.value))),
        ...(block.subspace === null ? {} : { subspace: block.subspace }),
      },
      context,
    );
    const pairs = found.values.map((value, i): Pair => ({
      value,
      residual: found.residuals[i] ?? NaN,
      vector: found.vectors[i] ?? '',
    }));
    return { pairs, converged: found.converged };
  };

  const first = await search(count, []);
  const pairs = [...first.pairs];
  let { converged } = first;
  // Every search that adds a value pushes another out, so there are at most `count` of them and the one that finds none.
  for (let round = 0; converged && round <= count && pairs.length < block.dimension; round++) {
    const more = await search(1, pairs);
    converged = more.converged;
    const [next] = more.pairs;
    const last = kth(pairs, count);
    if (next === undefined) break;
    pairs.push(next);
    const rounding = SINGLE_PRECISION * Math.max(...pairs.map((p) => Math.abs(p.value)));
    if (next.value <= last + Math.max(rounding, options.tolerance * Math.abs(last))) break;
  }
  pairs.sort((a, b) => b.value - a.value);
  const kept = pairs.slice(0, count);
  await vectors.release(pairs.slice(count).map((p) => p.vector));
  const least = SINGLE_PRECISION * Math.max(...kept.map((p) => Math.abs(p.value)));
  return {
    values: kept.map((p) => sign * p.value || 0),
    residuals: kept.map((p) => Math.max(p.residual, least)),
    converged,
    vectors: kept.map((p) => p.vector),
  };
}

function kth(pairs: readonly Pair[], k: number): number {
  return [...pairs].sort((a, b) => b.value - a.value)[k - 1]?.value ?? -Infinity;
}
