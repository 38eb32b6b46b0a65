/** Loss and accuracy along the straight segment between two models. */
import type { LineResult } from '../protocol/results.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import type { Draft, Evaluation, Model } from './model.ts';

export interface LineInput extends Evaluation {
  readonly from: Model;
  readonly to: Model;
  /** Points along t = 0..1, both ends included; 2 to 1001. */
  readonly points: number;
}

/**
 * Loss at (1 − t)·from + t·to, on `data` and, when `data` is the train split, on the validation split as well;
 * accuracy where the loss has one. Batch-norm statistics are computed anew at each point.
 * The barrier is max over t of loss(t) − ((1 − t)·loss(0) + t·loss(1)) (Frankle et al. 2020).
 * @throws BasinError `bad-input`, `non-finite` when an end's weights are not finite, `cancelled`
 */
export async function line(evaluator: Evaluator, input: LineInput, context: AnalysisContext): Promise<Draft<LineResult>> {
  void evaluator, input, context;
  throw new Error('being written');
}
