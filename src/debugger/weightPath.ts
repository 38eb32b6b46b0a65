/**
 * The steps whose weights lie on the way to those that stand. After going back, steps are counted on: the weights that
 * were trained between the step that was gone back to and the count at that moment are on no way here any more, and the
 * count at a jump has two sets of weights, of which only those before it are its snapshot's.
 */

/** Counts n with after < n ≤ until, trained one after the other. */
interface Stretch {
  readonly after: number;
  /** The step whose weights it begins at. */
  readonly origin: number;
  readonly until: number;
}

export class WeightPath {
  private stretches: readonly Stretch[] = [{ after: -1, origin: -1, until: Infinity }];

  /** Whether the weights that step `count` is known by lie on the way. */
  has(count: number): boolean {
    return this.stretches.some(({ after, until }) => count > after && count <= until);
  }

  /** The step whose weights stand after so many updates, before the next one. */
  weightsOf(count: number): number {
    const last = this.stretches.at(-1);
    return last?.after === count ? last.origin : count;
  }

  /** After `count` updates the weights of step `to`, which lies on the way, are put back. */
  jump(count: number, to: number): void {
    const kept = this.stretches
      .filter(({ after }) => after < to)
      .map(({ until, ...stretch }) => ({ ...stretch, until: Math.min(until, to) }));
    this.stretches = [...kept, { after: count, origin: to, until: Infinity }];
  }
}
