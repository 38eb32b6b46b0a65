/** What a script can do so that its predictions are seen apart from its loss. */
import type { EvaluatorDescription } from '../protocol/evaluator.ts';

/** The second half of a cure, behind "or". */
export function showPredictions(framework: EvaluatorDescription['framework']): string {
  return framework === 'torch'
    ? "compute the loss of one output of the model, outside of it, by one of torch's loss functions or as a squared difference"
    : 'compute the loss through a layers model';
}
