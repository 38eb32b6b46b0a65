/** The noise of minibatch gradients: how large it is, how many directions it has, and how it lies to the curvature. */
import type { EvaluationOptions, ModelReference } from './job.ts';
import type { Maybe, Result } from './result.ts';

export interface NoiseJob extends EvaluationOptions {
  readonly kind: 'noise';
  readonly at?: ModelReference;
  /** At most so many batches of the evaluation set, spread evenly over it. */
  readonly batches?: number;
  /** Top eigenvectors of the Hessian that the noise is held against; 0 leaves the Hessian out. */
  readonly top?: number;
  /** Of the subsets and of random vectors. */
  readonly seed?: number;
}

/** What a job that leaves them out gets. */
export const noiseDefaults = { batches: 64, top: 5, seed: 1 } as const;

export interface WithError {
  readonly value: Maybe;
  /** null where it cannot be estimated. */
  readonly standardError: Maybe;
}

export interface WithInterval extends WithError {
  /** 95 %, wider above than below where the estimate is skewed; null where it cannot be stated, absent in older results. */
  readonly interval?: readonly [number, number] | null;
}

/** B = tr Σ/‖∇L‖² (McCandlish et al. 2018), in samples. */
export interface NoiseScaleResult extends WithError {
  /** 95 %; the upper end is null where the gradient may be zero. */
  readonly interval: readonly [number, number | null];
  /** ‖∇L‖², noise taken off: negative where noise hides it. */
  readonly gradient: WithInterval;
  /** tr Σ, Σ the covariance of one sample's gradient. */
  readonly trace: WithInterval;
}

/** How many directions the noise has. */
export interface NoiseRank {
  /** Fewest eigenvectors of the estimated covariance that hold `share` of its trace. */
  readonly directions: number;
  readonly share: number;
  /** The most that so many batches can show: one less than there are. */
  readonly limit: number;
  readonly parameters: number;
  /** The same number from fewer batches, the mean over random subsets; whether more batches would raise it. */
  readonly growth: readonly { readonly batches: number; readonly directions: number }[];
  /** false: a lower bound, since it still grows with the number of batches. */
  readonly resolved: boolean;
  /**
   * (tr Σ)²/tr Σ², which is d for noise alike in d directions; by an unbiased estimate of tr Σ², so the number of
   * batches sets it no limit. null where it is too large to be told.
   */
  readonly participation: WithError;
  /** Of the estimated covariance, largest first; the large ones are too large and the small ones too small. */
  readonly eigenvalues: readonly number[];
}

/** A share that some directions hold, beside what as many random directions would. */
export interface DirectionsShare extends WithError {
  readonly isotropic: number;
}

export interface NoiseAndCurvature {
  readonly eigenvalues: readonly number[];
  readonly residuals: readonly number[];
  readonly converged: boolean;
  /** Of tr Σ in the eigenvectors. */
  readonly noise: DirectionsShare;
  /** Of ‖∇L‖² in them (Gur-Ari et al. 2018). */
  readonly gradient: DirectionsShare;
  /**
   * Tr(HΣ), H of the samples at hand: twice the loss that one step with the noise of one sample costs, over η² (Zhu et al.
   * 2019, Thomas et al. 2020).
   */
  readonly trace: WithInterval;
  /** Tr(HΣ)·d/(Tr H·Tr Σ): 1 for noise alike in all directions; null where Tr H may be 0. */
  readonly anisotropy: WithError;
  readonly hessianTrace: WithError;
  readonly products: number;
  readonly method: 'exact' | 'finite-difference';
}

export interface NoiseResult extends Result {
  readonly kind: 'noise';
  readonly at: string;
  /** Gradients that it was made from, and the samples of each. */
  readonly batches: number;
  readonly batchSizes: readonly number[];
  readonly scale: NoiseScaleResult;
  readonly rank: NoiseRank;
  /** null where it was left out. */
  readonly hessian: NoiseAndCurvature | null;
}

export interface NoiseAnalyses {
  noise: { job: NoiseJob; result: NoiseResult };
}
