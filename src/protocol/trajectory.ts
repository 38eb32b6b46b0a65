/** The path through weight space: how few directions hold it, how fast it goes, how it turns, how far it gets. */
import type { Circling } from './circling.ts';
import type { RunOptions } from './job.ts';
import type { Maybe, Result } from './result.ts';

export interface TrajectoryJob extends RunOptions {
  readonly kind: 'trajectory';
  /** Principal components that are told. */
  readonly components?: number;
  /** Snapshots whose components are taken, spread evenly over the run. */
  readonly snapshots?: number;
}

/** What a job that leaves it out gets. */
export const trajectoryDefaults = { components: 5 } as const;

/** A point of a path; where a path is thinned, speed and turning are means since the point before. */
export interface PathPoint {
  readonly step: number;
  /** Coordinates in the plane of the first two components, from the path's mean. */
  readonly x: number;
  readonly y: number;
  /** Distance from that plane, in weight space. */
  readonly distance: number;
  /**
   * Of snapshots: ‖θ_k − θ_j‖/(k − j) from snapshot j before to this one. Of the sketch: ‖θ_k − θ_{k−1}‖ of all
   * weights. null where it is not known, as at the first point.
   */
  readonly speed: Maybe;
  /** Degrees between the way that leads here and the way on to the next point; null at the ends and where nothing moved. */
  readonly turning: Maybe;
  /** ‖θ_k − θ_start‖. */
  readonly fromStart: number;
}

export interface PathComponent {
  /** Share of the points' variance along it. */
  readonly share: number;
  /** Share that a random walk in very many dimensions shows at the same steps: about 6/(π²k²). */
  readonly randomWalk: number;
}

/** A path and the plane of its first two components. */
export interface Path {
  readonly components: readonly PathComponent[];
  readonly plane: {
    /** Of the variance, of the first two components together. */
    readonly share: number;
    readonly randomWalk: number;
    /** Extent of the path along the first component: the unit in which distances from the plane are told. */
    readonly width: number;
    readonly farthest: { readonly step: number; readonly distance: number };
  };
  /** Points that were measured; {@link points} may be fewer. */
  readonly measured: number;
  /** Median angle between successive ways, in degrees: 90 where directions are not remembered; null for two points. */
  readonly turning: number | null;
  readonly points: readonly PathPoint[];
}

/** A path in the sketch: a projection that keeps distances approximately. */
export interface SketchedPath extends Path {
  /** Weights that were sampled, of all. */
  readonly dimension: number;
  /** Typical (median) number of steps between two points. */
  readonly every: number;
  /** Relative standard error of a distance, estimated from how unequally the sampled weights moved; 0 when all are. */
  readonly error: number;
  /** Root mean square of sketched/recorded − 1 over the distances from start; null where none were recorded. */
  readonly measuredError: number | null;
}

/** How the distance from start grew, from the recorded norms of all weights. */
export interface Growth {
  readonly step: number;
  /** ‖θ_step − θ_0‖. */
  readonly distance: number;
  /** Updates whose length was recorded; each stands for those that are nearest to it. */
  readonly measured: number;
  /** Where a random walk with updates of the same lengths would be: √(Σ‖Δθ‖²). */
  readonly randomWalk: number;
  /** Where it would be without ever turning: Σ‖Δθ‖. */
  readonly straightLine: number;
  /** a of distance ∝ step^a, by least squares on logarithms: ½ diffusion, 1 straight; null over less than a decade. */
  readonly exponent: number | null;
}

/** Nothing is evaluated: the run's own files answer, so `data` is null. */
export interface TrajectoryResult extends Result<null> {
  readonly kind: 'trajectory';
  /** Number of parameters. */
  readonly parameters: number;
  /** Of all weights at the snapshots; null with fewer than three that are finite, or none that differs. */
  readonly snapshots: Path | null;
  /** Of the projection at every recorded step; null likewise. */
  readonly sketch: SketchedPath | null;
  readonly growth: Growth | null;
  /** Whether SGD goes round a flat region, and from where on. Absent in older results. */
  readonly circling?: Circling;
}

/** The path of more points: usually the sketch's, unless recording kept its budget by sketching few steps. */
export function finerPath(snapshots: Path | null, sketch: SketchedPath | null): Path | null {
  if (snapshots === null || sketch === null) return snapshots ?? sketch;
  return snapshots.measured > sketch.measured ? snapshots : sketch;
}

export interface TrajectoryAnalyses {
  trajectory: { job: TrajectoryJob; result: TrajectoryResult };
}
