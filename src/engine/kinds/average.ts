import { average, chooseMembers } from '../../analysis/average.ts';
import { BasinError } from '../../protocol/errors.ts';
import { requireInteger, type EvaluatorKind } from '../kind.ts';

export const averageKind: EvaluatorKind<'average'> = {
  needs: 'evaluator',
  builds: 'average',
  complete(job, contents) {
    if (job.last !== undefined) requireInteger('last', job.last, 2, 100_000);
    if (job.ema !== undefined && !(job.ema > 0 && job.ema < 1)) {
      throw new BasinError(
        'bad-input',
        `A moving average cannot decay by ${job.ema}.`,
        'Give a decay between 0 and 1, such as 0.9.',
      );
    }
    const members = chooseMembers(contents.snapshots, job);
    return {
      ...job,
      from: job.from ?? members[0]?.step ?? 0,
      to: job.to ?? members.at(-1)?.step ?? 0,
      stride: job.stride ?? 1,
    };
  },
  models: () => [],
  run({ from, to, stride, last, ema, stopAtBarrier }, { contents, evaluator, mode, context, model }) {
    return average(
      evaluator,
      {
        snapshots: contents.snapshots,
        mode,
        stopAtBarrier: stopAtBarrier === true,
        window: {
          ...(from === undefined ? {} : { from }),
          ...(to === undefined ? {} : { to }),
          ...(stride === undefined ? {} : { stride }),
          ...(last === undefined ? {} : { last }),
          ...(ema === undefined ? {} : { ema }),
        },
        model: {
          id: model,
          file: contents.run.modelPath(model),
          metadata: { 'basin.run': contents.run.id, 'basin.model': model, 'basin.kind': 'average' },
        },
      },
      context,
    );
  },
};
