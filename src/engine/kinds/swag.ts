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
    if (job.keep !== undefined) requireInteger('keep', job.keep, 1, settings.draws);
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
  async run(job, { contents, evaluator, mode, context, reserve }) {
    const { rank, draws, scale, seed, from, to, stride } = { ...swagDefaults, ...job };
    const window = {
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
      ...(stride === undefined ? {} : { stride }),
    };
    const keep: { id: string; file: string; metadata: Record<string, string> }[] = [];
    for (let i = 0; i < (job.keep ?? 0); i++) {
      const id = await reserve('draw');
      const metadata = { 'basin.run': contents.run.id, 'basin.model': id, 'basin.kind': 'draw' };
      keep.push({ id, file: contents.run.modelPath(id), metadata });
    }
    return swag(
      evaluator,
      { snapshots: contents.snapshots, window, rank, draws, scale, seed, mode, keep },
      context,
    );
  },
};
