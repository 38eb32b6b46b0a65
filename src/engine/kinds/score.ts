import { score } from '../../analysis/score.ts';
import { definite, type Kind } from '../kind.ts';
import { resolveModel } from '../references.ts';

export const scoreKind: Kind<'score'> = {
  complete: (job, contents) => ({ ...job, at: definite(contents, job.at ?? 'last') }),
  models: ({ at }) => (at === undefined ? [] : [at]),
  run: async (job, { contents, evaluator, mode, context }) =>
    score(evaluator, { at: await resolveModel(contents, job.at ?? 'last'), mode }, context),
};
