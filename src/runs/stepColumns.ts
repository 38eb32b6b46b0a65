/** All steps of a run, packed for the page: binary columns cross to a webview many times faster than objects. */
import { NOT_KNOWN, type StepColumns } from '../protocol/page.ts';
import { knownNumber, type StepRecord } from '../protocol/run.ts';

export function packSteps(steps: readonly StepRecord[]): StepColumns {
  const column = (of: (step: StepRecord) => StepRecord['loss']): Float64Array =>
    Float64Array.from(steps, (step) => {
      const value = of(step);
      return knownNumber(value) ?? NOT_KNOWN;
    });
  return {
    step: column((s) => s.step),
    objective: column((s) => s.objective),
    epoch: column((s) => s.epoch),
    loss: column((s) => s.loss),
    learningRate: column((s) => s.learningRate),
    gradientNorm: column((s) => s.gradientNorm),
    updateNorm: column((s) => s.updateNorm),
    distance: column((s) => s.distance),
    time: column((s) => s.time),
  };
}
