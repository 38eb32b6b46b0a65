import type { RateSchedule } from '../../analysis/rateSchedule.ts';
import { trainedEnsemble } from '../../analysis/trainedEnsemble.ts';
import type { SnapshotEnsembleJob } from '../../protocol/furtherTraining.ts';
import type { EvaluatorKind } from '../kind.ts';
import { completed, inputOf, keeper, requireJob } from './furtherTraining.ts';

export const snapshotEnsembleKind: EvaluatorKind<'snapshot-ensemble'> = {
  needs: 'evaluator',
  builds: 'ensemble',
  endsEarly: true,
  complete(job, contents) {
    // Restarts at the run's own largest rate leave its valley: cycles twice as long as those that stay in it.
    const complete = completed(job, contents, { share: 1 / 10, rateShare: 1 });
    requireJob(scheduleOf(complete));
    return complete;
  },
  models: ({ at }) => (at === undefined ? [] : [at]),
  async run(job, { contents, evaluator, mode, context, model, reserve }) {
    const input = await inputOf(job, scheduleOf(job), contents, mode);
    const keep = keeper('snapshot-ensemble', contents, reserve);
    return {
      kind: 'snapshot-ensemble',
      ...(await trainedEnsemble(evaluator, { ...input, model, keep }, context)),
    };
  },
};

function scheduleOf({ rate: high = 0, cycle = 1 }: SnapshotEnsembleJob): RateSchedule {
  return { name: 'cosine', high, low: 0, cycle };
}
