import { contour } from '../../analysis/contour.ts';
import { BasinError } from '../../protocol/errors.ts';
import { definite, evaluationOf, requireInteger, type EvaluatorKind } from '../kind.ts';
import { resolveModel } from '../references.ts';

export const contourKind: EvaluatorKind<'contour'> = {
  needs: 'evaluator',
  complete(job, contents) {
    requireInteger('size', job.size, 5, 401);
    if (job.size % 2 === 0) {
      throw new BasinError(
        'bad-input',
        `A contour of ${job.size} points an axis has none in the centre.`,
        `Take ${job.size + 1}.`,
      );
    }
    return {
      ...job,
      split: job.split ?? 'train',
      plane: typeof job.plane === 'string' ? job.plane : each(job.plane, (one) => definite(contents, one)),
      at: definite(contents, typeof job.plane === 'string' ? (job.at ?? 'last') : job.plane[0]),
      ...(job.plane === 'random' ? { seed: job.seed ?? 1, span: job.span ?? 1 } : {}),
    };
  },
  models: ({ at, plane }) => [...(typeof plane === 'string' ? [] : plane), ...(at === undefined ? [] : [at])],
  async run(job, asked) {
    const { contents, evaluator, context, publish } = asked;
    const { size } = job;
    const plane =
      typeof job.plane === 'string'
        ? job.plane
        : await Promise.all(each(job.plane, (one) => resolveModel(contents, one)));
    return contour(
      evaluator,
      {
        ...evaluationOf(job, asked),
        snapshots: contents.snapshots,
        at: await resolveModel(contents, job.at ?? 'last'),
        plane,
        size,
        ...(job.seed === undefined ? {} : { seed: job.seed }),
        ...(job.span === undefined ? {} : { span: job.span }),
      },
      context,
      publish,
    );
  },
};

type Three<T> = readonly [T, T, T];

const each = <T, U>([a, b, c]: Three<T>, change: (one: T) => U): [U, U, U] => [
  change(a),
  change(b),
  change(c),
];
