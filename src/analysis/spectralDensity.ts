/**
 * Density of a block's eigenvalues by stochastic Lanczos quadrature (Lin, Saad & Yang 2016; Ghorbani, Krishnan & Xiao
 * 2019): for random unit vectors v, m steps of Lanczos give Gauss nodes θ_i with weights τ_i² (squared first components
 * of the tridiagonal matrix's eigenvectors), the measure of vᵀf(H)v; the density is their mean, each node a Gaussian.
 *
 * The standard error is not the spread of a few probes, which is badly known and skewed where few eigenvalues lie: for v
 * uniform on the sphere in n dimensions, Var vᵀf(H)v = 2/(n + 2)·(tr f(H)²/n − (tr f(H)/n)²) exactly (its numerator is what
 * the same quadrature gives with f²).
 *
 * With full reorthogonalisation as far as memory allows. The bandwidth is part of the answer: the nodes of m steps lie
 * about range/m apart in the middle of the spectrum, so nothing finer than that is claimed.
 */
import { Matrix } from 'ml-matrix';
import type { SpectralDensity } from '../protocol/curvature.ts';
import { gaussianIn, scaleVector, type Block, type Curvature } from './curvature.ts';
import { derivedSeed } from './directions.ts';
import { eigenSymmetric } from './eigen.ts';
import { BASIS_BYTES, curvatureNotFinite } from './lanczos.ts';
import type { Vectors } from './vectors.ts';

export interface DensityOptions {
  readonly seed: number;
  /** Random vectors; default 8. */
  readonly probes?: number;
  /** Lanczos steps a probe; default 40. */
  readonly steps?: number;
  /** Standard deviation of the Gaussians; default range/steps. */
  readonly bandwidth?: number;
  /** Points of the curve; default 401. */
  readonly points?: number;
}

interface Node {
  readonly value: number;
  readonly weight: number;
}

const PROBES = 8;
const STEPS = 40;
const POINTS = 401;
const FEWEST_STEPS = 8;
/** The curve reaches this many bandwidths beyond the outermost node. */
const MARGIN = 5;
/** Of the normal distribution, for 95 %. */
const Z = 1.96;

/** @throws BasinError `non-finite` when a product is, `cancelled` */
export async function spectralDensity(
  curvature: Curvature,
  vectors: Vectors,
  block: Block,
  options: DensityOptions,
): Promise<SpectralDensity> {
  const { parameterCount } = curvature.evaluator.description.objective;
  const probes = Math.max(1, options.probes ?? PROBES);
  const affordable = Math.max(FEWEST_STEPS, Math.floor(BASIS_BYTES / (4 * parameterCount)) - 1);
  const steps = Math.min(options.steps ?? STEPS, affordable, block.dimension);
  const measures: Node[][] = [];
  for (let i = 0; i < probes; i++) {
    measures.push(await quadrature(curvature, vectors, block, derivedSeed(options.seed, 9000 + i), steps));
    curvature.context.progress((i + 1) / probes, `density: probe ${i + 1} of ${probes}`);
  }
  const values = measures.flatMap((nodes) => nodes.map((n) => n.value));
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const size = Math.max(Math.abs(low), Math.abs(high));
  // All nodes in one place (a multiple of the identity, the zero matrix) still need a width to be drawn with.
  const bandwidth = options.bandwidth ?? (Math.max((high - low) / steps, 1e-3 * size) || 1e-6);
  const points = options.points ?? POINTS;
  const begin = low - MARGIN * bandwidth;
  const gap = (high - low + 2 * MARGIN * bandwidth) / (points - 1);
  const x = Array.from({ length: points }, (_, i) => begin + i * gap);
  const nodes = measures.flat();
  const heights = x.map((t) => nodes.map(({ value }) => gaussian((t - value) / bandwidth) / bandwidth));
  const average = (values: readonly number[]): number =>
    values.reduce((s, f, k) => s + f * (nodes[k]?.weight ?? 0), 0) / probes;
  const density = heights.map(average);
  // Var φ̂ = scale·φ: near a lone eigenvalue the scale is known well though φ is not, and the interval that solves
  // |φ̂ − φ| ≤ z·√(scale·φ) for φ (Wilson's, 1927) holds the truth where φ̂ ± z·√(scale·φ̂) is too short below it.
  const scale = heights.map((row, i) => {
    const [first, second] = [density[i] ?? 0, average(row.map((f) => f * f))];
    return first > 0 ? (2 * Math.max(0, second / first - first)) / ((block.dimension + 2) * probes) : 0;
  });
  const standardError = density.map((f, i) => Math.sqrt((scale[i] ?? 0) * f));
  const reach = scale.map((s) => (Z * Z * s) / 2);
  const half = density.map((_, i) => Math.hypot(Z * (standardError[i] ?? 0), reach[i] ?? 0));
  const interval = {
    low: density.map((f, i) => Math.max(0, f + (reach[i] ?? 0) - (half[i] ?? 0))),
    high: density.map((f, i) => f + (reach[i] ?? 0) + (half[i] ?? 0)),
  };
  return { x, density, standardError, interval, bandwidth, probes, steps };
}

const gaussian = (z: number): number => Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);

/** Gauss nodes and weights of vᵀf(H)v for one random unit vector. */
async function quadrature(
  curvature: Curvature,
  vectors: Vectors,
  block: Block,
  seed: number,
  steps: number,
): Promise<Node[]> {
  const { evaluator, context } = curvature;
  const start = vectors.name('probe');
  const { norm: length } = await gaussianIn(block, curvature, start, seed);
  await scaleVector(curvature, start, 1 / length);
  const basis = [start];
  const diagonal: number[] = [];
  const beside: number[] = [];
  let largest = 0;
  for (;;) {
    const next = vectors.name('krylov');
    const { norm } = await block.multiply(basis.at(-1) ?? '', next);
    const { coefficients, norm: beta } = await evaluator.orthogonalise(
      { vector: next, against: basis },
      context.signal,
    );
    if (!Number.isFinite(norm) || !Number.isFinite(beta)) throw curvatureNotFinite();
    diagonal.push(coefficients.at(-1) ?? 0);
    largest = Math.max(largest, norm);
    basis.push(next);
    // An exhausted Krylov space: the quadrature is exact with the nodes it has.
    if (diagonal.length === steps || !(beta > 1e-6 * largest)) break;
    await scaleVector(curvature, next, 1 / beta);
    beside.push(beta);
  }
  await vectors.release(basis);
  const tridiagonal = Matrix.diag(diagonal);
  beside.forEach((beta, i) => {
    tridiagonal.set(i, i + 1, beta);
    tridiagonal.set(i + 1, i, beta);
  });
  const { values, vector } = eigenSymmetric(tridiagonal);
  return values.map((value, k) => ({ value, weight: (vector(k)[0] ?? 0) ** 2 }));
}
