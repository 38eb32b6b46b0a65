import { score } from '../../analysis/score.ts';
import { definite, type EvaluatorKind } from '../kind.ts';
import { resolvePredictor } from '../references.ts';

export const scoreKind: EvaluatorKind<'score'> = {
  needs: 'evaluator',
  takesEnsembles: true,
  complete: (job, contents) => ({ ...job, at: definite(contents, job.at ?? 'last') }),
  models: ({ at }) => (at === undefined ? [] : [at]),
  run: async (job, { contents, evaluator, mode, context }) =>
    score(evaluator, { at: await resolvePredictor(contents, job.at ?? 'last'), mode }, context),
};
