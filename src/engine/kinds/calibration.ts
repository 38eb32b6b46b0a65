import { calibration } from '../../analysis/calibration.ts';
import { calibrationDefaults } from '../../protocol/generalisation.ts';
import { definite, evaluationOf, requireInteger, type EvaluatorKind } from '../kind.ts';
import { resolvePredictor } from '../references.ts';

export const calibrationKind: EvaluatorKind<'calibration'> = {
  needs: 'evaluator',
  takesEnsembles: true,
  complete(job, contents) {
    const settings = { ...calibrationDefaults, ...job };
    requireInteger('bins', settings.bins, 2, 100);
    // Confidence says most where the model has not been taught the answer.
    const split = job.split ?? (contents.manifest.evaluationSet?.validation ? 'validation' : 'train');
    return { ...settings, split, at: definite(contents, job.at ?? 'last') };
  },
  models: ({ at }) => (at === undefined ? [] : [at]),
  async run(job, asked) {
    const { at = 'last', bins, binning, seed } = { ...calibrationDefaults, ...job };
    return calibration(
      asked.evaluator,
      {
        ...evaluationOf(job, asked),
        at: await resolvePredictor(asked.contents, at),
        bins,
        binning,
        seed,
      },
      asked.context,
    );
  },
};
