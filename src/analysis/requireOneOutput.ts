/** What averages predictions needs one output of the model, which the loss is made of. */
import { BasinError } from '../protocol/errors.ts';
import type { EvaluatorDescription } from '../protocol/evaluator.ts';

/**
 * @param what averages, as a sentence begins
 * @param instead what can be done without, as a cure begins
 * @throws BasinError `unsupported` where the script's predictions are not seen apart from its loss
 */
export function requireOneOutput(
  { predictions, framework }: EvaluatorDescription,
  what: string,
  instead: string,
): void {
  if (predictions) return;
  const show =
    framework === 'torch'
      ? "compute the loss of one output of the model, outside of it, by one of torch's loss functions or as a squared difference"
      : 'compute the loss through a layers model';
  throw new BasinError(
    'unsupported',
    `${what} averages one output of the model, and the loss of this script comes from several, or from inside of the model.`,
    `${instead}, or ${show}.`,
  );
}
