/** Analyses of what a model makes of samples, training ones beside held-out ones. */
import type { EvaluationOptions, ModelReference } from './job.ts';
import type { Result } from './result.ts';

/** width: bins of equal width in confidence. mass: of equal numbers of samples. */
export type Binning = 'width' | 'mass';

export interface CalibrationJob extends EvaluationOptions {
  readonly kind: 'calibration';
  readonly at?: ModelReference;
  readonly bins?: number;
  readonly binning?: Binning;
  /** Of the resampling. */
  readonly seed?: number;
}

/** What a job that leaves them out gets. */
export const calibrationDefaults = { bins: 15, binning: 'width', seed: 1 } as const;

/** Samples whose confidence lies in from < c ≤ to. */
export interface ReliabilityBin {
  readonly from: number;
  readonly to: number;
  readonly samples: number;
  /** Means over the bin's samples; null in an empty bin. */
  readonly confidence: number | null;
  readonly accuracy: number | null;
  /** Of the accuracy: √(a(1 − a)/n). */
  readonly standardError: number | null;
}

export interface CalibrationResult extends Result {
  readonly kind: 'calibration';
  readonly at: string;
  readonly binning: Binning;
  readonly bins: readonly ReliabilityBin[];
  /** Expected calibration error: Σ_bins (n/N)·|accuracy − confidence| (Naeini 2015, Guo 2017). */
  readonly error: number;
  /** Of the error, by the bootstrap over samples. */
  readonly standardError: number;
  /**
   * Where the error of endlessly many samples lies, with 95 % confidence: its lower end allows for what noise
   * adds, and is 0 where a calibrated model might show as much. Absent in older results.
   */
  readonly interval?: readonly [number, number];
  /** The largest |accuracy − confidence| of a bin. */
  readonly maximumError: number;
  /**
   * The error that a model with these confidences would show if each were the true probability of being right: noise
   * alone makes the error positive. Mean and 95th percentile over simulated outcomes.
   */
  readonly ifCalibrated: { readonly mean: number; readonly percentile95: number };
  readonly confidence: number;
  readonly accuracy: number;
}

export interface MarginsJob extends EvaluationOptions {
  readonly kind: 'margins';
  readonly at?: ModelReference;
}

/** Where the quantiles of a distribution are told. */
export const marginQuantiles = [0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1] as const;

/** Of one margin over the samples of a split. */
export interface MarginDistribution {
  /** In the order of `marginQuantiles`, by linear interpolation. */
  readonly quantiles: readonly number[];
  readonly mean: number;
  /** Of the mean; null of a single sample. */
  readonly standardError: number | null;
  /** Share of samples at or below 0: answered wrongly, or on the boundary. */
  readonly notRight: number;
  /** Samples in the bins between `edges` of the result, the last bin with both of its ends. */
  readonly counts: readonly number[];
}

export interface SplitMargins {
  readonly samples: number;
  /** Logit of the label less the largest other logit. */
  readonly output: MarginDistribution;
  /** Distance from the boundary in input space to first order: margin over the norm of its gradient by the input. */
  readonly input: MarginDistribution | null;
  /** Samples whose margin does not change with the input at all: they have no such distance, and are left out. */
  readonly flat: number;
  readonly loss: Estimated;
  readonly accuracy: Estimated;
}

export interface Estimated {
  readonly value: number | null;
  readonly standardError: number | null;
}

export interface MarginsResult extends Result {
  readonly kind: 'margins';
  readonly at: string;
  readonly train: SplitMargins;
  readonly validation: SplitMargins | null;
  /** Edges of the histograms' bins, the same for both splits. */
  readonly edges: { readonly output: readonly number[]; readonly input: readonly number[] | null };
  /** Why there are no input margins; null where there are. */
  readonly reason: string | null;
  /** loss: validation − train. accuracy: train − validation. Positive where new samples fare worse. */
  readonly gap: { readonly loss: Estimated; readonly accuracy: Estimated } | null;
}

export interface GeneralisationAnalyses {
  margins: { job: MarginsJob; result: MarginsResult };
  calibration: { job: CalibrationJob; result: CalibrationResult };
}
