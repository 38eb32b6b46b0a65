import { sharpness } from '../../analysis/sharpness.ts';
import { definite, evaluationOf, requireInteger, type EvaluatorKind } from '../kind.ts';
import { learningRateAt, resolveModel, stepOf } from '../references.ts';

export const sharpnessKind: EvaluatorKind<'sharpness'> = {
  needs: 'evaluator',
  ofTrainedLoss: true,
  complete(job, contents) {
    requireInteger('top', job.top, 1, 20);
    return { ...job, split: job.split ?? 'train', at: definite(contents, job.at ?? 'last') };
  },
  models: ({ at }) => (at === undefined ? [] : [at]),
  async run(job, asked) {
    const { contents, evaluator, context } = asked;
    const reference = job.at ?? 'last';
    return sharpness(
      evaluator,
      {
        ...evaluationOf(job, asked),
        at: await resolveModel(contents, reference),
        top: job.top,
        optimizer: contents.objective.optimizer,
        learningRate: learningRateAt(contents, stepOf(contents, reference)),
      },
      context,
    );
  },
};
