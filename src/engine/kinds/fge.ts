import type { RateSchedule } from '../../analysis/rateSchedule.ts';
import { trainedEnsemble } from '../../analysis/trainedEnsemble.ts';
import type { FgeJob } from '../../protocol/furtherTraining.ts';
import type { EvaluatorKind } from '../kind.ts';
import { completed, inputOf, keeper, requireJob } from './furtherTraining.ts';

/** A lowest rate that is not given is this share of the highest, as in the paper. */
const LOW = 0.01;

export const fgeKind: EvaluatorKind<'fge'> = {
  needs: 'evaluator',
  builds: 'ensemble',
  endsEarly: true,
  complete(job, contents) {
    const whole = completed(job, contents, { share: 1 / 20, rateShare: 0.5, even: true });
    const complete = { ...whole, low: job.low ?? LOW * whole.rate };
    requireJob(scheduleOf(complete));
    return complete;
  },
  models: ({ at }) => (at === undefined ? [] : [at]),
  async run(job, { contents, evaluator, mode, context, model, reserve }) {
    const input = await inputOf(job, scheduleOf(job), contents, mode);
    const keep = keeper('fge', contents, reserve);
    return { kind: 'fge', ...(await trainedEnsemble(evaluator, { ...input, model, keep }, context)) };
  },
};

function scheduleOf({ rate: high = 0, low = 0, cycle = 2 }: FgeJob): RateSchedule {
  return { name: 'triangular', high, low, cycle };
}
