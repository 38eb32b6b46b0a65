/**
 * How often the weights are read for norms, the sketch and each parameter's own numbers, so that recording keeps to a
 * share of training's time.
 */
import { LAYERS_STRIDE } from '../../protocol/layerStatistics.ts';

/** Share of a step's time that reading weights may take; the rest of the 3 % is for everything else. */
const SHARE = 0.02;
const WARM_UP = 3;
const WINDOW = 15;
const MOST_SPARSE = 1024;

/**
 * Chooses a stride (1, 2, 4, …) from what reading the weights was seen to cost beside what a step takes. Medians, so
 * that a pause, a validation pass or the first steps' compilation do not count.
 */
export class ReadingBudget {
  private stride = 1;
  private readonly costs: number[] = [];
  /** Of reading each parameter's own numbers, which happens more seldom. */
  private readonly more: number[] = [];
  private readonly steps: number[] = [];
  private seen = 0;
  private decideAt = WARM_UP + 5;

  /** @param always read at every step whatever it costs */
  constructor(private readonly always: boolean) {}

  get every(): number {
    return this.stride;
  }

  due(step: number): boolean {
    return step % this.stride === 0;
  }

  /** Whether each parameter's own numbers are read too. */
  dueLayers(step: number): boolean {
    return step % this.layersEvery === 0;
  }

  get layersEvery(): number {
    return this.stride * (this.always ? 1 : LAYERS_STRIDE);
  }

  /** @param milliseconds spent in the probe on one reading of the weights */
  cost(milliseconds: number): void {
    push(this.costs, milliseconds);
  }

  /** @param milliseconds spent on each parameter's own numbers, beside that */
  costLayers(milliseconds: number): void {
    push(this.more, milliseconds);
  }

  /**
   * @param milliseconds a step took without the probe's own work
   * @returns true when the stride has changed
   */
  step(milliseconds: number): boolean {
    if (this.always || ++this.seen <= WARM_UP) return false;
    push(this.steps, milliseconds);
    if (this.seen < this.decideAt) return false;
    this.decideAt = this.seen * 2;
    const allowed = SHARE * median(this.steps);
    const cost = median(this.costs) + median(this.more) / LAYERS_STRIDE;
    let stride = 1;
    while (stride < MOST_SPARSE && cost > allowed * stride) stride *= 2;
    // Going back by one power of two is within the noise of the measurement: stay.
    if (stride === this.stride || stride * 2 === this.stride) return false;
    this.stride = stride;
    return true;
  }
}

function push(window: number[], value: number): void {
  window.push(value);
  if (window.length > WINDOW) window.shift();
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
