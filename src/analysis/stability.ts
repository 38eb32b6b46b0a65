/** λ₁ along a run against the bound of its optimizer: whether training came to the edge of stability (Cohen et al. 2021), and when. */
import type { StabilityPoint, StabilityResult } from '../protocol/curvature.ts';
import { BasinError } from '../protocol/errors.ts';
import type { OptimizerInfo } from '../protocol/run.ts';
import { stabilityBound, verdictOf } from '../protocol/stability.ts';
import { Curvature, requireFiniteWeights } from './curvature.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { lanczos } from './lanczos.ts';
import { howToEvaluate, samplesOf, type Draft, type Evaluation, type Snapshot } from './model.ts';
import { preconditionedSharpness } from './preconditionedSharpness.ts';
import { requireReplay } from './replay.ts';
import { dataSentence, replaySentence } from './trust.ts';
import { stabilitySentences } from './trustCurvature.ts';
import { withVectors } from './vectors.ts';

export interface StabilityInput extends Evaluation {
  /** In the order of their steps, each with the learning rate in force there (null when unknown). */
  readonly snapshots: readonly (Snapshot & { readonly learningRate: number | null })[];
  readonly optimizer: OptimizerInfo | null;
  /** Largest ‖Hv − λv‖/|λ| that counts as converged; default 1e-3. */
  readonly tolerance?: number;
  /** Most products at one snapshot; default 60. */
  readonly maxProducts?: number;
}

/**
 * λ₁ at each snapshot by Lanczos, which starts from the top eigenvector of the snapshot before. A snapshot that is
 * not finite has no λ₁, and the others keep theirs. For an adaptive optimizer also the preconditioned λ₁ of this moment.
 * @throws BasinError `bad-input` without snapshots, `not-replayable`, `cancelled`
 */
export async function stability(
  evaluator: Evaluator,
  input: StabilityInput,
  context: AnalysisContext,
): Promise<Draft<StabilityResult>> {
  const { signal } = context;
  if (input.snapshots.length === 0) {
    throw new BasinError('bad-input', 'No snapshot was chosen.', 'Name one at least.');
  }
  requireReplay(evaluator.description);
  const how = howToEvaluate(evaluator.description, input, false);
  return withVectors(evaluator, async (vectors) => {
    const points: StabilityPoint[] = [];
    let products = 0;
    let method: 'exact' | 'finite-difference' = 'exact';
    let reason: string | null = null;
    let start: string | null = null;
    let samples = 0;
    // The one of this moment is one more beside those of the snapshots.
    const rounds = input.snapshots.length + 1;
    const search = { tolerance: input.tolerance ?? 1e-3, maxProducts: input.maxProducts ?? 60 };
    for (const [i, { step, vector, learningRate }] of input.snapshots.entries()) {
      const share = (fraction: number): number => (i + fraction) / rounds;
      const within: AnalysisContext = {
        signal,
        progress: (fraction, message) => context.progress(share(fraction), `step ${step}: ${message}`),
      };
      const { bound } = stabilityBound(input.optimizer, learningRate);
      const unknown = { step, learningRate, bound, converged: false, verdict: 'unknown' as const };
      const at = await vectors.load(vector, 'model', signal);
      const curvature = new Curvature(evaluator, { at, how, matrix: 'hessian' }, within);
      try {
        await requireFiniteWeights(evaluator, at, String(step), signal);
        // The same at every snapshot: one pass over the samples tells it.
        samples ||= await samplesOf(evaluator, at, how, signal);
        const found = await lanczos(
          evaluator,
          vectors,
          curvature.multiply,
          {
            top: 1,
            ...search,
            seed: 1,
            like: at,
            ...(start === null ? {} : { start }),
          },
          within,
        );
        const [lambda1 = NaN] = found.values;
        const [residual = NaN] = found.residuals;
        if (start !== null) await vectors.release([start]);
        start = found.vectors[0] ?? null;
        points.push({
          ...unknown,
          lambda1,
          residual,
          converged: found.converged,
          ratio: bound === null || !(bound > 0) ? null : lambda1 / bound,
          verdict: verdictOf(lambda1, bound),
        });
      } catch (error) {
        if (!(error instanceof BasinError && error.code === 'non-finite')) throw error;
        points.push({ ...unknown, lambda1: null, residual: null, ratio: null });
      }
      products += curvature.products;
      if (curvature.method === 'finite-difference') ({ method, reason } = curvature);
      // A named operand is the caller's, and is not released by this scope.
      await vectors.release([at]);
    }
    const adaptive = await preconditionedSharpness(
      evaluator,
      vectors,
      { optimizer: input.optimizer, data: input.data, mode: input.mode, ...search },
      {
        signal,
        progress: (fraction, message) =>
          context.progress((rounds - 1 + fraction) / rounds, `preconditioned: ${message}`),
      },
    );
    products += adaptive.products;
    if (adaptive.finiteDifference !== null) {
      method = 'finite-difference';
      reason ??= adaptive.finiteDifference.reason;
    }
    const { formula, reason: noBound } = stabilityBound(
      input.optimizer,
      input.snapshots[0]?.learningRate ?? null,
    );
    const body = {
      kind: 'stability' as const,
      data: { split: input.data.split, samples },
      points,
      formula,
      preconditioned: adaptive.point,
      withoutPreconditioned: adaptive.reason,
      products,
      method,
      refreshedStatistics: false,
    };
    return {
      ...body,
      trust: [
        ...stabilitySentences(body, { bound: noBound, finiteDifference: reason }),
        dataSentence(body.data, input.mode, false),
        ...replaySentence(evaluator.description),
      ],
    };
  });
}
