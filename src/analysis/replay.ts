/** A loss is only asked about when it replays exactly. */
import { BasinError } from '../protocol/errors.ts';
import type { EvaluatorDescription } from '../protocol/evaluator.ts';

/**
 * Refuses an objective whose recorded losses were not reproduced at the weights they were recorded at: a picture
 * of such a loss would be of another function than the one that was trained.
 * @throws BasinError `not-replayable` with the probe's own reason and cure
 */
export function requireReplay(description: EvaluatorDescription): void {
  const { name, replay } = description.objective;
  if (replay === null || replay.exact) return;
  throw new BasinError(
    'not-replayable',
    `The loss of "${name}" did not come out again when its recorded steps were evaluated a second time` +
      ` (${replay.checked - replay.passed} of ${replay.checked} differ): ${replay.reason ?? 'the reason is unknown'}.`,
    replay.cure ?? 'Make the loss depend on the weights, the batch and Math.random alone, and train again.',
  );
}
