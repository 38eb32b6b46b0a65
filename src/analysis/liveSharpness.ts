/** λ₁ of a training run while it trains: a few products per estimate, warm-started from the estimate before. */
import type { LiveSharpness } from '../protocol/run.ts';
import { Curvature } from './curvature.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { lanczos } from './lanczos.ts';
import { howToEvaluate, samplesOf, type Evaluation } from './model.ts';
import { stabilityBound } from '../protocol/stability.ts';
import { presentWeights } from './presentWeights.ts';
import { Vectors, withVectors } from './vectors.ts';

export interface LiveSharpnessInput extends Evaluation {
  /** Hessian-vector products per estimate; default 6 (the first estimate takes three times as many). */
  readonly products?: number;
}

/** A record of live.jsonl whose numbers are known to be finite. */
export type LiveEstimate = LiveSharpness & {
  readonly lambda1: number;
  readonly residual: number;
  readonly learningRate: number | null;
  readonly bound: number | null;
};

/** A residual below this share of λ₁ ends an estimate before its products are used up. */
const TOLERANCE = 0.02;

/**
 * Follows λ₁ over one connection to a live evaluator. Between estimates one vector stays inside it, the last
 * eigenvector: curvature turns slowly beside training, so the next estimate starts almost where it must end.
 */
export class LiveSharpnessTracker {
  private readonly kept: Vectors;
  private eigenvector: string | null = null;
  private samples: number | null = null;
  private estimates = 0;

  constructor(
    private readonly evaluator: Evaluator,
    private readonly input: LiveSharpnessInput,
  ) {
    this.kept = new Vectors(evaluator);
  }

  /** Seconds that the training process needs for one gradient on the tracker's samples, for what products will cost. */
  async gradientSeconds(signal: AbortSignal): Promise<number> {
    const { evaluator } = this;
    const before = await evaluator.status({}, signal);
    return withVectors(evaluator, async (vectors) => {
      const at = vectors.name('now');
      await evaluator.load({ into: at, from: 'current' }, signal);
      const how = howToEvaluate(evaluator.description, this.input, false);
      await evaluator.gradient({ at, into: vectors.name('gradient'), how }, signal);
      return (await evaluator.status({}, signal)).connectionSeconds - before.connectionSeconds;
    });
  }

  /**
   * One estimate at the weights of this moment. `seconds` is what the training process spent on it (by its own
   * count, answers to others left out), for the caller to keep a budget with. `residual` says how good a budgeted estimate is: an eigenvalue
   * lies within that share of λ₁.
   * @param products in place of those of the input
   * @throws BasinError `non-finite` when the weights or the product are, `process-ended`, `cancelled`
   */
  async measure(context: AnalysisContext, products?: number): Promise<LiveEstimate> {
    const { evaluator } = this;
    const { signal } = context;
    const budget = products ?? this.input.products ?? 6;
    const before = await evaluator.status({}, signal);
    return withVectors(evaluator, async (vectors) => {
      const at = await presentWeights(evaluator, vectors, signal);
      const how = howToEvaluate(evaluator.description, this.input, false);
      this.samples ??= await samplesOf(evaluator, at, how, signal);
      const pairs = await lanczos(
        evaluator,
        vectors,
        new Curvature(evaluator, { at, how, matrix: 'hessian' }, context).multiply,
        {
          top: 1,
          maxProducts: this.eigenvector === null ? 3 * budget : budget,
          tolerance: TOLERANCE,
          seed: ++this.estimates,
          like: at,
          ...(this.eigenvector === null ? {} : { start: this.eigenvector }),
        },
        context,
      );
      const [lambda = NaN] = pairs.values;
      const [residual = NaN] = pairs.residuals;
      const [vector = ''] = pairs.vectors;
      this.eigenvector ??= this.kept.name('eigenvector');
      await evaluator.combine(
        { into: this.eigenvector, terms: [{ coefficient: 1, vector }], state: null },
        signal,
      );
      const after = await evaluator.status({}, signal);
      return {
        step: before.step,
        objective: evaluator.description.objectiveIndex,
        lambda1: lambda,
        residual: residual === 0 ? 0 : residual / Math.abs(lambda),
        products: pairs.products,
        samples: this.samples,
        learningRate: before.learningRate,
        bound: stabilityBound(before.optimizer, before.learningRate).bound,
        seconds: after.connectionSeconds - before.connectionSeconds,
      };
    });
  }

  /** Frees what the tracker keeps inside the evaluator. */
  async release(): Promise<void> {
    this.eigenvector = null;
    await this.kept.release();
  }
}
