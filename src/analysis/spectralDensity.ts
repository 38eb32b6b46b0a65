/**
 * Density of a block's eigenvalues by stochastic Lanczos quadrature (Lin, Saad & Yang 2016; Ghorbani, Krishnan & Xiao
 * 2019): for random unit vectors v, m steps of Lanczos give Gauss nodes θ_i with weights τ_i² (squared first components
 * of the tridiagonal matrix's eigenvectors), the measure of vᵀf(H)v; the density is their mean, each node a Gaussian.
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
  /** Random vectors; default 8, at least 2, which the standard error needs. */
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

/** @throws BasinError `non-finite` when a product is, `cancelled` */
export async function spectralDensity(
  curvature: Curvature,
  vectors: Vectors,
  block: Block,
  options: DensityOptions,
): Promise<SpectralDensity> {
  const { parameterCount } = curvature.evaluator.description.objective;
  const probes = Math.max(2, options.probes ?? PROBES);
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
  const curves = measures.map((nodes) => x.map((t) => smoothed(nodes, t, bandwidth)));
  const density = x.map((_, i) => curves.reduce((s, c) => s + (c[i] ?? 0), 0) / probes);
  return {
    x,
    density,
    standardError: density.map((mean, i) =>
      Math.sqrt(curves.reduce((s, c) => s + ((c[i] ?? 0) - mean) ** 2, 0) / ((probes - 1) * probes)),
    ),
    bandwidth,
    probes,
    steps,
  };
}

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

function smoothed(nodes: readonly Node[], t: number, bandwidth: number): number {
  const height = 1 / (bandwidth * Math.sqrt(2 * Math.PI));
  return nodes.reduce(
    (s, { value, weight }) => s + weight * height * Math.exp(-0.5 * ((t - value) / bandwidth) ** 2),
    0,
  );
}
