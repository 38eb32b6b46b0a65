import { line } from '../../analysis/line.ts';
import { definite, evaluationOf, requireInteger, type EvaluatorKind } from '../kind.ts';
import { withMatched } from '../matchedModel.ts';
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
    const evaluation = evaluationOf(job, asked);
    const input = { ...evaluation, from, to, points: job.points };
    if (job.match !== true) return line(evaluator, input, context);
    return withMatched(evaluator, { ...evaluation, from, to }, context, (model, matched) =>
      line(evaluator, { ...input, to: model, matched }, context),
    );
  },
};
