/**
 * The layer where a loss spike began, by the records of layers.bin around it: the first record in which a parameter's
 * gradient or update leaves the range that it had in the records before.
 */
import type { ParameterInfo } from '../protocol/run.ts';
import type { LayerJump, LossSpike, SpikeOrigin } from '../protocol/trainingEvents.ts';
import type { LayerRecord } from './layersFile.ts';

/** Steps before a spike that still lie near it: four records where every fourth step is read. */
const NEAR = 16;
/** Records before those that tell what is usual: so many, and no fewer than so many. */
const USUAL = 50;
const FEWEST = 3;
/** Times its median that a norm has to be at least, and more than in any of those records: batches differ. */
const RISE = 4;

/** The spike with its origin. @param records of its objective, by step */
export const withOrigin = (
  spike: LossSpike,
  records: readonly LayerRecord[],
  parameters: readonly ParameterInfo[],
): LossSpike => ({ ...spike, origin: spikeOrigin(spike, records, parameters) });

/**
 * Up to the step at which the spike was confirmed: where layers are not read at every step, the first record that tells
 * may come after its first loss: it tells what the spike has come to. Of one record's updates and gradients the updates came first, so that a layer whose
 * update has jumped goes before the gradients that this has raised in others.
 * @returns null where too few records lie near
 */
function spikeOrigin(
  { step, confirmed }: LossSpike,
  records: readonly LayerRecord[],
  parameters: readonly ParameterInfo[],
): SpikeOrigin | null {
  const looked = records.filter((record) => record.step >= step - NEAR && record.step <= confirmed);
  const [from, to] = [looked[0]?.step, looked.at(-1)?.step];
  if (from === undefined || to === undefined) return null;
  const usual = records.filter((record) => record.step < from).slice(-USUAL);
  if (usual.length < FEWEST) return null;
  for (const record of looked) {
    for (const what of ['update', 'gradient'] as const) {
      const first = largest(record, usual, parameters, what);
      if (first !== null) return { from, to, first };
    }
  }
  return { from, to, first: null };
}

function largest(
  record: LayerRecord,
  usual: readonly LayerRecord[],
  parameters: readonly ParameterInfo[],
  what: LayerJump['what'],
): LayerJump | null {
  let found: LayerJump | null = null;
  parameters.forEach(({ name, layer }, place) => {
    const now = norm(record, place, what);
    const before = usual.map((one) => norm(one, place, what)).filter((x) => Number.isFinite(x));
    if (before.length < FEWEST || Number.isNaN(now)) return;
    const sorted = before.sort((a, b) => a - b);
    const [median, most] = [sorted[sorted.length >> 1] as number, sorted.at(-1) as number];
    if (!(now > most && now > RISE * median)) return;
    // What has left zero has risen beyond all measure, by however little: it counts where nothing else has risen.
    const times = median > 0 ? Math.min(now / median, Number.MAX_VALUE) : null;
    if (found === null || (times !== null && times > (found.times ?? 0))) {
      found = { parameter: name, layer, what, step: record.step, times };
    }
  });
  return found;
}

const norm = (record: LayerRecord, place: number, what: LayerJump['what']): number =>
  what === 'gradient'
    ? record.value(place, 'gradientNorm')
    : record.value(place, 'updateNorm') / record.value(place, 'weightNorm');
