import type { RateSchedule } from '../../analysis/rateSchedule.ts';
import { swa } from '../../analysis/swa.ts';
import type { SwaJob } from '../../protocol/furtherTraining.ts';
import type { EvaluatorKind } from '../kind.ts';
import { completed, inputOf, requireJob } from './furtherTraining.ts';

/** A lowest rate that is not given is this share of the highest. */
const LOW = 0.01;

export const swaKind: EvaluatorKind<'swa'> = {
  needs: 'evaluator',
  builds: 'average',
  endsEarly: true,
  complete(job, contents) {
    // A quarter of the run's own steps, at half its largest rate, as in the paper.
    const whole = completed(job, contents, { share: 1 / 20, rateShare: 0.5 });
    const low = job.cyclic === true ? { low: job.low ?? LOW * whole.rate } : {};
    const complete = { ...whole, cyclic: job.cyclic === true, ...low };
    requireJob(scheduleOf(complete));
    return complete;
  },
  models: ({ at }) => (at === undefined ? [] : [at]),
  async run(job, { contents, evaluator, mode, context, model }) {
    const input = await inputOf(job, scheduleOf(job), contents, mode);
    return swa(
      evaluator,
      {
        ...input,
        model: {
          id: model,
          file: contents.run.modelPath(model),
          metadata: { 'basin.run': contents.run.id, 'basin.model': model, 'basin.kind': 'swa' },
        },
      },
      context,
    );
  },
};

function scheduleOf({ cyclic, rate: high = 0, low = high, cycle = 1 }: SwaJob): RateSchedule {
  return { name: cyclic === true ? 'cyclic' : 'constant', high, low, cycle };
}
