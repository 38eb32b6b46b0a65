/** λ₁ of a training run while it trains: a few products per estimate, warm-started from the estimate before. */
import type { LiveSharpness } from '../protocol/run.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import type { Evaluation } from './model.ts';

export interface LiveSharpnessInput extends Evaluation {
  /** Hessian-vector products per estimate; default 6 (the first estimate takes three times as many). */
  readonly products?: number;
}

/** Follows λ₁ over one connection to a live evaluator; keeps one vector (the last eigenvector) inside it between estimates. */
export class LiveSharpnessTracker {
  constructor(
    private readonly evaluator: Evaluator,
    private readonly input: LiveSharpnessInput,
  ) {}

  /**
   * One estimate at the weights of this moment. `seconds` is what the training process spent on it (by its own
   * count), for the caller to keep a budget with.
   * @throws BasinError `non-finite` when the weights or the product are, `process-ended`, `cancelled`
   */
  async measure(context: AnalysisContext): Promise<LiveSharpness> {
    void this.evaluator, this.input, context;
    throw new Error('being written');
  }

  /** Frees what the tracker keeps inside the evaluator. */
  async release(): Promise<void> {
    throw new Error('being written');
  }
}
