import { layers } from '../../analysis/layers.ts';
import { BasinError } from '../../protocol/errors.ts';
import { withOrigin } from '../../runs/spikeOrigin.ts';
import { trainingEvents } from '../../runs/trainingEvents.ts';
import { requireInteger, type RunKind } from '../kind.ts';

export const layersKind: RunKind<'layers'> = {
  needs: 'run',
  complete(job, { steps }) {
    const from = job.from ?? 0;
    // A run that trains on has more to tell the next time.
    const to = job.to ?? steps.at(-1)?.step ?? 0;
    requireInteger('from', from, 0, Number.MAX_SAFE_INTEGER);
    requireInteger('to', to, from, Number.MAX_SAFE_INTEGER);
    return { ...job, from, to };
  },
  models: () => [],
  async run({ from = 0, to }, { contents }) {
    const { run, objective, objectiveIndex, steps } = contents;
    const recorded = await run.readLayers(objectiveIndex);
    if (recorded !== null && recorded.parameters !== objective.parameters.length) {
      throw new BasinError(
        'corrupt-run',
        `The run's layer statistics are of ${recorded.parameters} parameters, and its objective has ${objective.parameters.length}.`,
      );
    }
    const noise = (await run.readNoise()).filter((n) => n.objective === objectiveIndex);
    const within = (step: number): boolean => step >= from && (to === undefined || step <= to);
    return layers({
      records: recorded?.records ?? [],
      parameters: objective.parameters,
      events: trainingEvents(steps)
        .filter((event) => within(event.step))
        .map((event) =>
          event.kind === 'spike' && event.objective === objectiveIndex
            ? withOrigin(event, recorded?.records ?? [], objective.parameters)
            : event,
        ),
      noiseScale: noise.filter((n) => within(n.step)).at(-1) ?? null,
      from,
      to: to ?? null,
    });
  },
};
