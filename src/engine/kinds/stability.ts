import { stability } from '../../analysis/stability.ts';
import { BasinError } from '../../protocol/errors.ts';
import { evaluationOf, requireInteger, type EvaluatorKind } from '../kind.ts';
import { learningRateAt, snapshotAt } from '../references.ts';

export const stabilityKind: EvaluatorKind<'stability'> = {
  needs: 'evaluator',
  ofTrainedLoss: true,
  complete(job, contents) {
    const wanted = job.snapshots ?? 10;
    requireInteger('snapshots', wanted, 1, 1000);
    const all = contents.snapshots.map((s) => s.step);
    if (all.length === 0) {
      throw new BasinError(
        'no-steps',
        `Run ${contents.run.id} has no snapshots.`,
        'Let it train for a step first.',
      );
    }
    const count = Math.min(wanted, all.length);
    const spread = Array.from({ length: count }, (_, i) =>
      all.at(count === 1 ? -1 : Math.round((i * (all.length - 1)) / (count - 1))),
    ).filter((step) => step !== undefined);
    const steps = [...new Set(job.steps ?? spread)].sort((a, b) => a - b);
    return { ...job, split: job.split ?? 'train', snapshots: steps.length, steps };
  },
  models: ({ steps }) => steps ?? [],
  async run(job, asked) {
    const { contents } = asked;
    const snapshots = (job.steps ?? []).map((step) => ({
      ...snapshotAt(contents, step),
      learningRate: learningRateAt(contents, step),
    }));
    const { optimizer } = contents.objective;
    return stability(asked.evaluator, { ...evaluationOf(job, asked), snapshots, optimizer }, asked.context);
  },
};
