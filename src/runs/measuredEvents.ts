/** Events that no step tells by itself: the edge of stability by λ₁ measured beside the run, dead units by layers.bin. */
import { DEAD_AFTER } from '../protocol/layerStatistics.ts';
import { decodeNumber, type LiveSharpness, type ParameterInfo, type RunManifest } from '../protocol/run.ts';
import type { DeadUnitsEvent, EdgeEvent, TrainingEvent } from '../protocol/trainingEvents.ts';
import type { LayerRecord } from './layersFile.ts';
import type { Run } from './run.ts';
import { withOrigin } from './spikeOrigin.ts';
import { trainingEvents } from './trainingEvents.ts';

/** λ₁ has to fall below this share of the bound before it can cross it anew: at the edge it goes up and down. */
const BACK = 0.9;

/** Finds each time that λ₁ comes above the bound, one measurement after the other. */
export class EdgeFinder {
  private readonly found: EdgeEvent[] = [];
  private readonly above = new Set</* objective */ number>();

  /** @returns what this measurement makes known */
  next({ step, objective, lambda1: raw, bound: given }: LiveSharpness): readonly EdgeEvent[] {
    if (given === null) return [];
    const [lambda1, bound] = [decodeNumber(raw), decodeNumber(given)];
    if (lambda1 > bound && !this.above.has(objective)) {
      this.above.add(objective);
      const event: EdgeEvent = { kind: 'edge', objective, step, lambda1, bound };
      this.found.push(event);
      return [event];
    }
    if (lambda1 < BACK * bound) this.above.delete(objective);
    return [];
  }

  /** All so far, in the order of the measurements. */
  get events(): readonly EdgeEvent[] {
    return this.found;
  }
}

/** Each time that λ₁ comes above the bound. */
export function edgeEvents(live: readonly LiveSharpness[]): readonly EdgeEvent[] {
  const finder = new EdgeFinder();
  for (const one of live) finder.next(one);
  return finder.events;
}

/** The first dead units of each parameter, and each time that they have doubled since. */
export function deadUnitEvents(
  records: readonly LayerRecord[],
  parameters: readonly ParameterInfo[],
  objective: number,
): DeadUnitsEvent[] {
  const events: DeadUnitsEvent[] = [];
  parameters.forEach(({ name, layer, shape, filterAxis, role }, place) => {
    if (filterAxis === null || (role !== 'kernel' && role !== 'embedding')) return;
    let told = 0;
    records.forEach((record, k) => {
      // Before so many records no unit can be known to be dead.
      if (k + 1 < DEAD_AFTER) return;
      const units = record.value(place, 'dead');
      if (!(units > 0) || units < 2 * told) return;
      told = units;
      const of = shape[filterAxis] ?? 0;
      events.push({ kind: 'dead-units', objective, step: record.step, parameter: name, layer, units, of });
    });
  });
  return events.sort((a, b) => a.step - b.step);
}

/** The events, their spikes with the layer where each began. Without records of the layers that stays unknown. */
export async function nameSpikes(
  run: Run,
  { objectives }: Pick<RunManifest, 'objectives'>,
  events: readonly TrainingEvent[],
): Promise<readonly TrainingEvent[]> {
  if (!events.some(({ kind }) => kind === 'spike')) return events;
  return withOrigins(events, await readRecords(run, objectives));
}

/** Every event of a run that its files tell, by step. @throws BasinError when run.json cannot be read */
export async function readEvents(run: Run): Promise<readonly TrainingEvent[]> {
  const [{ objectives }, steps, live] = await Promise.all([
    run.readManifest(),
    run.readSteps(),
    run.readLive(),
  ]);
  const recorded = await readRecords(run, objectives);
  const ofLog = withOrigins(trainingEvents(steps), recorded);
  const dead = recorded.flatMap(({ records, parameters }, k) => deadUnitEvents(records, parameters, k));
  return [...ofLog, ...edgeEvents(live), ...dead].sort((a, b) => a.step - b.step);
}

interface Recorded {
  readonly parameters: readonly ParameterInfo[];
  readonly records: readonly LayerRecord[];
}

/** By objective; no records where there are none, or none of these parameters. */
const readRecords = (run: Run, objectives: RunManifest['objectives']): Promise<Recorded[]> =>
  Promise.all(
    objectives.map(async ({ parameters }, k) => {
      const found = await run.readLayers(k).catch(() => null);
      return { parameters, records: found?.parameters === parameters.length ? found.records : [] };
    }),
  );

const withOrigins = (events: readonly TrainingEvent[], recorded: readonly Recorded[]): TrainingEvent[] =>
  events.map((event) => {
    const of = recorded[event.objective];
    return event.kind === 'spike' && of !== undefined ? withOrigin(event, of.records, of.parameters) : event;
  });
