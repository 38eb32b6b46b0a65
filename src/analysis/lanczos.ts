/**
 * Largest eigenvalues of a symmetric operator that only exists as products inside the evaluator: Lanczos with full
 * reorthogonalisation (Paige 1972; Golub & Van Loan, chapter 10) and thick restarts (Wu & Simon 2000), so that the
 * number of vectors kept stays bounded for models of any size.
 *
 * Every product is orthogonalised against the whole basis and its coefficients are kept, so the projected matrix
 * is the one that was really seen. Ritz values come from its symmetric part, residuals from all of it: what makes
 * products unsymmetric (float32, finite differences) enlarges the residual instead of hiding in it.
 */
import { Matrix } from 'ml-matrix';
import { BasinError } from '../protocol/errors.ts';
import { derivedSeed } from './directions.ts';
import { eigenSymmetric } from './eigen.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import type { Vectors } from './vectors.ts';

export interface LanczosOptions {
  /** Eigenvalues wanted, from the largest down. */
  readonly top: number;
  /** Eigenvalues wanted from the smallest up, out of the same space; listed behind the others. Default 0. */
  readonly bottom?: number;
  readonly maxProducts: number;
  /** A pair has converged when its residual is at most this share of |λ| (of a thousandth of ‖H‖ for a λ near 0). */
  readonly tolerance: number;
  /** Residuals are held against ‖H‖ rather than each against its own |λ|. */
  readonly ofNorm?: boolean;
  readonly seed: number;
  /** Any named vector of the same parameters: random start vectors are made in its likeness. */
  readonly like: string;
  /** Start from this named vector, mixed with a little noise, instead of a random one. */
  readonly start?: string;
  /** Vectors kept at once; by default as many as 1 GiB holds, and never fewer than top + 3. */
  readonly maxBasis?: number;
  /** The coordinates that the product acts on, where these are not all. */
  readonly subspace?: Subspace;
  /** Orthonormal vectors that are known already (deflation): only what is orthogonal to them is searched. */
  readonly locked?: readonly string[];
  /** A lower bound of ‖H‖ that is known already: what is left beside locked vectors may be rounding alone. */
  readonly norm?: number;
}

/** A coordinate subspace: some of the parameters. A product that belongs to it is zero outside. */
export interface Subspace {
  readonly dimension: number;
  /** into ← the vector with zeros outside of the subspace; its norm. */
  project(vector: string, into: string): Promise<{ readonly norm: number }>;
}

/** into ← H·vector; the norm of the product. */
export type Product = (vector: string, into: string) => Promise<{ readonly norm: number }>;

export interface RitzPairs {
  /** Largest first; fewer than asked for when the space has fewer dimensions or the products ran out. */
  readonly values: readonly number[];
  /** ‖Hv − λv‖ for each: an eigenvalue lies within it. */
  readonly residuals: readonly number[];
  /** Unit vectors inside the evaluator, in a name of the caller's scope. */
  readonly vectors: readonly string[];
  readonly converged: boolean;
  readonly products: number;
}

/** Share of noise in a warm start: enough for a direction that has become the top one to be found. */
const WARM_NOISE = 0.1;
/** Memory that the basis of one search may take. */
export const BASIS_BYTES = 2 ** 30;
/** Products are computed in float32, so nothing made of them is known better than this share of the largest. */
export const SINGLE_PRECISION = 2 ** -20;
/** Vectors of a norm below this lose digits when float32 holds them. */
const UNDERFLOW = 1e-30;
/** Largest residual, as a share of ‖H‖, that rounding explains once the basis spans the whole space. */
const SPANNED = 1e-3;

/**
 * @throws BasinError `non-finite` when a product is NaN or infinite, `cancelled`
 */
export async function lanczos(
  evaluator: Evaluator,
  vectors: Vectors,
  product: Product,
  options: LanczosOptions,
  context: AnalysisContext,
): Promise<RitzPairs> {
  const { signal } = context;
  const { parameterCount } = evaluator.description.objective;
  const { subspace, locked = [] } = options;
  const dimension = (subspace?.dimension ?? parameterCount) - locked.length;
  const top = Math.min(options.top, dimension);
  if (top < 1) return { values: [], residuals: [], vectors: [], converged: true, products: 0 };
  const affordable = options.maxBasis ?? Math.floor(BASIS_BYTES / (4 * parameterCount));
  const bottom = Math.min(options.bottom ?? 0, dimension);
  const maxBasis = Math.min(dimension, Math.max(top + bottom + 3, affordable));
  const floor = options.ofNorm === true ? 1 : 1e-3;
  let draws = 0;

  /** into ← into/norm */
  const scale = async (vector: string, factor: number): Promise<void> => {
    await evaluator.combine({ into: vector, terms: [{ coefficient: factor, vector }], state: null }, signal);
  };
  const random = async (): Promise<string> => {
    const into = vectors.name('start');
    const { norm } = await evaluator.random(
      {
        into,
        seed: derivedSeed(options.seed, draws++),
        like: options.like,
        normalisation: 'none',
        include: { bias: true, norm: true },
      },
      signal,
    );
    let length = norm;
    if (subspace !== undefined) ({ norm: length } = await subspace.project(into, into));
    if (locked.length > 0) {
      ({ norm: length } = await evaluator.orthogonalise({ vector: into, against: locked }, signal));
    }
    await scale(into, 1 / length);
    return into;
  };
  const firstVector = async (): Promise<string> => {
    const noise = await random();
    if (options.start === undefined) return noise;
    const terms = [
      { coefficient: 1, vector: options.start },
      { coefficient: WARM_NOISE, vector: noise },
    ];
    const { norm } = await evaluator.combine({ into: noise, terms, state: null }, signal);
    await scale(noise, 1 / norm);
    return noise;
  };

  let basis = [await firstVector()];
  /** projected[i][j] = basis[i]ᵀ·H·basis[j]: a row for each basis vector, a column for each product so far. */
  let projected: number[][] = [[]];
  /** coupled[i][j] = locked[i]ᵀ·H·basis[j]: what locked vectors that are not quite eigenvectors hide from the search. */
  let coupled: number[][] = locked.map(() => []);
  let products = 0;
  let largest = options.norm ?? 0;
  for (;;) {
    const size = basis.length;
    const newest = basis[size - 1] ?? '';
    const remainder = vectors.name('krylov');
    const { norm } = await product(newest, remainder);
    products++;
    if (!Number.isFinite(norm)) throw curvatureNotFinite();
    const { coefficients: all, norm: beta } = await evaluator.orthogonalise(
      { vector: remainder, against: [...locked, ...basis] },
      signal,
    );
    if (!Number.isFinite(beta) || !all.every(Number.isFinite)) throw curvatureNotFinite();
    const coefficients = all.slice(locked.length);
    projected = projected.map((row, i) => [...row, coefficients[i] ?? 0]);
    coupled = coupled.map((row, i) => [...row, all[i] ?? 0]);

    const ritz = ritzPairs(projected, coupled, beta);
    // Of unit vectors, so ‖H‖ is at least this.
    largest = Math.max(largest, norm, ...ritz.map((p) => Math.abs(p.value)));
    const rounding = Math.max(UNDERFLOW, Math.min(SINGLE_PRECISION, options.tolerance / 10) * largest);
    const complete = size === dimension;
    const wanted = [...ritz.slice(0, top), ...ritz.slice(size - Math.min(size, bottom)).reverse()];
    const converged =
      wanted.length === top + bottom &&
      wanted.every(
        (p) =>
          p.residual <=
          Math.max(
            // What is no larger than rounding is a zero, known no better.
            Math.abs(p.value) <= rounding ? rounding : 0,
            options.tolerance * Math.max(Math.abs(p.value), floor * largest),
            complete ? SPANNED * largest : 0,
          ),
      );
    context.progress(Math.min(1, products / options.maxProducts), `eigenvalues: product ${products}`);
    if (converged || complete || products >= options.maxProducts) {
      const names: string[] = [];
      for (const pair of wanted) names.push(await assemble(evaluator, vectors, basis, pair.weights, context));
      await vectors.release([...basis, remainder]);
      return {
        values: wanted.map((p) => p.value),
        residuals: wanted.map((p) => p.residual),
        vectors: names,
        converged,
        products,
      };
    }

    // An invariant subspace is exhausted: what follows starts from a direction outside it. A remainder as small as the
    // products' rounding is made of that, and normalised it would be searched as if it were curvature.
    const exhausted = !(beta > rounding);
    let next = remainder;
    if (exhausted) {
      await vectors.release([remainder]);
      next = await random();
      const { norm: outside } = await evaluator.orthogonalise({ vector: next, against: basis }, signal);
      await scale(next, 1 / outside);
    } else {
      await scale(remainder, 1 / beta);
    }

    if (size === maxBasis) {
      const count = Math.max(top + bottom, Math.floor(maxBasis / 2));
      const fromBelow = bottom === 0 ? 0 : Math.max(bottom, count >> 1);
      const kept = [...ritz.slice(0, count - fromBelow), ...ritz.slice(size - fromBelow)];
      const names: string[] = [];
      for (const pair of kept) names.push(await assemble(evaluator, vectors, basis, pair.weights, context));
      await vectors.release(basis);
      projected = kept.map((p) => kept.map((q) => quadratic(projected, p.weights, q.weights)));
      coupled = coupled.map((row) => kept.map((p) => inner(row, p.weights)));
      projected.push(kept.map((p) => (exhausted ? 0 : beta * (p.weights[size - 1] ?? 0))));
      basis = [...names, next];
    } else {
      projected.push([...Array<number>(size - 1).fill(0), exhausted ? 0 : beta]);
      basis.push(next);
    }
  }
}

interface RitzPair {
  readonly value: number;
  readonly residual: number;
  /** Coordinates of the unit Ritz vector in the basis. */
  readonly weights: readonly number[];
}

function ritzPairs(
  projected: readonly (readonly number[])[],
  coupled: readonly (readonly number[])[],
  beta: number,
): RitzPair[] {
  const n = projected.length;
  const full = new Matrix(projected.map((row) => [...row]));
  const symmetric = Matrix.add(full, full.transpose()).mul(0.5);
  const { values, vector } = eigenSymmetric(symmetric);
  return values.map((value, k) => {
    const weights = vector(k);
    const inside = full.mmul(Matrix.columnVector(weights)).to1DArray();
    const skew = Math.hypot(...inside.map((x, i) => x - value * (weights[i] ?? 0)));
    const hidden = coupled.map((row) => inner(row, weights));
    return { value, weights, residual: Math.hypot(skew, beta * (weights[n - 1] ?? 0), ...hidden) };
  });
}

async function assemble(
  evaluator: Evaluator,
  vectors: Vectors,
  basis: readonly string[],
  weights: readonly number[],
  context: AnalysisContext,
): Promise<string> {
  const into = vectors.name('ritz');
  const terms = basis.map((vector, i) => ({ coefficient: weights[i] ?? 0, vector }));
  await evaluator.combine({ into, terms, state: null }, context.signal);
  return into;
}

/** aᵀ·M·b */
function quadratic(m: readonly (readonly number[])[], a: readonly number[], b: readonly number[]): number {
  return m.reduce((s, row, i) => s + (a[i] ?? 0) * inner(row, b), 0);
}

function inner(a: readonly number[], b: readonly number[]): number {
  return a.reduce((s, x, i) => s + x * (b[i] ?? 0), 0);
}

export function curvatureNotFinite(): BasinError {
  return new BasinError(
    'non-finite',
    'The curvature is NaN or infinite at these weights.',
    'Choose a snapshot before the loss diverged.',
  );
}
