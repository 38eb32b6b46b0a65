/** Sentences on how layers learn: events first, then what stands out, then what the numbers rest on. */
import type { LayersResult } from '../protocol/layers.ts';
import { decodeNumber } from '../protocol/run.ts';
import { eventSentence } from '../protocol/trainingEvents.ts';
import { figures } from './trust.ts';

const MOST_EVENTS = 5;
/** An update ratio around 10⁻³ is what people aim at; by so much beyond it a layer stands out. */
const [SLOW, FAST] = [1e-5, 0.1];

type Told = Pick<
  LayersResult,
  'events' | 'parameters' | 'alignment' | 'noiseScale' | 'from' | 'to' | 'records' | 'every' | 'deadAfter'
>;

export function layerSentences(r: Told): string[] {
  const kernels = r.parameters.filter((p) => p.role === 'kernel' || p.role === 'embedding');
  const name = (p: (typeof kernels)[number]): string => p.layer ?? p.name;
  const ratio = (p: (typeof kernels)[number]): number => p.updateRatio.median ?? NaN;
  const still = kernels.filter((p) => ratio(p) < SLOW).map(name);
  const fast = kernels.filter((p) => ratio(p) > FAST).map(name);
  const dead = kernels.filter((p) => (p.dead?.units ?? 0) > 0);
  const left = r.events.length - MOST_EVENTS;
  return [
    ...r.events.slice(0, MOST_EVENTS).map(eventSentence),
    ...(left > 0 ? [`${left} more events are in the step log.`] : []),
    ...(r.events.length === 0 ? ['No loss spike and nothing that is not finite.'] : []),
    ...(still.length > 0
      ? [`Hardly moves (a step changes it by less than 10⁻⁵ of its norm): ${list(still)}.`]
      : []),
    ...(fast.length > 0 ? [`A step changes more than 10 % of its norm: ${list(fast)}.`] : []),
    ...(dead.length > 0
      ? [
          `Dead units: ${list(dead.map((p) => `${p.dead?.units} of ${p.dead?.of} in ${name(p)}`))}. Their incoming weights had a gradient of ` +
            `exactly zero in each of the last ${r.deadAfter} records, so no sample of those batches reached them. A weight penalty inside of the ` +
            'loss hides them, and a unit that very few samples reach may be among them.',
        ]
      : []),
    ...alignmentSentence(r),
    ...noiseSentence(r),
    `${r.records} records from step ${r.from} to ${r.to}, typically every ${figures(r.every, 3)} steps, each of one batch; a median over them ` +
      'is over what is left of a file that is thinned as it grows.',
  ];
}

function alignmentSentence({ alignment }: Told): string[] {
  const { median } = alignment;
  if (median === null || alignment.count < 5) return [];
  const means =
    median < -0.3
      ? 'the gradient turns round from step to step, as when the learning rate bounces between the walls of a valley'
      : median > 0.5
        ? 'successive steps go the same way, and a larger learning rate or smaller batches may do as well'
        : 'successive gradients are mostly noise to each other';
  return [`Gradients of successive steps have a median cosine of ${figures(median, 2)}: ${means}.`];
}

function noiseSentence({ noiseScale: noise }: Told): string[] {
  if (noise === null) return [];
  const [low, high] = noise.interval.map((x) => decodeNumber(x)) as [number, number];
  const range = Number.isFinite(high)
    ? `${figures(low, 2)} to ${figures(high, 2)} samples (95 %)`
    : `at least ${figures(low, 2)} samples (95 %)`;
  const value = noise.value === null ? '' : ` ${figures(decodeNumber(noise.value), 2)},`;
  const batch =
    noise.batchSize === null || !(low > 0 || Number.isFinite(high))
      ? ''
      : noise.batchSize < low
        ? `; the run's batches of ${noise.batchSize} are smaller: each step is mostly noise, and larger batches would train faster`
        : noise.batchSize > high
          ? `; the run's batches of ${noise.batchSize} are larger: fewer samples a step would do`
          : `; the run's batches of ${noise.batchSize} are about that`;
  return [
    `Gradient noise scale at step ${noise.step}:${value} ${range}, from ${noise.batches} batches, ${noise.samples} samples together${batch}.`,
  ];
}

function list(names: readonly string[]): string {
  const some = names.slice(0, 6);
  return names.length > some.length
    ? `${some.join(', ')} and ${names.length - some.length} more`
    : some.join(', ');
}
