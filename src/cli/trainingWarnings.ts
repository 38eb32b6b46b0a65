/** One line for each event of a run as it happens: loss spikes and NaN with the layer, the edge of stability, dead units. */
import { eventSentence, type LossSpike, type TrainingEvent } from '../protocol/trainingEvents.ts';
import type { RunManifest } from '../protocol/run.ts';
import type { RunChange } from '../runs/follow.ts';
import type { LayerRecord, LayersReader } from '../runs/layersFile.ts';
import { deadUnitEvents, EdgeFinder, edgeEvents } from '../runs/measuredEvents.ts';
import type { Run } from '../runs/run.ts';
import { withOrigin } from '../runs/spikeOrigin.ts';
import { EventFinder } from '../runs/trainingEvents.ts';

/** Between two looks at layers.bin, in ms. */
const LAYERS_EVERY = 5000;
/** How long a spike waits for the records of the layers around it, in ms: a probe writes them a while after the steps. */
const SPIKE_WAITS = 1000;
/** Lines of one run; what comes after them stands in the step log and in `basin show`. */
const MOST_LINES = 20;

export class TrainingWarnings {
  private readonly told = new Set</* kind, objective, parameter and step */ string>();
  private readonly layers = new Map</* objective */ number, LayersReader>();
  private finder = new EventFinder();
  private edges = new EdgeFinder();
  private spikes: { readonly spike: LossSpike; readonly seen: number }[] = [];
  private lookedAt = 0;
  private looking: Promise<void> = Promise.resolve();

  constructor(
    private readonly run: Run,
    private readonly say: (line: string) => Promise<void>,
  ) {}

  /** Takes what was added to the run. */
  hear({ steps, live, fresh, manifest }: RunChange): void {
    if (fresh) {
      this.finder = new EventFinder();
      this.edges = new EdgeFinder();
      this.spikes = [];
    }
    for (const step of steps) this.takeEvents(this.finder.next(step));
    for (const one of live) this.tell(this.edges.next(one));
    const due = this.spikes.length > 0 || Date.now() - this.lookedAt >= LAYERS_EVERY;
    if (manifest !== null && due) this.look(manifest, SPIKE_WAITS);
  }

  /** What the last moments of the run have added. */
  async end(manifest: RunManifest): Promise<void> {
    const finder = new EventFinder();
    for (const step of await this.run.readSteps()) this.takeEvents(finder.next(step));
    this.tell(edgeEvents(await this.run.readLive()));
    this.look(manifest, 0);
    await this.looking;
  }

  private takeEvents(events: readonly TrainingEvent[]): void {
    for (const event of events) {
      if (event.kind === 'spike') this.spikes.push({ spike: event, seen: Date.now() });
      else this.tell([event]);
    }
  }

  private look({ objectives }: RunManifest, wait: number): void {
    this.lookedAt = Date.now();
    this.looking = this.looking.then(async () => {
      for (const [k, { parameters }] of objectives.entries()) {
        const records = await this.recorded(k, parameters.length);
        this.tell(deadUnitEvents(records, parameters, k));
        const waits = ({ spike, seen }: (typeof this.spikes)[number]): boolean =>
          (records.at(-1)?.step ?? -1) < spike.confirmed && Date.now() - seen < wait;
        const ready = this.spikes.filter((one) => one.spike.objective === k && !waits(one));
        this.spikes = this.spikes.filter((one) => !ready.includes(one));
        this.tell(ready.map(({ spike }) => withOrigin(spike, records, parameters)));
      }
    });
  }

  private async recorded(objective: number, parameters: number): Promise<readonly LayerRecord[]> {
    const reader = this.layers.get(objective) ?? this.run.layersReader(objective);
    this.layers.set(objective, reader);
    // A file that is just being made is looked at again.
    const found = await reader.read().catch(() => null);
    return found?.parameters === parameters ? found.records : [];
  }

  private tell(events: readonly TrainingEvent[]): void {
    for (const event of events) {
      const what = event.kind === 'dead-units' ? `${event.parameter} ${event.units}` : String(event.step);
      const key = `${event.kind} ${event.objective} ${what}`;
      if (this.told.has(key)) continue;
      this.told.add(key);
      if (this.told.size <= MOST_LINES) void this.say(`warning: ${eventSentence(event)}`);
      else if (this.told.size === MOST_LINES + 1)
        void this.say('warning: more events follow; `basin show` has them.');
    }
  }
}
