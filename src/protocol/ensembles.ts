/** What is told of an ensemble beside its score: how different its members are, what each adds, and how they were chosen. */
import type { Gain, SweepVerdict } from './gain.ts';
import type { Maybe } from './result.ts';

/** Two members' predictions on the same samples. */
export interface PairDistance {
  readonly a: string;
  readonly b: string;
  /** Share of samples on which they answer differently; null without classes. */
  readonly disagreement: number | null;
  /** In function space: mean total variation ½·Σ|p − q|, or for values the mean Euclidean distance. */
  readonly distance: Maybe;
}

/** How different the members are as functions (Fort et al. 2019), which a distance in weights does not tell. */
export interface Diversity {
  readonly measure: 'total-variation' | 'euclidean';
  readonly pairs: readonly PairDistance[];
  /** Means over pairs, with the standard error over samples. */
  readonly disagreement: { readonly value: number; readonly standardError: number } | null;
  readonly distance: { readonly value: number; readonly standardError: number } | null;
}

/** The ensemble of the first so many members, on the samples that judge. */
export interface EnsembleSize {
  /** Also the forward passes that it costs per prediction. */
  readonly members: number;
  /** Log loss of classes, squared error of values. */
  readonly loss: Maybe;
  readonly standardError: number | null;
  readonly accuracy: number | null;
}

/** Greedy forward selection without replacement, from the best single model on (Caruana et al. 2004). */
export interface Selection {
  readonly candidates: readonly string[];
  /** In the order in which they were taken, with the validation loss of the ensemble then. */
  readonly taken: readonly { readonly member: string; readonly loss: number }[];
  /** What the best further candidate would have come to; null where all were taken or the number asked for was reached. */
  readonly refused: { readonly member: string; readonly loss: Maybe } | null;
  /**
   * Of the selected ensemble over the last snapshot, on samples that had no part in the selection: selected on every
   * second sample, judged on the others, both ways round.
   */
  readonly expectedGain: Gain | null;
  readonly verdict: SweepVerdict;
}
