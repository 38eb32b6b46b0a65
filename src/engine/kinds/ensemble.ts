import { chooseEnsemble, ensemble } from '../../analysis/ensemble.ts';
import type { EvaluatorKind } from '../kind.ts';

export const ensembleKind: EvaluatorKind<'ensemble'> = {
  needs: 'evaluator',
  builds: 'ensemble',
  complete(job, { snapshots }) {
    const { last: _, ...rest } = job;
    return { ...rest, members: chooseEnsemble({ ...job, snapshots }).map((m) => m.step) };
  },
  models: () => [],
  run: ({ members, last }, { contents, evaluator, mode, context, model }) =>
    ensemble(
      evaluator,
      {
        snapshots: contents.snapshots,
        mode,
        model,
        ...(members === undefined ? {} : { members }),
        ...(last === undefined ? {} : { last }),
      },
      context,
    ),
};
