import { contour } from '../../analysis/contour.ts';
import type { ContourPoints } from '../../analysis/contourPoints.ts';
import { BasinError } from '../../protocol/errors.ts';
import { evaluationOf, requireGridSize, requireInteger, type EvaluatorKind } from '../kind.ts';
import { completePlane, modelsOfPlane, planeInput } from '../planes.ts';

export const contourKind: EvaluatorKind<'contour'> = {
  needs: 'evaluator',
  resumes: true,
  complete(job, contents) {
    requireGridSize(job.size);
    if (job.seeds !== undefined) {
      requireInteger('seeds', job.seeds, 2, 1000);
      if (job.plane !== 'random') {
        throw new BasinError(
          'bad-input',
          'Only a random plane has others of its kind.',
          'Leave --seeds out, or add --plane random.',
        );
      }
    }
    return {
      ...job,
      adaptive: job.adaptive ?? true,
      split: job.split ?? 'train',
      ...completePlane(job, contents),
    };
  },
  models: modelsOfPlane,
  async run(job, asked) {
    const { contents, evaluator, context, publish, unfinished } = asked;
    const input = {
      ...evaluationOf(job, asked),
      ...(await planeInput(job, contents)),
      size: job.size,
      adaptive: job.adaptive ?? true,
      ...(unfinished === null ? {} : { known: unfinished as ContourPoints }),
      ...(job.seeds === undefined ? {} : { seeds: job.seeds }),
    };
    return contour(evaluator, input, context, publish);
  },
};
