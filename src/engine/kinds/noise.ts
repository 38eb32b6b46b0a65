import { gradientNoise } from '../../analysis/gradientNoise.ts';
import { noiseDefaults } from '../../protocol/noise.ts';
import { definite, evaluationOf, requireInteger, type EvaluatorKind } from '../kind.ts';
import { resolveModel } from '../references.ts';

export const noiseKind: EvaluatorKind<'noise'> = {
  needs: 'evaluator',
  complete(job, contents) {
    const settings = { ...noiseDefaults, ...job };
    requireInteger('batches', settings.batches, 4, 1024);
    requireInteger('top', settings.top, 0, 20);
    requireInteger('seed', settings.seed, 0, 2 ** 31);
    return { ...settings, split: job.split ?? 'train', at: definite(contents, job.at ?? 'last') };
  },
  models: ({ at }) => (at === undefined ? [] : [at]),
  async run(job, asked) {
    const { batches, top, seed } = { ...noiseDefaults, ...job };
    const at = await resolveModel(asked.contents, job.at ?? 'last');
    return gradientNoise(
      asked.evaluator,
      { ...evaluationOf(job, asked), at, batches, top, seed },
      asked.context,
    );
  },
};
