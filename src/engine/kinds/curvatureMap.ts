import { curvatureMap, type CurvaturePoints } from '../../analysis/curvatureMap.ts';
import { curvatureMapDefaults } from '../../protocol/curvatureMap.ts';
import { BasinError } from '../../protocol/errors.ts';
import { evaluationOf, requireInteger, type EvaluatorKind } from '../kind.ts';
import { completePlane, modelsOfPlane, planeInput } from '../planes.ts';

export const curvatureMapKind: EvaluatorKind<'curvature-map'> = {
  needs: 'evaluator',
  resumes: true,
  complete(job, contents) {
    const { size, tolerance } = { ...curvatureMapDefaults, ...job };
    requireInteger('size', size, 5, 101);
    if (size % 2 === 0) {
      throw new BasinError(
        'bad-input',
        `A map of ${size} points an axis has none in the centre.`,
        `Take ${size + 1}.`,
      );
    }
    if (!(tolerance > 0 && tolerance < 1)) {
      throw new BasinError(
        'bad-input',
        `Eigenvalues cannot be known to ${tolerance} of the largest.`,
        'Give a tolerance between 0 and 1, such as 0.01.',
      );
    }
    return { ...job, size, tolerance, split: job.split ?? 'train', ...completePlane(job, contents) };
  },
  models: modelsOfPlane,
  async run(job, asked) {
    const { size, tolerance } = { ...curvatureMapDefaults, ...job };
    const input = {
      ...evaluationOf(job, asked),
      ...(await planeInput(job, asked.contents)),
      size,
      tolerance,
      ...(asked.unfinished === null ? {} : { known: asked.unfinished as CurvaturePoints }),
    };
    return curvatureMap(asked.evaluator, input, asked.context, asked.publish);
  },
};
