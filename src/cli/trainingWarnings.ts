/** One line for each event of a run as it happens: loss spikes, NaN and its layer, the edge of stability, dead units. */
import { eventSentence, type TrainingEvent } from '../protocol/trainingEvents.ts';
import type { RunManifest } from '../protocol/run.ts';
import type { RunChange } from '../runs/follow.ts';
import { deadUnitEvents, EdgeFinder, edgeEvents } from '../runs/measuredEvents.ts';
import type { Run } from '../runs/run.ts';
import { EventFinder } from '../runs/trainingEvents.ts';

/** Between two looks at layers.bin, in ms: it is read whole. */
const LAYERS_EVERY = 5000;
/** Lines of one run; what comes after them stands in the step log and in `basin show`. */
const MOST_LINES = 20;

export class TrainingWarnings {
  private readonly told = new Set</* kind, objective, parameter and step */ string>();
  private finder = new EventFinder();
  private edges = new EdgeFinder();
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
    }
    for (const step of steps) this.tell(this.finder.next(step));
    for (const one of live) this.tell(this.edges.next(one));
    if (manifest !== null && Date.now() - this.lookedAt >= LAYERS_EVERY) this.look(manifest);
  }

  /** What the last moments of the run have added. */
  async end(manifest: RunManifest): Promise<void> {
    const finder = new EventFinder();
    for (const step of await this.run.readSteps()) this.tell(finder.next(step));
    this.tell(edgeEvents(await this.run.readLive()));
    this.look(manifest);
    await this.looking;
  }

  private look({ objectives }: RunManifest): void {
    this.lookedAt = Date.now();
    this.looking = this.looking.then(async () => {
      for (const [k, { parameters }] of objectives.entries()) {
        // A file that is just being made is looked at again.
        const records = await this.run.readLayers(k).catch(() => null);
        if (records?.parameters === parameters.length) this.tell(deadUnitEvents(records, parameters, k));
      }
    });
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
