import { cycles, stepsPerEpoch } from '../../analysis/cycles.ts';
import { BasinError } from '../../protocol/errors.ts';
import { decodeNumber } from '../../protocol/run.ts';
import { requireInteger, type RunKind } from '../kind.ts';

export const cyclesKind: RunKind<'cycles'> = {
  needs: 'run',
  complete(job, { steps }) {
    const epoch = job.epoch ?? stepsPerEpoch(steps);
    const seed = job.seed ?? 1;
    requireInteger('seed', seed, 0, 2 ** 31);
    if (job.epoch !== undefined) requireInteger('epoch', job.epoch, 2, 1e9);
    return { ...job, from: job.from ?? 0, seed, ...(epoch === null ? {} : { epoch: Math.round(epoch) }) };
  },
  models: () => [],
  async run({ from = 0, epoch, seed = 1 }, { contents, context }) {
    const sketch = await contents.run.openSketch(contents.objectiveIndex);
    if (sketch === null) {
      throw new BasinError(
        'no-steps',
        'The run has no sketch of its weights.',
        'Let it train for a few steps first.',
      );
    }
    const rates = new Map(
      contents.steps.map((s) => [s.step, s.learningRate === null ? null : decodeNumber(s.learningRate)]),
    );
    return cycles(
      {
        sketch,
        from,
        epoch: epoch ?? null,
        seed,
        optimizer: contents.objective.optimizer,
        rate: (step) => rates.get(step) ?? null,
      },
      context,
    );
  },
};
