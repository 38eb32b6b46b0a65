/** The Hessian's largest eigenvalues at a model, beside what its optimizer can stand. */
import { BasinError } from '../protocol/errors.ts';
import type { HowToEvaluate } from '../protocol/evaluator.ts';
import type { OptimizerInfo } from '../protocol/run.ts';
import type { SharpnessResult } from '../protocol/results.ts';
import { Curvature, requireFiniteWeights } from './curvature.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { lanczos, SINGLE_PRECISION } from './lanczos.ts';
import { howToEvaluate, samplesOf, type Draft, type Evaluation, type Model } from './model.ts';
import { requireReplay } from './replay.ts';
import { stabilityBound, verdictOf } from '../protocol/stability.ts';
import { dataSentence, replaySentence, sharpnessSentences } from './trust.ts';
import { withVectors, type Vectors } from './vectors.ts';

export interface SharpnessInput extends Evaluation {
  readonly at: Model;
  /** How many eigenvalues, from the largest down; 1 to 20. */
  readonly top: number;
  readonly optimizer: OptimizerInfo | null;
  /** Learning rate in force at that model; null when unknown. */
  readonly learningRate: number | null;
  /** Largest ‖Hv − λv‖/|λ| that counts as converged; default 1e-3. */
  readonly tolerance?: number;
  /** Most Hessian-vector products of the iteration; default 30 + 20·top. */
  readonly maxProducts?: number;
  /** Seed of the start vector; default 1. */
  readonly seed?: number;
}

/** Parts of the evaluation set whose spread gives the standard error of λ₁. */
const PARTS = 8;
const FEWEST_PARTS = 3;

/**
 * Largest eigenvalues of the loss Hessian by Lanczos with full reorthogonalisation; the standard error of λ₁ from
 * the Rayleigh quotients of its eigenvector on parts of the evaluation set (first-order perturbation:
 * λ₁(H + δH) = λ₁ + v₁ᵀ·δH·v₁). `products` counts those of the iteration and of the parts.
 * @throws BasinError `bad-input`, `non-finite`, `not-replayable`, `cancelled`
 */
export async function sharpness(
  evaluator: Evaluator,
  input: SharpnessInput,
  context: AnalysisContext,
): Promise<Draft<SharpnessResult>> {
  const { top } = input;
  if (!Number.isInteger(top) || top < 1 || top > 20) {
    throw new BasinError('bad-input', `${top} eigenvalues cannot be asked for.`, 'Ask for 1 to 20.');
  }
  requireReplay(evaluator.description);
  const how = howToEvaluate(evaluator.description, input, false);
  return withVectors(evaluator, async (vectors) => {
    context.progress(0, 'eigenvalues: start');
    const at = await vectors.load(input.at.vector, 'model', context.signal);
    await requireFiniteWeights(evaluator, at, input.at.id, context.signal);
    const hessian = new Curvature(evaluator, { at, how, matrix: 'hessian' }, context);
    const pairs = await lanczos(
      evaluator,
      vectors,
      hessian.multiply,
      {
        top,
        maxProducts: input.maxProducts ?? 30 + 20 * top,
        tolerance: input.tolerance ?? 1e-3,
        seed: input.seed ?? 1,
        like: at,
      },
      context,
    );
    const [lambda = NaN] = pairs.values;
    const [first = ''] = pairs.vectors;
    const parts = await partsOfLambda(evaluator, vectors, hessian, { at, first, lambda, how }, context);
    const { bound, formula, reason } = stabilityBound(input.optimizer, input.learningRate);
    const body = {
      kind: 'sharpness' as const,
      at: input.at.id,
      data: { split: input.data.split, samples: parts.samples },
      eigenvalues: pairs.values,
      residuals: pairs.residuals.map((r) => Math.max(r, SINGLE_PRECISION * Math.abs(lambda))),
      standardError: parts.standardError,
      converged: pairs.converged,
      products: hessian.products,
      method: hessian.method,
      learningRate: input.learningRate,
      stabilityBound: bound,
      stabilityFormula: formula,
      verdict: verdictOf(lambda, bound),
      refreshedStatistics: false,
    };
    return {
      ...body,
      trust: [
        ...sharpnessSentences(body, {
          iterations: pairs.products,
          bound: reason,
          finiteDifference: hessian.reason,
        }),
        dataSentence(body.data, input.mode, false),
        ...replaySentence(evaluator.description),
      ],
    };
  });
}

/**
 * Rayleigh quotients of v₁ on consecutive parts of the evaluation set, and the standard error of their
 * sample-weighted mean, which is λ₁. The evaluator selects prefixes only, so a part is a difference of two:
 * with means q over the first b and c samples, the part between has (c·q_c − b·q_b)/(c − b).
 */
async function partsOfLambda(
  evaluator: Evaluator,
  vectors: Vectors,
  hessian: Curvature,
  known: { at: string; first: string; lambda: number; how: HowToEvaluate },
  context: AnalysisContext,
): Promise<{ samples: number; standardError: number | null }> {
  const { at, first, lambda, how } = known;
  const prefix = (samples: number): HowToEvaluate => ({ ...how, data: { ...how.data, samples } });
  const count = (h: HowToEvaluate): Promise<number> => samplesOf(evaluator, at, h, context.signal);
  const samples = await count(how);
  const batches = evaluator.description[how.data.split]?.batches ?? 0;
  if (Math.min(batches, PARTS) < FEWEST_PARTS) return { samples, standardError: null };

  const ends: { samples: number; quotient: number }[] = [];
  const into = vectors.name('part');
  for (let k = 1; k < PARTS; k++) {
    const selection = prefix(Math.ceil((k * samples) / PARTS));
    const reached = await count(selection);
    if (reached <= (ends.at(-1)?.samples ?? 0) || reached >= samples) continue;
    await hessian.on(selection, first, into);
    const { values } = await evaluator.dots({ pairs: [[first, into]] }, context.signal);
    ends.push({ samples: reached, quotient: values[0] ?? NaN });
    context.progress(k / PARTS, `standard error: part ${k} of ${PARTS}`);
  }
  ends.push({ samples, quotient: lambda });
  const parts = ends.map((end, i) => {
    const before = ends[i - 1] ?? { samples: 0, quotient: 0 };
    const size = end.samples - before.samples;
    return { size, value: (end.samples * end.quotient - before.samples * before.quotient) / size };
  });
  if (parts.length < FEWEST_PARTS) return { samples, standardError: null };
  const spread = parts.reduce((s, p) => s + ((p.size / samples) * (p.value - lambda)) ** 2, 0);
  const standardError = Math.sqrt((spread * parts.length) / (parts.length - 1));
  return { samples, standardError: Number.isFinite(standardError) ? standardError : null };
}
