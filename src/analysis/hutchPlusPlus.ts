/**
 * Trace of a block by Hutch++ (Meyer, Musco, Musco & Woodruff 2021): tr(QᵀAQ), exact for Q an orthonormal basis of A·S
 * with a random S, and a Monte Carlo estimate of what is outside, the mean of gᵀ(I − QQᵀ)A(I − QQᵀ)g over normal g.
 *
 * A rule that stops as soon as the spread of the samples so far looks small stops by luck and states too narrow an
 * interval. Here the first stage alone says how many samples there will be, and its spread alone (with its own degrees
 * of freedom) makes the interval: Stein's two-stage procedure (1945), whose coverage does not suffer from the choice, with
 * Hall's correction for skewness.
 */
import jstat from 'jstat';
import { Matrix } from 'ml-matrix';
import type { TraceEstimate } from '../protocol/curvature.ts';
import { gaussianIn, quadraticForm, scaleVector, type Block, type Curvature } from './curvature.ts';
import { derivedSeed } from './directions.ts';
import { eigenSymmetric } from './eigen.ts';
import { curvatureNotFinite, SINGLE_PRECISION } from './lanczos.ts';
import { meanInterval } from './meanInterval.ts';
import { deviation, mean } from './moments.ts';
import type { Vectors } from './vectors.ts';

export interface TraceOptions {
  /** Half-width of the 95 % interval that is aimed at, as a share of the trace. */
  readonly tolerance: number;
  readonly seed: number;
  /** Dimensions of the sketch; default 10. */
  readonly sketch?: number;
  /** Samples of the first stage; default and least 20. */
  readonly firstStage?: number;
  /** Most samples in all; default 200. */
  readonly maxSamples?: number;
}

const SKETCH = 10;
const FIRST_STAGE = 20;
const MAX_SAMPLES = 200;
/** A sketched vector counts as inside of the others when orthogonalising leaves less than this share of it. */
const DEPENDENT = 1e-5;

/** @throws BasinError `non-finite` when a product is, `cancelled` */
export async function traceOf(
  curvature: Curvature,
  vectors: Vectors,
  block: Block,
  options: TraceOptions,
): Promise<TraceEstimate> {
  const { evaluator, context } = curvature;
  const draw = async (index: number): Promise<{ name: string; norm: number }> => {
    const name = vectors.name('sample');
    const { norm } = await gaussianIn(block, curvature, name, derivedSeed(options.seed, 5000 + index));
    return { name, norm };
  };

  // A block no larger than the sketch is spanned by the random vectors themselves: then nothing is left to estimate.
  const wanted = Math.min(options.sketch ?? SKETCH, block.dimension);
  const whole = wanted === block.dimension;
  const basis: string[] = [];
  for (let i = 0; i < wanted; i++) {
    const { name, norm: drawn } = await draw(i);
    let norm = drawn;
    if (!whole) ({ norm } = await block.multiply(name, name));
    if (!Number.isFinite(norm)) throw curvatureNotFinite();
    const { norm: left } =
      basis.length === 0
        ? { norm }
        : await evaluator.orthogonalise({ vector: name, against: basis }, context.signal);
    if (!(left > (whole ? 0 : DEPENDENT * norm))) {
      await vectors.release([name]);
      continue;
    }
    await scaleVector(curvature, name, 1 / left);
    // Once more: what little was left of a nearly dependent vector is not orthogonal to rounding.
    if (basis.length > 0) {
      const again = await evaluator.orthogonalise({ vector: name, against: basis }, context.signal);
      await scaleVector(curvature, name, 1 / again.norm);
    }
    basis.push(name);
    context.progress(i / (2 * wanted), `trace: sketch ${i + 1} of ${wanted}`);
  }

  const inside = await projectedMatrix(curvature, vectors, block, basis);
  const exact = inside.trace();
  const known = eigenSymmetric(inside).values.reduce((s, x) => s + Math.abs(x), 0);
  if (whole) {
    await vectors.release(basis);
    const standardError = SINGLE_PRECISION * known;
    return {
      value: exact,
      standardError,
      interval: [exact - 2 * standardError, exact + 2 * standardError],
      samples: 0,
      sketch: basis.length,
      converged: true,
    };
  }

  let drawn = wanted;
  const sample = async (): Promise<number> => {
    const { name } = await draw(drawn++);
    if (basis.length > 0) {
      await evaluator.orthogonalise({ vector: name, against: basis }, context.signal);
    }
    const value = await quadraticForm(curvature, block, vectors, name);
    await vectors.release([name]);
    return value;
  };
  const first = Math.max(FIRST_STAGE, options.firstStage ?? 0);
  const samples: number[] = [];
  const take = async (count: number): Promise<void> => {
    while (samples.length < count) {
      samples.push(await sample());
      context.progress(0.5 + (0.5 * samples.length) / count, `trace: sample ${samples.length} of ${count}`);
    }
  };
  await take(first);
  const spread = deviation(samples);
  const quantile = jstat.studentt.inv(0.975, first - 1);
  const scale = Math.max(Math.abs(exact + mean(samples)), known);
  const target = options.tolerance * scale;
  const needed = target > 0 ? Math.ceil(((quantile * spread) / target) ** 2) : first;
  await take(Math.min(Math.max(first, needed), Math.max(first, options.maxSamples ?? MAX_SAMPLES)));
  await vectors.release(basis);

  const value = exact + mean(samples);
  const rounding = SINGLE_PRECISION * known;
  const [low, high] = meanInterval(samples, spread, first - 1, exact);
  return {
    value,
    standardError: Math.max(spread / Math.sqrt(samples.length), rounding),
    interval: [Math.min(low, value - quantile * rounding), Math.max(high, value + quantile * rounding)],
    samples: samples.length,
    sketch: basis.length,
    converged: samples.length >= needed,
  };
}

/** QᵀAQ, made symmetric. */
async function projectedMatrix(
  curvature: Curvature,
  vectors: Vectors,
  block: Block,
  basis: readonly string[],
): Promise<Matrix> {
  const matrix = Matrix.zeros(basis.length, basis.length);
  const into = vectors.name('product');
  for (const [j, vector] of basis.entries()) {
    const { norm } = await block.multiply(vector, into);
    if (!Number.isFinite(norm)) throw curvatureNotFinite();
    const pairs = basis.map((other) => [other, into] as const);
    const { values } = await curvature.evaluator.dots({ pairs }, curvature.context.signal);
    values.forEach((x, i) => matrix.set(i, j, x));
  }
  await vectors.release([into]);
  return Matrix.add(matrix, matrix.transpose()).mul(0.5);
}
