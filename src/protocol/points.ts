/** Points of a plane that become models of their own. */
import type { EvaluationOptions } from './job.ts';
import type { PlaneOptions } from './plane.ts';
import type { Result } from './result.ts';
import type { ContourResult, Scores, TrajectoryPoint } from './results.ts';

export interface PointJob extends EvaluationOptions, PlaneOptions {
  readonly kind: 'point';
  /** Coordinates on the plane, in units of its directions. */
  readonly x: number;
  readonly y: number;
  /**
   * Norms of the two directions as a picture of the plane had them: `bad-input` where the plane is another one by now,
   * as the trajectory's is once there are more snapshots.
   */
  readonly norms?: readonly number[];
}

export interface PointResult extends Result {
  readonly kind: 'point';
  /** Id of the built model. */
  readonly model: string;
  /** Origin of the plane: a snapshot's step, or a model's id. */
  readonly at: string;
  readonly x: number;
  readonly y: number;
  /** What the plane's axes are called. */
  readonly axes: readonly [string, string];
  /** Euclidean distance from the origin in weight space. */
  readonly distance: number;
  /** The snapshot with the least Euclidean distance in weight space; null where none has finite weights. */
  readonly nearest: { readonly step: number; readonly distance: number } | null;
  readonly score: Scores;
  /** The last snapshot's. */
  readonly baseline: Scores & { readonly step: number };
}

export interface PointAnalyses {
  point: { job: PointJob; result: PointResult };
}

/** Euclidean length in weight space of (x, y) on a plane, whose directions need be neither of length 1 nor orthogonal. */
export function lengthOn({ directions, cosine }: ContourResult['plane'], x: number, y: number): number {
  const [a = 0, b = 0] = directions.map((d) => d.norm);
  const [u, v] = [x * a, y * b];
  return Math.sqrt(Math.max(0, u * u + v * v + 2 * cosine * u * v));
}

/** The snapshot with the least Euclidean distance: along the plane and, since it need not lie on it, away from it. */
export function nearestSnapshot(
  plane: ContourResult['plane'],
  trajectory: readonly TrajectoryPoint[],
  [x, y]: readonly [number, number],
): PointResult['nearest'] {
  let nearest: PointResult['nearest'] = null;
  for (const t of trajectory) {
    const distance = Math.hypot(lengthOn(plane, x - t.x, y - t.y), t.distance);
    if (nearest === null || distance < nearest.distance) nearest = { step: t.step, distance };
  }
  return nearest;
}
