/** The Hessian's extreme eigenvalues over a plane: how far from convex the loss is outside of what the plane shows (Li et al. 2018). */
import type { EvaluationOptions } from './job.ts';
import type { PlaneOptions } from './plane.ts';
import type { Maybe, Result } from './result.ts';
import type { ContourResult, TrajectoryPoint } from './results.ts';

export interface CurvatureMapJob extends EvaluationOptions, PlaneOptions {
  readonly kind: 'curvature-map';
  /** Points along each axis, odd so that the centre is a point. */
  readonly size?: number;
  /** A point has converged when both residuals are at most this share of the larger |λ|. */
  readonly tolerance?: number;
  /** Go on from what the same question had found when it was interrupted; default false. */
  readonly resume?: boolean;
}

/** What a job that leaves them out gets. */
export const curvatureMapDefaults = { size: 11, tolerance: 0.01 } as const;

/** One number a point: a row per y, a value per x; null where it is not finite, and not known yet. */
export type Field = readonly (readonly Maybe[])[];

export interface CurvatureMapResult extends Result {
  readonly kind: 'curvature-map';
  /** Snapshot step, or model id. */
  readonly at: string;
  readonly plane: ContourResult['plane'];
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** Of the Hessian of all parameters, the largest and the smallest by value. */
  readonly largest: Field;
  readonly smallest: Field;
  /** |λmin/λmax|: near 0 where the loss is all but convex, 1 where it bends down as much as up. */
  readonly ratio: Field;
  /** The larger ‖Hv − λv‖ of the two: an eigenvalue lies within it of each. */
  readonly residual: Field;
  readonly loss: Field;
  /** At the origin of the plane itself. */
  readonly centre: {
    readonly largest: Maybe;
    readonly smallest: Maybe;
    readonly ratio: Maybe;
    readonly residual: Maybe;
  };
  readonly tolerance: number;
  /** Points whose residuals are above the tolerance. */
  readonly notConverged: number;
  readonly trajectory: readonly TrajectoryPoint[];
  readonly products: number;
  readonly method: 'exact' | 'finite-difference';
  /** Points so far, of x·y. */
  readonly evaluated: number;
  /** Of these, points that an interrupted map of the same question had left; absent where none had. */
  readonly resumed?: number;
  readonly complete: boolean;
}

export interface CurvatureMapAnalyses {
  'curvature-map': { job: CurvatureMapJob; result: CurvatureMapResult };
}
