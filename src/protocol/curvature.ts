/** Requests and answers on curvature: the spectrum of the loss Hessian, sharpness measures, stability along a run. */
import type { EvaluationMode } from './evaluator.ts';
import type { EvaluationOptions, ModelReference } from './job.ts';
import type { Maybe, Result } from './result.ts';
import type { Verdict } from './results.ts';

/** hessian: of the loss; gauss-newton: its generalised Gauss–Newton matrix JᵀH_L·J, positive semi-definite for convex losses. */
export type CurvatureMatrix = 'hessian' | 'gauss-newton';

export interface SpectrumJob extends EvaluationOptions {
  readonly kind: 'spectrum';
  readonly at?: ModelReference;
  /** Largest eigenvalues wanted, 0 to 20. */
  readonly top: number;
  /** Smallest (most negative) eigenvalues wanted, 0 to 20. */
  readonly bottom: number;
  readonly trace: boolean;
  readonly density: boolean;
  readonly matrix?: CurvatureMatrix;
  /** Parameters by name: the diagonal block that belongs to them. Everything when absent. */
  readonly parameters?: readonly string[];
  /** One block a layer, beside the whole. */
  readonly perLayer?: boolean;
  readonly seed?: number;
  /** Half-width of the trace's 95 % interval that is aimed at, as a share of the trace; default 0.05. */
  readonly traceTolerance?: number;
  /** Standard deviation of the Gaussian that smooths the density, in units of curvature; chosen from the range when absent. */
  readonly bandwidth?: number;
}

export interface EigenvaluesOfBlock {
  /** The largest from the largest down, the smallest from the smallest up; by algebraic value, with multiplicity. */
  readonly values: readonly number[];
  /** ‖Hv − λv‖ for each: a true eigenvalue of the block lies within it. */
  readonly residuals: readonly number[];
  /** Every pair reached its tolerance, and a search outside of them (deflation) found nothing beyond the last. */
  readonly converged: boolean;
}

/** Hutch++ (Meyer et al. 2021) with the number of samples by Stein's two stages (1945). */
export interface TraceEstimate {
  readonly value: number;
  readonly standardError: number;
  /** 95 %, with Student's t of the first stage, corrected for skewness. */
  readonly interval: readonly [number, number];
  /** Random vectors besides the sketch; 0 where the sketch spans the whole block and the trace is no estimate. */
  readonly samples: number;
  /** Dimensions of the sketch, whose part of the trace is exact. */
  readonly sketch: number;
  /** The interval is as narrow as was aimed at. */
  readonly converged: boolean;
}

/** Stochastic Lanczos quadrature (Lin, Saad & Yang 2016; Ghorbani et al. 2019). */
export interface SpectralDensity {
  readonly x: readonly number[];
  /** Share of the eigenvalues per unit of curvature, smoothed by a Gaussian; integrates to 1. */
  readonly density: readonly number[];
  /** Of each value: the exact variance of the estimator, with the density's own second moment in it. */
  readonly standardError: readonly number[];
  /** 95 % at each x by itself, longer above than below where few eigenvalues lie. Absent in older results. */
  readonly interval?: { readonly low: readonly number[]; readonly high: readonly number[] };
  /** Standard deviation of the smoothing Gaussian: nothing narrower is resolved. */
  readonly bandwidth: number;
  readonly probes: number;
  /** Lanczos steps a probe. */
  readonly steps: number;
}

export interface SpectrumBlock {
  /** "all", a layer, or "chosen". */
  readonly name: string;
  readonly parameters: readonly string[];
  readonly dimension: number;
  /** null where none was asked for. */
  readonly largest: EigenvaluesOfBlock | null;
  readonly smallest: EigenvaluesOfBlock | null;
  readonly trace: TraceEstimate | null;
  readonly density: SpectralDensity | null;
}

export interface SpectrumResult extends Result {
  readonly kind: 'spectrum';
  readonly at: string;
  readonly matrix: CurvatureMatrix;
  /** First the whole, or the chosen parameters; then one a layer where asked for. */
  readonly blocks: readonly SpectrumBlock[];
  readonly products: number;
  readonly method: 'exact' | 'finite-difference';
}

/** The history of λ₁ along a run against the optimizer's bound. */
export interface StabilityJob extends EvaluationOptions {
  readonly kind: 'stability';
  /** How many snapshots, spread evenly over the run; default 10. */
  readonly snapshots?: number;
  /** These snapshots instead. */
  readonly steps?: readonly number[];
  /** Ask the living process while it trains: it alone keeps the second moments of an adaptive optimizer. */
  readonly live?: boolean;
}

export interface StabilityPoint {
  readonly step: number;
  /** null where the weights or the curvature are not finite. */
  readonly lambda1: Maybe;
  /** ‖Hv − λv‖: an eigenvalue lies within it. */
  readonly residual: Maybe;
  readonly converged: boolean;
  readonly learningRate: number | null;
  /** Largest λ₁ at which the optimizer is stable at that learning rate; null where none can be stated. */
  readonly bound: number | null;
  /** λ₁/bound: about 1 at the edge of stability; for gradient descent it is λ₁·η/2. */
  readonly ratio: Maybe;
  readonly verdict: Verdict;
}

/**
 * λ₁ of P⁻¹H, P what an adaptive optimizer divides by, against the bound of that optimizer (Cohen et al. 2022): at the
 * weights where the process stood when it was asked, since no snapshot keeps second moments.
 */
export interface PreconditionedPoint extends StabilityPoint {
  readonly formula: string;
  /** As trained wherever that can be had, since second moments are of the gradients of that loss. */
  readonly mode: EvaluationMode;
  /** Steps that training went on by between reading the weights and the second moments; 0 for a held process. */
  readonly apart: number;
  /** 1 − β₁ᵗ where that is below 0.95: by so much Adam's first steps are longer than the bound takes them to be. */
  readonly correction: number | null;
}

export interface StabilityResult extends Result {
  readonly kind: 'stability';
  readonly points: readonly StabilityPoint[];
  readonly formula: string | null;
  /** null for optimizers that are not adaptive, and where it cannot be had. */
  readonly preconditioned: PreconditionedPoint | null;
  /** Why an adaptive optimizer has none, in one sentence; null otherwise. */
  readonly withoutPreconditioned: string | null;
  readonly products: number;
  readonly method: 'exact' | 'finite-difference';
}

export interface CurvatureAnalyses {
  stability: { job: StabilityJob; result: StabilityResult };
  spectrum: { job: SpectrumJob; result: SpectrumResult };
}
