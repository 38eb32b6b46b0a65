/** The check behind every picture: the recorded loss comes out again at the same weights. */
import { encodeNumber, type ObjectiveInfo } from '../../protocol/run.ts';

const TOLERANCE = 1e-5;
/** The first step, and so many later ones. */
const LATER_CHECKS = 3;

export class ReplayCheck {
  private checked = 0;
  private passed = 0;
  private worst = 0;
  private failure: string | null = null;

  /**
   * Whether another step should be checked. One that has failed is enough: a loss function that changes something with
   * each call, as a counter of batches, is called no more than that once.
   */
  get open(): boolean {
    return this.checked < 1 + LATER_CHECKS && this.passed === this.checked;
  }

  /** Replays one step; an exception counts as a failure and says why. */
  check(recorded: number, replay: () => number): void {
    this.checked++;
    try {
      const error = relativeError(recorded, replay());
      this.worst = Math.max(this.worst, Number.isNaN(error) ? Infinity : error);
      if (error <= TOLERANCE) this.passed++;
    } catch (error) {
      this.worst = Infinity;
      this.failure = error instanceof Error ? error.message : String(error);
    }
  }

  get result(): NonNullable<ObjectiveInfo['replay']> {
    const exact = this.passed === this.checked;
    return {
      exact,
      checked: this.checked,
      passed: this.passed,
      worstRelativeError: encodeNumber(this.worst),
      reason: exact ? null : this.reason(),
      cure: exact ? null : this.cure(),
    };
  }

  private reason(): string {
    if (this.failure !== null) return `The loss cannot be computed again: ${this.failure}`;
    return (
      `The loss does not come out again at the same weights: ${this.passed} of ${this.checked} steps agree, ` +
      `the worst is off by ${this.worst.toExponential(1)}.`
    );
  }

  private cure(): string {
    return (
      'The loss function must depend on nothing but weights, tensors and Math.random: ' +
      'cut batches out of the data before it (a slice at a number that changes is a counter, too), ' +
      'and move counters, file reads and clocks out of it.'
    );
  }
}

/** |a − b| / |a|; two losses that are not finite in the same way agree. */
function relativeError(recorded: number, replayed: number): number {
  if (Object.is(recorded, replayed) || recorded === replayed) return 0;
  return Math.abs(recorded - replayed) / Math.max(Math.abs(recorded), 1e-30);
}
