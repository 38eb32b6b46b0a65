import { spectrum } from '../../analysis/spectrum.ts';
import { BasinError } from '../../protocol/errors.ts';
import { definite, evaluationOf, requireInteger, type EvaluatorKind } from '../kind.ts';
import { resolveModel } from '../references.ts';

export const spectrumKind: EvaluatorKind<'spectrum'> = {
  needs: 'evaluator',
  complete(job, contents) {
    requireInteger('top', job.top, 0, 20);
    requireInteger('bottom', job.bottom, 0, 20);
    const names = contents.objective.parameters.map((p) => p.name);
    const unknown = job.parameters?.find((name) => !names.includes(name));
    if (unknown !== undefined) {
      throw new BasinError(
        'bad-input',
        `The objective has no parameter ${unknown}.`,
        `It has ${names.join(', ')}.`,
      );
    }
    return {
      ...job,
      split: job.split ?? 'train',
      at: definite(contents, job.at ?? 'last'),
      matrix: job.matrix ?? 'hessian',
      perLayer: job.perLayer ?? false,
      seed: job.seed ?? 1,
      traceTolerance: job.traceTolerance ?? 0.05,
    };
  },
  models: ({ at }) => (at === undefined ? [] : [at]),
  async run(job, asked) {
    const { top, bottom, trace, density, parameters, bandwidth, seed, traceTolerance } = job;
    return spectrum(
      asked.evaluator,
      {
        ...evaluationOf(job, asked),
        at: await resolveModel(asked.contents, job.at ?? 'last'),
        top,
        bottom,
        trace,
        density,
        matrix: job.matrix ?? 'hessian',
        perLayer: job.perLayer ?? false,
        ...(parameters === undefined ? {} : { parameters }),
        ...(bandwidth === undefined ? {} : { bandwidth }),
        ...(seed === undefined ? {} : { seed }),
        ...(traceTolerance === undefined ? {} : { traceTolerance }),
      },
      asked.context,
    );
  },
};
