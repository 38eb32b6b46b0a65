/** Barriers between models that are averaged. */
import type { Maybe } from './result.ts';

/** How far the training loss rises above the straight line between the losses of two models (Frankle et al. 2020). */
export interface Barrier {
  /** A member by its id, or `average`. */
  readonly from: string;
  readonly to: string;
  /** 0 where the loss never rises above that line; null where it is not finite on the way. */
  readonly height: Maybe;
  /** Of the height: paired over the same samples where the losses of single ones are known. */
  readonly standardError: number | null;
  /** Mean of the losses at the two ends. */
  readonly ends: Maybe;
}

/** Barriers between models that are averaged, measured at a few points of a few lines before they are. */
export interface Barriers {
  readonly lines: readonly Barrier[];
  readonly highest: Barrier | null;
  /** Whether the highest is more than twice its standard error and more than a tenth of the loss at its ends. */
  readonly crossed: boolean;
  /** Training samples. */
  readonly samples: number;
}
