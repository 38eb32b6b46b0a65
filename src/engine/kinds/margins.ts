import { margins } from '../../analysis/margins.ts';
import { definite, type EvaluatorKind } from '../kind.ts';
import { resolveModel } from '../references.ts';

export const marginsKind: EvaluatorKind<'margins'> = {
  needs: 'evaluator',
  complete: (job, contents) => ({ ...job, at: definite(contents, job.at ?? 'last') }),
  models: ({ at }) => (at === undefined ? [] : [at]),
  run: async (job, { contents, evaluator, mode, context }) =>
    margins(evaluator, { at: await resolveModel(contents, job.at ?? 'last'), mode }, context),
};
