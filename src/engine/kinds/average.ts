import { average, chooseMembers } from '../../analysis/average.ts';
import type { EvaluatorKind } from '../kind.ts';

export const averageKind: EvaluatorKind<'average'> = {
  needs: 'evaluator',
  builds: 'average',
  complete(job, contents) {
    const members = chooseMembers(contents.snapshots, job);
    return {
      ...job,
      from: job.from ?? members[0]?.step ?? 0,
      to: job.to ?? members.at(-1)?.step ?? 0,
      stride: job.stride ?? 1,
    };
  },
  models: () => [],
  run({ from, to, stride }, { contents, evaluator, mode, context, model }) {
    return average(
      evaluator,
      {
        snapshots: contents.snapshots,
        mode,
        window: {
          ...(from === undefined ? {} : { from }),
          ...(to === undefined ? {} : { to }),
          ...(stride === undefined ? {} : { stride }),
        },
        model: {
          id: model,
          file: contents.run.modelPath(model),
          metadata: { 'basin.run': contents.run.id, 'basin.model': model, 'basin.kind': 'average' },
        },
      },
      context,
    );
  },
};
