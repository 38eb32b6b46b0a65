import { flatness, requireSettings } from '../../analysis/flatness.ts';
import { flatnessDefaults, flatnessMeasureNames, type FlatnessJob } from '../../protocol/flatness.ts';
import { definite, evaluationOf, type EvaluatorKind } from '../kind.ts';
import { resolveModel } from '../references.ts';

export const flatnessKind: EvaluatorKind<'flatness'> = {
  needs: 'evaluator',
  complete(job, contents) {
    const settings = settingsOf(job);
    requireSettings(settings);
    return {
      ...job,
      ...settings,
      split: job.split ?? 'train',
      at: definite(contents, job.at ?? 'last'),
      measures: job.measures ?? flatnessMeasureNames,
      twin: job.twin ?? true,
    };
  },
  models: ({ at }) => (at === undefined ? [] : [at]),
  async run(job, asked) {
    return flatness(
      asked.evaluator,
      {
        ...evaluationOf(job, asked),
        at: await resolveModel(asked.contents, job.at ?? 'last'),
        measures: job.measures ?? flatnessMeasureNames,
        settings: settingsOf(job),
        twin: job.twin ?? true,
      },
      asked.context,
    );
  },
};

function settingsOf(job: FlatnessJob): typeof flatnessDefaults {
  const {
    epsilon,
    steps,
    starts,
    samRho,
    asamRho,
    eta,
    ascentSteps,
    sigma,
    repeats,
    seed,
  }: typeof flatnessDefaults = { ...flatnessDefaults, ...job };
  return { epsilon, steps, starts, samRho, asamRho, eta, ascentSteps, sigma, repeats, seed };
}
