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

/** Words of scripts for some of them. */
const otherNames = { learning_rate: 'lr', learningRate: 'lr', eta: 'lr' } as const;

/** Every name that an expression may use, the same everywhere. */
export const knownNames: readonly string[] = [...valueNames, ...Object.keys(otherNames)];

/** The same values under the other names as well. */
export function withOtherNames<T>(values: Readonly<Record<string, T>>): Record<string, T> {
  const other = Object.entries(otherNames).flatMap(([name, of]) => {
    const value = values[of];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...values, ...Object.fromEntries(other) };
}

/** Those that the weights have to be read for; recording alone reads them every so many steps. */
export const weightReading: ReadonlySet<string> = new Set(['gradientNorm', 'updateNorm', 'distance']);

/**
 * null where a number is not known at this step.
 * @param sharpness the latest λ₁ that was measured
 * @param bound the optimizer's, at this step's learning rate
 */
export function stepValues(
  step: StepRecord | null,
  sharpness: LiveSharpness | null,
  bound: number | null,
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
    bound,
  };
}
