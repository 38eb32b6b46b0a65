/** The names under which a step's numbers stand in conditions, watches, hovers and the debug console. */
import { knownNumber, type LiveSharpness, type StepRecord } from '../protocol/run.ts';
import type { Value } from './expression.ts';

export const valueNames = [
  'step',
  'epoch',
  'loss',
  'lr',
  'gradientNorm',
  'updateNorm',
  'distance',
  'samples',
  'time',
  'lambda1',
  'bound',
] as const;

/** Those that the weights have to be read for; recording alone reads them every so many steps. */
export const weightReading: ReadonlySet<string> = new Set(['gradientNorm', 'updateNorm', 'distance']);

/**
 * null where a number is not known at this step.
 * @param sharpness the latest λ₁ that was measured while training, with the bound that belonged to it
 */
export function stepValues(
  step: StepRecord | null,
  sharpness: LiveSharpness | null,
): Readonly<Record<(typeof valueNames)[number], Value>> {
  const number = (x: StepRecord['loss'] | undefined): number | null => knownNumber(x ?? null);
  return {
    step: step?.step ?? null,
    epoch: step?.epoch ?? null,
    loss: number(step?.loss),
    lr: number(step?.learningRate),
    gradientNorm: number(step?.gradientNorm),
    updateNorm: number(step?.updateNorm),
    distance: number(step?.distance),
    samples: step?.samples ?? null,
    time: step?.time ?? null,
    lambda1: number(sharpness?.lambda1),
    bound: number(sharpness?.bound),
  };
}
