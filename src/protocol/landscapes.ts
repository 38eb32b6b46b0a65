/** The landscapes of several runs on one plane, each of a run's own loss and data, asked of its own process. */
import type { ErrorData } from './errors.ts';
import type { EvaluationOptions, ModelReference } from './job.ts';
import type { Result } from './result.ts';
import type { ContourResult } from './results.ts';

export interface LandscapesJob extends EvaluationOptions {
  readonly kind: 'landscapes';
  /** Three or more: the plane goes through the first three, the others lie beside it. Every run that has one of them is asked. */
  readonly members: readonly ModelReference[];
  /** Points along each axis, odd so that the first model is a point. */
  readonly size?: number;
  /** Evaluate only where isolines need it and interpolate elsewhere; default true. */
  readonly adaptive?: boolean;
}

/** What a job that leaves them out gets. */
export const landscapesDefaults = { size: 41, adaptive: true } as const;

/** What one run answered. */
export interface Landscape {
  readonly run: string;
  /** Runs of one name are told apart by their ids. */
  readonly name: string;
  /** As that run keeps it: its models by their own names, those of the others as `RUN:MODEL`; null where it has no answer (yet). */
  readonly contour: ContourResult | null;
  /** Why there is none; null where there is one, and while the run is still to be asked. */
  readonly error: Omit<ErrorData, 'detail'> | null;
}

export interface LandscapesResult extends Result<null> {
  readonly kind: 'landscapes';
  /** The origin of the plane, as the run that keeps the result calls it. */
  readonly at: string;
  /** In the order in which the models name the runs. */
  readonly landscapes: readonly Landscape[];
  /** Whether every run has been asked. */
  readonly complete: boolean;
}

/** Share of the plane's width within which two points are the same: sums in another order move them by rounding. */
const SAME_PLACE = 1e-4;

/** Whether two grids have the same points, in weight space. */
export function sameGrid(a: Pick<ContourResult, 'x' | 'y'>, b: Pick<ContourResult, 'x' | 'y'>): boolean {
  const alike = (one: readonly number[], other: readonly number[]): boolean => {
    const width = Math.abs((other.at(-1) ?? 0) - (other[0] ?? 0));
    return (
      one.length === other.length &&
      one.every((value, i) => Math.abs(value - (other[i] ?? NaN)) <= SAME_PLACE * width)
    );
  };
  return alike(a.x, b.x) && alike(a.y, b.y);
}

export interface LandscapesAnalyses {
  landscapes: { job: LandscapesJob; result: LandscapesResult };
}
