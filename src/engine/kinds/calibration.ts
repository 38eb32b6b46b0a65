import { calibration } from '../../analysis/calibration.ts';
import { definite, evaluationOf, requireInteger, type Kind } from '../kind.ts';
import { resolveModel } from '../references.ts';

export const calibrationKind: Kind<'calibration'> = {
  complete(job, contents) {
    const { bins = 15, binning = 'width', seed = 1 } = job;
    requireInteger('bins', bins, 2, 100);
    // Confidence says most where the model has not been taught the answer.
    const split = job.split ?? (contents.manifest.evaluationSet?.validation ? 'validation' : 'train');
    return { ...job, split, at: definite(contents, job.at ?? 'last'), bins, binning, seed };
  },
  models: ({ at }) => (at === undefined ? [] : [at]),
  async run(job, asked) {
    const { at = 'last', bins = 15, binning = 'width', seed = 1 } = job;
    return calibration(
      asked.evaluator,
      {
        ...evaluationOf(job, asked),
        at: await resolveModel(asked.contents, at),
        bins,
        binning,
        seed,
      },
      asked.context,
    );
  },
};
