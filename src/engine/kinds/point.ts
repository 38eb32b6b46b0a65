import { planePoint } from '../../analysis/planePoint.ts';
import { BasinError } from '../../protocol/errors.ts';
import { evaluationOf, type EvaluatorKind } from '../kind.ts';
import { completePlane, modelsOfPlane, planeInput } from '../planes.ts';

export const pointKind: EvaluatorKind<'point'> = {
  needs: 'evaluator',
  builds: 'point',
  complete(job, contents) {
    if (!Number.isFinite(job.x) || !Number.isFinite(job.y)) {
      throw new BasinError('bad-input', `(${job.x}, ${job.y}) is no point of a plane.`, 'Give two numbers.');
    }
    return { ...job, split: job.split ?? 'train', ...completePlane(job, contents) };
  },
  models: modelsOfPlane,
  async run(job, asked) {
    const { contents, evaluator, context, model } = asked;
    return planePoint(
      evaluator,
      {
        ...evaluationOf(job, asked),
        ...(await planeInput(job, contents)),
        x: job.x,
        y: job.y,
        ...(job.norms === undefined ? {} : { norms: job.norms }),
        model: {
          id: model,
          file: contents.run.modelPath(model),
          metadata: { 'basin.run': contents.run.id, 'basin.model': model, 'basin.kind': 'point' },
        },
      },
      context,
    );
  },
};
