/** Whether SGD has stopped getting anywhere and goes round a flat region, which is when averaging starts to pay (Izmailov et al. 2018). */
import type { Maybe } from './result.ts';

/**
 * circling: over the stretch looked at the weights stay around their mean while the loss stays flat. annealed: they come to rest,
 * as a falling learning rate has them do. going-on: they still get somewhere. unknown: too few recorded points.
 */
export type CirclingVerdict = 'circling' | 'annealed' | 'going-on' | 'unknown';

/** A stretch of the path up to its end, in the sketch. */
export interface CirclingStretch {
  readonly from: number;
  readonly to: number;
  /** Recorded points that were looked at. */
  readonly points: number;
  /** Points that are as good as independent, n/(1 + 2Σr): how often the path went round. A random walk shows about 5, however long. */
  readonly rounds: number;
  /** Degrees between successive displacements over an eighth of it: 0 straight on, 90 random walk, 120 endless circling. */
  readonly turning: number;
  /** Mean square distance from the own mean, of the second half over the first: 1 stationary, less where the path contracts. */
  readonly spread: number;
  /** Mean square distance of its first sixteenth from the mean of all, over the second half's from its own: far above 1 where it begins outside. */
  readonly begin: number;
  /** ‖mean of the second half − mean of the first‖² over the mean square distance from these: 0 stationary, 4 random walk, 12 straight line. */
  readonly drift: number;
  /** Change of the training loss from its begin to its end, of the straight line through it; null where too few losses are known. */
  readonly loss: { readonly change: number; readonly standardError: number; readonly mean: Maybe } | null;
}

export interface Circling {
  readonly verdict: CirclingVerdict;
  /** The longest stretch that is circled in, so that averaging starts to pay at its `from`; else the last third; null for too few points. */
  readonly stretch: CirclingStretch | null;
}
