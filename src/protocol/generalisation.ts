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

export interface GeneralisationAnalyses {
  calibration: { job: CalibrationJob; result: CalibrationResult };
}
