import { line } from '../../analysis/line.ts';
import { definite, evaluationOf, requireInteger, type EvaluatorKind } from '../kind.ts';
import { resolveModel } from '../references.ts';

export const lineKind: EvaluatorKind<'line'> = {
  needs: 'evaluator',
  complete(job, contents) {
    requireInteger('points', job.points, 2, 1001);
    return {
      ...job,
      split: job.split ?? 'train',
      from: definite(contents, job.from),
      to: definite(contents, job.to),
    };
  },
  models: ({ from, to }) => [from, to],
  async run(job, asked) {
    const { contents, evaluator, context } = asked;
    const from = await resolveModel(contents, job.from);
    const to = await resolveModel(contents, job.to);
    return line(evaluator, { ...evaluationOf(job, asked), from, to, points: job.points }, context);
  },
};
