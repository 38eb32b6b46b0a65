/** The loss of a step as the page shows it: a number, one that is not finite, or none that is known. */
import type { StepRecord } from '../src/protocol/run.ts';
import { formatNumber } from './format.ts';
import { strings } from './strings.ts';

/** null where it is not known. */
export function lossOf({ loss }: Pick<StepRecord, 'loss'>): number | null {
  return loss === null ? null : Number(loss);
}

/** "loss 0.312". */
export function lossText(step: Pick<StepRecord, 'loss'>): string {
  const loss = lossOf(step);
  return loss === null ? strings.lossNotKnown : `${strings.loss} ${formatNumber(loss)}`;
}
