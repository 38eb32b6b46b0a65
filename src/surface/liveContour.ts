/** When the Landscape view may ask a training process for a contour. */

export interface TrainingNow {
  readonly snapshots: number;
  /** Seconds since the run's first step. */
  readonly seconds: number;
  /** Whether λ₁ has been measured yet. */
  readonly sharpness: boolean;
}

/** Fewer snapshots than this span no plane worth a picture. */
const FEWEST_SNAPSHOTS = 4;
/** Share of the training time that live contours may take: half of what all live questions may, λ₁ has the other. */
const BUDGET = 0.025;
/** Seconds that the first contour waits for the first λ₁, which costs less and would have to wait for the contour's share. */
const PATIENCE_SECONDS = 20;

/**
 * Asks whenever the snapshots roughly doubled, so that a run of any length gets a handful of contours, and only while
 * their time stays within {@link BUDGET} of the training time. The first is granted without knowing its cost, since a
 * small grid costs about as much as a few hundred steps.
 */
export class LiveContourBudget {
  #snapshots = 0;
  #spent = 0;
  #lastCost = 0;

  /** Whether to ask now. */
  due({ snapshots, seconds, sharpness }: TrainingNow): boolean {
    if (!sharpness && seconds < PATIENCE_SECONDS) return false;
    if (snapshots < Math.max(FEWEST_SNAPSHOTS, 2 * this.#snapshots)) return false;
    return this.#spent === 0 || this.#spent + this.#lastCost <= BUDGET * seconds;
  }

  /** A contour was asked for when the run had so many snapshots. */
  asked(snapshots: number): void {
    this.#snapshots = snapshots;
  }

  /** @param seconds that the answer took */
  spent(seconds: number): void {
    this.#spent += seconds;
    this.#lastCost = seconds;
  }
}
