/**
 * The noise of minibatch gradients at a model: its scale, its rank, and how it lies to the Hessian. Chaudhari & Soatto 2018
 * found it in about 1 % of the directions; Zhu et al. 2019 along those of high curvature.
 */
import type { NoiseAndCurvature, NoiseResult, WithInterval } from '../protocol/noise.ts';
import { blockOf, Curvature, requireFiniteWeights } from './curvature.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { extremeEigenvalues } from './extremeEigenvalues.ts';
import { finite } from './finite.ts';
import { traceOf } from './hutchPlusPlus.ts';
import { howToEvaluate, type Draft, type Evaluation, type Model } from './model.ts';
import { jackknife, noiseRank, ratioOfForms } from './noiseCovariance.ts';
import { batchRanges, noiseScale, type NoiseScale } from './noiseScale.ts';
import { positiveInterval, symmetricalInterval } from './positiveInterval.ts';
import { requireReplay } from './replay.ts';
import { dataSentence, replaySentence } from './trust.ts';
import { noiseSentences } from './trustNoise.ts';
import { withVectors, type Vectors } from './vectors.ts';

/** Standard errors from zero at which an estimate is taken to be something else. */
const CLEAR = 3;

export interface GradientNoiseInput extends Evaluation {
  readonly at: Model;
  /** At most so many batches, at least 4. */
  readonly batches: number;
  /** Eigenvectors of the Hessian, 0 to 20; with 0 it is left out. */
  readonly top: number;
  readonly seed: number;
}

/** Gradients of single batches inside the evaluator, and what their Gram matrices tell. */
interface Centred {
  /** Named vectors of the gradients less their mean over samples, and of that mean. */
  readonly names: readonly string[];
  readonly mean: string;
  readonly samples: readonly number[];
  /** Gram matrix of the gradients as they are, and what comes of it. */
  readonly raw: readonly (readonly number[])[];
  readonly found: NoiseScale;
  /** b_i·‖g_i − ḡ‖² */
  readonly squares: readonly number[];
}

/**
 * One gradient a batch, and one product with the Hessian for each besides those of its eigenvectors and its trace. Batches
 * count as independent draws.
 * @throws BasinError `unsupported` for fewer than four batches, `non-finite`, `not-replayable`, `cancelled`
 */
export async function gradientNoise(
  evaluator: Evaluator,
  input: GradientNoiseInput,
  context: AnalysisContext,
): Promise<Draft<NoiseResult>> {
  const { description } = evaluator;
  requireReplay(description);
  return withVectors(evaluator, async (vectors) => {
    const { signal } = context;
    const part = (begin: number, share: number): AnalysisContext => ({
      signal,
      progress: (fraction, message) => context.progress(begin + share * Math.min(1, fraction), message),
    });
    const at = await vectors.load(input.at.vector, 'model', signal);
    await requireFiniteWeights(evaluator, at, input.at.id, signal);
    const ranges = await batchRanges(
      evaluator,
      { at, most: input.batches, data: input.data, mode: input.mode },
      signal,
    );
    const samples = ranges.map((r) => r.samples);
    const gradients: string[] = [];
    const first = part(0, input.top > 0 ? 0.3 : 0.9);
    for (const { range } of ranges) {
      const into = vectors.name('gradient');
      const data = { split: input.data.split, batches: range };
      const how = howToEvaluate(description, { data, mode: input.mode }, false);
      await evaluator.gradient({ at, into, how }, signal);
      gradients.push(into);
      first.progress(gradients.length / ranges.length, `gradient ${gradients.length} of ${ranges.length}`);
    }
    const raw = (await evaluator.gram({ vectors: gradients, origin: null }, signal)).rows;
    const found = noiseScale(raw, samples);
    const mean = await centre(evaluator, vectors, gradients, samples, signal);
    const { rows: gram } = await evaluator.gram({ vectors: gradients, origin: null }, signal);
    const { parameterCount } = description.objective;
    const rank = noiseRank(gram, samples, parameterCount, input.seed);
    const squares = samples.map((b, i) => b * (gram[i]?.[i] ?? NaN));
    const hessian =
      input.top === 0
        ? null
        : await againstHessian(
            evaluator,
            vectors,
            { ...input, at },
            { names: gradients, mean, samples, raw, found, squares },
            part(0.3, 0.7),
          );
    const data = { split: input.data.split, samples: samples.reduce((s, b) => s + b, 0) };
    const body = {
      kind: 'noise' as const,
      at: input.at.id,
      data,
      batches: samples.length,
      batchSizes: samples,
      scale: {
        value: found.value,
        standardError: found.standardError,
        interval: [found.interval[0], Number.isFinite(found.interval[1]) ? found.interval[1] : null] as const,
        gradient: atLeastZero(found.signal, found.signalStandardError, samples.length),
        trace: atLeastZero(found.noise, found.noiseStandardError, samples.length),
      },
      rank,
      hessian: hessian?.result ?? null,
    };
    return {
      ...body,
      refreshedStatistics: false,
      trust: [
        ...noiseSentences(body, hessian?.reason ?? null),
        dataSentence(data, input.mode, false),
        ...replaySentence(description),
      ],
    };
  });
}

/** An estimate, with its interval, of what cannot be below zero, though the estimate can. */
function atLeastZero(value: number, standardError: number, batches: number): WithInterval {
  const interval = positiveInterval(value, standardError, batches - 1);
  if (interval !== null) return { value, standardError, interval };
  const [, high] = symmetricalInterval(value, standardError, batches - 1);
  return { value, standardError, interval: [0, Math.max(0, high)] };
}

/** The same of what can be: skewed away from zero where it is clearly not there. */
function ofEitherSign(value: number, standardError: number | null, batches: number): WithInterval {
  if (standardError === null) return { value, standardError, interval: null };
  const away =
    Math.abs(value) > CLEAR * standardError
      ? positiveInterval(Math.abs(value), standardError, batches - 1)
      : null;
  if (away === null)
    return { value, standardError, interval: symmetricalInterval(value, standardError, batches - 1) };
  const [near, far] = away;
  return { value, standardError, interval: value < 0 ? [-far, -near] : [near, far] };
}

/** g_i ← g_i − ḡ, so that products of small differences are not lost beside those of the mean; ḡ under its name. */
async function centre(
  evaluator: Evaluator,
  vectors: Vectors,
  gradients: readonly string[],
  samples: readonly number[],
  signal: AbortSignal,
): Promise<string> {
  const total = samples.reduce((s, b) => s + b, 0);
  const mean = vectors.name('mean');
  const terms = gradients.map((vector, i) => ({ coefficient: (samples[i] ?? 0) / total, vector }));
  await evaluator.combine({ into: mean, terms, state: null }, signal);
  for (const name of gradients) {
    const difference = [
      { coefficient: 1, vector: name },
      { coefficient: -1, vector: mean },
    ];
    await evaluator.combine({ into: name, terms: difference, state: null }, signal);
  }
  return mean;
}

async function againstHessian(
  evaluator: Evaluator,
  vectors: Vectors,
  { at, data, mode, top, seed }: Omit<GradientNoiseInput, 'at'> & { readonly at: string },
  { names, samples, mean, raw, found, squares }: Centred,
  context: AnalysisContext,
): Promise<{ result: NoiseAndCurvature; reason: string | null }> {
  const { signal } = context;
  const how = howToEvaluate(evaluator.description, { data, mode }, false);
  let begin = 0;
  const within: AnalysisContext = {
    signal,
    progress: (fraction, message) => context.progress(begin + Math.min(1, fraction) / 3, message),
  };
  const curvature = new Curvature(evaluator, { at, how, matrix: 'hessian' }, within);
  const block = blockOf(curvature, 'all', undefined);
  const d = block.dimension;
  const eigen = await extremeEigenvalues(curvature, vectors, block, {
    end: 'largest',
    count: top,
    tolerance: 1e-3,
    maxProducts: 60 + 20 * top,
    seed,
  });
  const k = eigen.vectors.length;

  const along = async (vector: string): Promise<number[]> =>
    (await evaluator.dots({ pairs: eigen.vectors.map((v) => [vector, v] as const) }, signal)).values;
  const projected: number[][] = [];
  for (const name of names) projected.push(await along(name));
  const inside = projected.map((row, i) => (samples[i] ?? 0) * row.reduce((s, x) => s + x * x, 0));
  const noise = ratioOfForms(inside, squares, samples);

  begin = 1 / 3;
  const trace = await traceOf(curvature, vectors, block, { tolerance: 0.05, seed });
  begin = 2 / 3;
  const forms: number[] = [];
  const into = vectors.name('product');
  for (const [i, name] of names.entries()) {
    await curvature.multiply(name, into);
    const [value = NaN] = (await evaluator.dots({ pairs: [[name, into]] }, signal)).values;
    forms.push((samples[i] ?? 0) * value);
    within.progress((i + 1) / names.length, `curvature along the noise: ${i + 1} of ${names.length}`);
  }
  const degrees = samples.map(() => (samples.length - 1) / samples.length);
  const overlap = ratioOfForms(forms, squares, samples);
  const [low, high] = trace.interval;
  const factor = d / trace.value;
  const relative = Math.hypot(
    (overlap.standardError ?? NaN) / overlap.value,
    trace.standardError / trace.value,
  );
  const known = low > 0 || high < 0;
  const gradient = gradientShare(raw, found, projected, await along(mean));
  await vectors.release([...eigen.vectors, into]);
  const traceOfProduct = ratioOfForms(forms, degrees, samples);
  return {
    reason: curvature.reason,
    result: {
      eigenvalues: eigen.values,
      residuals: eigen.residuals,
      converged: eigen.converged,
      noise: { ...noise, isotropic: k / d },
      gradient: { ...gradient, isotropic: k / d },
      trace: ofEitherSign(traceOfProduct.value, traceOfProduct.standardError, samples.length),
      anisotropy: known
        ? {
            value: overlap.value * factor,
            standardError: finite(Math.abs(overlap.value * factor) * relative),
          }
        : { value: null, standardError: null },
      hessianTrace: { value: trace.value, standardError: trace.standardError },
      products: curvature.products,
      method: curvature.method,
    },
  };
}

/**
 * The share of ‖∇L‖² in some directions, over pairs of different batches above and below, whose noise is not the same. null
 * where the gradient itself is not told from noise.
 * @param gram of the gradients as they are
 * @param projected coordinates of each gradient less the mean; @param middle those of the mean
 */
function gradientShare(
  gram: readonly (readonly number[])[],
  { signal, signalStandardError }: NoiseScale,
  projected: readonly (readonly number[])[],
  middle: readonly number[],
): { value: number | null; standardError: number | null } {
  if (!(signal > CLEAR * signalStandardError)) return { value: null, standardError: null };
  const inside = (i: number, j: number): number =>
    middle.reduce((s, m, k) => s + (m + (projected[i]?.[k] ?? NaN)) * (m + (projected[j]?.[k] ?? NaN)), 0);
  const pairs = (of: (i: number, j: number) => number): { total: number; each: number[] } => {
    const each = gram.map((_, i) => gram.reduce((s, __, j) => (i === j ? s : s + of(i, j)), 0));
    return { total: each.reduce((s, x) => s + x, 0), each };
  };
  const below = pairs((i, j) => gram[i]?.[j] ?? NaN);
  const above = pairs(inside);
  return jackknife(
    gram.length,
    above.total / below.total,
    (i) => (above.total - 2 * (above.each[i] ?? 0)) / (below.total - 2 * (below.each[i] ?? 0)),
  );
}
