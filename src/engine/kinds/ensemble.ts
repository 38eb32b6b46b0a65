import { ensemble, requireMembers, usualMembers } from '../../analysis/ensemble.ts';
import type { Snapshot } from '../../analysis/model.ts';
import { BasinError } from '../../protocol/errors.ts';
import { requireInteger, type EvaluatorKind } from '../kind.ts';
import { resolveModel } from '../references.ts';

export const ensembleKind: EvaluatorKind<'ensemble'> = {
  needs: 'evaluator',
  builds: 'ensemble',
  complete(job, { snapshots }) {
    const { last, ...rest } = job;
    if (job.select !== undefined) requireInteger('select', job.select, 1, 50);
    const usual = usualMembers(snapshots, last, job.select !== undefined);
    const members = [...new Set(job.members ?? usual.map((s) => s.step))];
    requireMembers(members);
    return { ...rest, members };
  },
  models: ({ members }) => members ?? [],
  async run({ members = [], combine, select }, { contents, evaluator, mode, context, model }) {
    const last = contents.snapshots.at(-1);
    if (last === undefined)
      throw new BasinError('no-steps', 'The run has no snapshots.', 'Let it train for a step first.');
    return ensemble(
      evaluator,
      {
        members: await Promise.all(members.map((m) => resolveModel(contents, m))),
        last: last satisfies Snapshot,
        mode,
        model,
        ...(combine === undefined ? {} : { combine }),
        ...(select === undefined ? {} : { select }),
      },
      context,
    );
  },
};
