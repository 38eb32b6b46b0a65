import { requireCandidates, soup } from '../../analysis/soup.ts';
import { soupDefaults } from '../../protocol/soups.ts';
import type { EvaluatorKind } from '../kind.ts';
import { resolveModel } from '../references.ts';

export const soupKind: EvaluatorKind<'soup'> = {
  needs: 'evaluator',
  builds: 'soup',
  complete(job) {
    const members = [...new Set(job.members)];
    requireCandidates(members);
    return { ...soupDefaults, ...job, members };
  },
  models: ({ members }) => members,
  async run(job, { contents, evaluator, mode, context, model }) {
    const { method, by } = { ...soupDefaults, ...job };
    return soup(
      evaluator,
      {
        candidates: await Promise.all(job.members.map((m) => resolveModel(contents, m))),
        method,
        by,
        mode,
        stopAtBarrier: job.stopAtBarrier === true,
        model: {
          id: model,
          file: contents.run.modelPath(model),
          metadata: { 'basin.run': contents.run.id, 'basin.model': model, 'basin.kind': 'soup' },
        },
      },
      context,
    );
  },
};
