/** Which updates are kept as snapshots: multiples of a stride that grows with the run, and the first and the last. */

/** The automatic choice keeps at least as many (in a run that has as many updates) … */
export const FEWEST_SNAPSHOTS = 50;
/** … and at most as many. */
export const MOST_SNAPSHOTS = 200;
/** What a run with large weights may write beyond the fewest: a gigabyte is about a second of the processor. */
const COMFORTABLE_BYTES = 2 ** 30;

/**
 * Keeps snapshot k for multiples of {@link every}. With a known number of updates the stride is chosen at once; else
 * it starts at 1 and doubles whenever more than the most are kept, and every second one is dropped.
 */
export class SnapshotSchedule {
  private kept: number[] = [];
  private stride: number;
  private readonly most: number;
  /** How many to aim at when the length of the run is known. */
  private readonly aim: number;

  /**
   * @param requested the user's stride, kept to whatever it costs; null for the automatic choice
   * @param snapshotBytes size of one snapshot
   */
  constructor(
    private readonly requested: number | null,
    snapshotBytes: number,
  ) {
    this.stride = requested ?? 1;
    const affordable = Math.floor(COMFORTABLE_BYTES / Math.max(1, snapshotBytes));
    this.most = Math.min(MOST_SNAPSHOTS, Math.max(2 * FEWEST_SNAPSHOTS, affordable));
    this.aim = Math.min(2 * FEWEST_SNAPSHOTS, Math.max(FEWEST_SNAPSHOTS, affordable));
  }

  get every(): number {
    return this.stride;
  }

  get count(): number {
    return this.kept.length;
  }

  /**
   * Tells how many updates there will be, as far as the present training call knows.
   * @returns steps of kept snapshots that are now to be dropped
   */
  expect(total: number): number[] {
    if (this.requested !== null) return [];
    const stride = Math.max(1, Math.floor(total / this.aim));
    // Strides only grow, and to multiples, so that what is kept stays evenly spaced.
    return stride > this.stride ? this.widen(Math.ceil(stride / this.stride) * this.stride) : [];
  }

  due(step: number): boolean {
    return step % this.stride === 0;
  }

  /**
   * Notes that snapshot `step` was kept.
   * @param last whether it is the run's last one, which stays whatever the stride is
   * @returns steps of kept snapshots that are now to be dropped
   */
  keep(step: number, last = false): number[] {
    if (this.kept[this.kept.length - 1] === step) return [];
    this.kept.push(step);
    return !last && this.requested === null && this.kept.length > this.most
      ? this.widen(this.stride * 2)
      : [];
  }

  private widen(stride: number): number[] {
    this.stride = stride;
    const first = this.kept[0];
    const dropped = this.kept.filter((step) => step % stride !== 0 && step !== first);
    this.kept = this.kept.filter((step) => !dropped.includes(step));
    return dropped;
  }
}
