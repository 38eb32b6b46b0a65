import { margins } from '../../analysis/margins.ts';
import { definite, type EvaluatorKind } from '../kind.ts';
import { resolvePredictor } from '../references.ts';

export const marginsKind: EvaluatorKind<'margins'> = {
  needs: 'evaluator',
  takesEnsembles: true,
  complete: (job, contents) => ({ ...job, at: definite(contents, job.at ?? 'last') }),
  models: ({ at }) => (at === undefined ? [] : [at]),
  run: async (job, { contents, evaluator, mode, context }) =>
    margins(evaluator, { at: await resolvePredictor(contents, job.at ?? 'last'), mode }, context),
};
