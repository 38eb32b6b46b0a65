/** How sure several models together are of each answer, and whether that tells the wrong ones. */

/** One measure over the judged samples. */
export interface UncertaintyMeasure {
  /**
   * predictive-entropy: of the mean prediction, in nats. mutual-information: that less the mean of the members' own
   * entropies, what the members disagree about. deviation: standard deviation over members, of the probability of the
   * answer, or of predicted values (root of their mean variance).
   */
  readonly name: 'predictive-entropy' | 'mutual-information' | 'deviation';
  /** At 0, 5, 10, 25, 50, 75, 90, 95 and 100 %. */
  readonly quantiles: readonly number[];
  readonly mean: number;
  readonly standardError: number;
  /** Means over the samples answered right and wrong; null where there are none, or no classes. */
  readonly right: number | null;
  readonly wrong: number | null;
  /**
   * Chance that a sample answered wrong is less certain than one answered right (area under the ROC curve), with the
   * standard error of Hanley & McNeil (1982); null without either.
   */
  readonly tellsWrong: { readonly value: number; readonly standardError: number } | null;
}

export interface Uncertainty {
  readonly samples: number;
  readonly measures: readonly UncertaintyMeasure[];
  /** Accuracy of the most certain share of the samples, by predictive entropy; null without classes. */
  readonly kept: readonly { readonly share: number; readonly accuracy: number }[] | null;
}
