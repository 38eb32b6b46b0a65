import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { circling } from '../../analysis/circling.ts';
import { chooseSwept, sweep } from '../../analysis/sweep.ts';
import { sweepDefaults } from '../../protocol/averaging.ts';
import { BasinError } from '../../protocol/errors.ts';
import { requireInteger, type EvaluatorKind } from '../kind.ts';

export const sweepKind: EvaluatorKind<'sweep'> = {
  needs: 'evaluator',
  complete(job, { snapshots }) {
    const settings = { ...sweepDefaults, ...job };
    requireInteger('places', settings.places, 2, 100);
    for (const decay of settings.decays) {
      if (decay > 0 && decay < 1) continue;
      throw new BasinError(
        'bad-input',
        `A moving average cannot decay by ${decay}.`,
        'Give decays between 0 and 1, such as 0.9.',
      );
    }
    const inside = chooseSwept({ ...job, snapshots });
    return { ...settings, from: job.from ?? inside[0]?.step ?? 0, to: job.to ?? inside.at(-1)?.step ?? 0 };
  },
  models: () => [],
  async run(job, { contents, evaluator, mode, context }) {
    const { places, decays } = { ...sweepDefaults, ...job };
    const directory = await mkdtemp(join(tmpdir(), 'basin-sweep-'));
    try {
      const sketch = await contents.run.openSketch(contents.objectiveIndex);
      const path = await circling(sketch, contents.steps, context.signal, job.to);
      return await sweep(
        evaluator,
        {
          snapshots: contents.snapshots,
          ...(job.from === undefined ? {} : { from: job.from }),
          ...(job.to === undefined ? {} : { to: job.to }),
          places,
          decays,
          mode,
          circling: path,
          scratch: (block) => join(directory, `block-${block}.safetensors`),
        },
        context,
      );
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
};
