/** Loss and accuracy of one model on the train and validation samples. */
import type { EvaluationMode } from '../protocol/evaluator.ts';
import type { ScoreResult } from '../protocol/results.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import type { Draft, Model } from './model.ts';

export interface ScoreInput {
  readonly at: Model;
  readonly mode: EvaluationMode;
  /** At most this many samples of each split; all when absent. */
  readonly samples?: number;
}

/** Scores a model with the batch-norm statistics it carries. */
export async function score(evaluator: Evaluator, input: ScoreInput, context: AnalysisContext): Promise<Draft<ScoreResult>> {
  void evaluator, input, context;
  throw new Error('being written');
}
