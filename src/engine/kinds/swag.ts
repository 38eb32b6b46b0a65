import { chooseMembers } from '../../analysis/average.ts';
import { swag } from '../../analysis/swag.ts';
import { swagDefaults } from '../../protocol/averaging.ts';
import { BasinError } from '../../protocol/errors.ts';
import { requireInteger, type EvaluatorKind } from '../kind.ts';

export const swagKind: EvaluatorKind<'swag'> = {
  needs: 'evaluator',
  complete(job, { snapshots }) {
    const settings = { ...swagDefaults, ...job };
    requireInteger('rank', settings.rank, 0, 50);
    requireInteger('draws', settings.draws, 1, 50);
    requireInteger('seed', settings.seed, 0, 2 ** 31);
    if (!(settings.scale > 0 && Number.isFinite(settings.scale))) {
      throw new BasinError(
        'bad-input',
        `A scale of ${settings.scale} is not possible.`,
        'Give a number above 0.',
      );
    }
    const members = chooseMembers(snapshots, job);
    return {
      ...settings,
      from: job.from ?? members[0]?.step ?? 0,
      to: job.to ?? members.at(-1)?.step ?? 0,
      stride: job.stride ?? 1,
    };
  },
  models: () => [],
  run(job, { contents, evaluator, mode, context }) {
    const { rank, draws, scale, seed, from, to, stride } = { ...swagDefaults, ...job };
    const window = {
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
      ...(stride === undefined ? {} : { stride }),
    };
    return swag(
      evaluator,
      { snapshots: contents.snapshots, window, rank, draws, scale, seed, mode },
      context,
    );
  },
};
