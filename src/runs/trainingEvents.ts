/**
 * Finds the events of a run in its step log, one record after the other, so that it serves a run that goes on as well.
 *
 * A loss spike: of five successive losses three are above median + 8·1.4826·MAD (and 5 % above the median) of the 100
 * losses before them. Medians, so that outliers in the window do not hide the next one; three of five, because one loss
 * far out is a batch: of stationary noise with heavy tails each loss is out there with some probability p, three of
 * five are with 10·p³.
 */
import { knownNumber, type StepRecord } from '../protocol/run.ts';
import type { LossSpike, NonFiniteEvent, TrainingEvent } from '../protocol/trainingEvents.ts';

const WINDOW = 100;
/** Losses that have to be known before any of them can be a spike. */
const LEAST = 20;
const DEVIATIONS = 8;
/** The MAD of a normal distribution is its standard deviation over this. */
const NORMAL = 1.4826;
/** Of the median: what a loss has to rise at least, where it hardly varies. */
const LEAST_RISE = 0.05;
const LOOKED_AT = 5;
const ABOVE = 3;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
interface Loss {
  readonly step: number;
  readonly loss: number;
  readonly above: boolean;
}

/** The events of one run. Records come in order; those of several objectives may be mixed. */
export class EventFinder {
  private readonly found: Mutable<TrainingEvent>[] = [];
  private readonly watches = new Map</* objective */ number, LossWatch>();
  private readonly lost = new Map</* objective */ number, number>();

  /** @returns what this record makes known */
  next(record: StepRecord): readonly TrainingEvent[] {
    const loss = knownNumber(record.loss);
    const events: Mutable<TrainingEvent>[] = [];
    const nonFinite = this.nonFinite(record, loss);
    if (nonFinite !== null) events.push(nonFinite);
    let watch = this.watches.get(record.objective);
    if (watch === undefined) {
      watch = new LossWatch(record.objective);
      this.watches.set(record.objective, watch);
    }
    const spike = loss === null ? null : watch.next(record.step, loss);
    if (spike !== null) events.push(spike);
    this.found.push(...events);
    return events;
  }

  /** All so far, by step; the peak and the end of a spike are those known by now. */
  get events(): readonly TrainingEvent[] {
    return [...this.found].sort((a, b) => a.step - b.step);
  }

  private nonFinite({ step, objective, nonFinite }: StepRecord, loss: number | null): NonFiniteEvent | null {
    const since = this.lost.get(objective);
    if (loss === null) {
      // Of a loss that is not known nothing follows; the probe tells what it found in weights and gradients, each once.
      return nonFinite === undefined
        ? null
        : { kind: 'non-finite', objective, step: nonFinite.began, seen: step, found: nonFinite };
    }
    if (nonFinite === undefined && Number.isFinite(loss)) {
      if (since !== undefined && step > since) this.lost.delete(objective);
      return null;
    }
    if (since !== undefined) return null;
    this.lost.set(objective, step);
    const found = nonFinite ?? null;
    return { kind: 'non-finite', objective, step: found?.began ?? step, seen: step, found };
  }
}

/** The events of a whole log. */
export function trainingEvents(steps: readonly StepRecord[]): readonly TrainingEvent[] {
  const finder = new EventFinder();
  for (const step of steps) finder.next(step);
  return finder.events;
}

class LossWatch {
  private readonly window = new SortedWindow(WINDOW);
  /** From the first loss above the threshold on, as long as they may become a spike. */
  private pending: Loss[] = [];
  private spike: Mutable<LossSpike> | null = null;
  /** The last losses during a spike. */
  private during: Loss[] = [];

  constructor(private readonly objective: number) {}

  next(step: number, loss: number): LossSpike | null {
    if (!Number.isFinite(loss)) return null;
    if (this.spike !== null) {
      this.follow(this.spike, step, loss);
      return null;
    }
    if (this.window.size < LEAST) {
      this.window.push(loss);
      return null;
    }
    const { median, deviation } = this.window;
    const threshold = median + Math.max(DEVIATIONS * NORMAL * deviation, LEAST_RISE * Math.abs(median));
    this.pending.push({ step, loss, above: loss > threshold });
    const above = this.pending.filter((one) => one.above);
    const [first] = above;
    if (first !== undefined && above.length >= ABOVE) {
      const peak = above.reduce((a, b) => (b.loss > a.loss ? b : a));
      this.spike = {
        kind: 'spike',
        objective: this.objective,
        step: first.step,
        confirmed: step,
        median,
        threshold,
        peak: { step: peak.step, loss: peak.loss },
        until: null,
      };
      this.pending = [];
      this.during = [];
      return this.spike;
    }
    // What can no longer be one of three in five belongs to the noise.
    while (this.pending[0] !== undefined && (!this.pending[0].above || this.pending.length >= LOOKED_AT)) {
      this.window.push(this.pending[0].loss);
      this.pending.shift();
    }
    return null;
  }

  private follow(spike: Mutable<LossSpike>, step: number, loss: number): void {
    if (loss > spike.peak.loss) spike.peak = { step, loss };
    this.during.push({ step, loss, above: loss > spike.threshold });
    const below = this.during.slice(-LOOKED_AT).filter((one) => !one.above);
    if (below.length >= ABOVE) {
      spike.until = below[0]?.step ?? step;
      this.spike = null;
      for (const one of below) this.window.push(one.loss);
    } else if (this.during.length >= WINDOW) {
      // It has stayed up: that is where the loss is from now on.
      this.spike = null;
      this.window.clear();
      for (const one of this.during) this.window.push(one.loss);
    }
  }
}

/** The last so many values, also in order of size: a step costs no sort. */
class SortedWindow {
  private readonly values: number[] = [];
  private readonly sorted: number[] = [];

  constructor(private readonly most: number) {}

  get size(): number {
    return this.values.length;
  }

  push(value: number): void {
    this.values.push(value);
    this.sorted.splice(this.place(value), 0, value);
    if (this.values.length <= this.most) return;
    const leaving = this.values.shift() ?? NaN;
    this.sorted.splice(this.place(leaving), 1);
  }

  clear(): void {
    this.values.length = 0;
    this.sorted.length = 0;
  }

  get median(): number {
    const n = this.sorted.length;
    return ((this.sorted[(n - 1) >> 1] ?? NaN) + (this.sorted[n >> 1] ?? NaN)) / 2;
  }

  /** Median absolute deviation from the median. */
  get deviation(): number {
    const middle = this.median;
    // Away from the median distances grow on both sides: merged until half of them are passed.
    let right = this.place(middle);
    let left = right - 1;
    const next = (): number => {
      const [a, b] = [this.sorted[left], this.sorted[right]];
      const below = a === undefined ? Infinity : middle - a;
      const above = b === undefined ? Infinity : b - middle;
      if (below <= above) {
        left--;
        return below;
      }
      right++;
      return above;
    };
    const n = this.sorted.length;
    let [lower, upper] = [NaN, NaN];
    for (let i = 0; i <= n >> 1; i++) {
      const distance = next();
      if (i === (n - 1) >> 1) lower = distance;
      if (i === n >> 1) upper = distance;
    }
    return (lower + upper) / 2;
  }

  /** Of the first value that is not smaller. */
  private place(value: number): number {
    let [low, high] = [0, this.sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.sorted[middle] as number) < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
