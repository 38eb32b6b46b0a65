/** What the run's files tell of each layer: how it learns, and what is wrong with it. */
import type { RunOptions } from './job.ts';
import type { LiveNoiseScale, ParameterRole } from './run.ts';
import type { Maybe, Result } from './result.ts';
import type { TrainingEvent } from './trainingEvents.ts';

export interface LayersJob extends RunOptions {
  readonly kind: 'layers';
  /** Only records from this step on; default 0. */
  readonly from?: number;
  /** Up to this step; default: all there are. */
  readonly to?: number;
}

/** A number along the run: at the last record, and over all of them. */
export interface OverRun {
  readonly last: Maybe;
  readonly median: Maybe;
  /** Records in which it was measured. */
  readonly count: number;
}

/** Parameters along the run; null where a number was not read. */
export interface LayersSeries {
  /** At most {@link SERIES_POINTS} records, spread evenly, first and last among them. */
  readonly steps: readonly number[];
  /** In the order of the result's parameters, one value a step. */
  readonly parameters: readonly {
    readonly updateRatio: readonly Maybe[];
    readonly gradientNorm: readonly Maybe[];
    readonly alignment: readonly Maybe[];
    /** null where units cannot be dead. */
    readonly dead: readonly Maybe[] | null;
  }[];
}

export const SERIES_POINTS = 200;

export interface ParameterNumbers {
  readonly name: string;
  readonly layer: string | null;
  readonly role: ParameterRole;
  readonly size: number;
  /** ‖g‖ of the batch. */
  readonly gradientNorm: OverRun;
  /** ‖θ_{k} − θ_{k−1}‖/‖θ_k‖. */
  readonly updateRatio: OverRun;
  readonly weightNorm: OverRun;
  /** Cosine of the gradients of successive steps. */
  readonly alignment: OverRun;
  /** Output units whose incoming weights had a gradient of exactly zero in each of the last records; null but for kernels. */
  readonly dead: { readonly units: number; readonly of: number; readonly most: number } | null;
  /** Where NaN or Infinity began in it: the first such event. */
  readonly nonFinite: { readonly step: number; readonly what: 'gradient' | 'weights' | 'forward' } | null;
}

export interface LayersResult extends Result<null> {
  readonly kind: 'layers';
  readonly from: number;
  readonly to: number;
  readonly records: number;
  /** Median steps between records. */
  readonly every: number;
  /** Records in which a unit must be without a gradient to count as dead. */
  readonly deadAfter: number;
  readonly parameters: readonly ParameterNumbers[];
  /** Absent in older results. */
  readonly series?: LayersSeries;
  /** Cosine of the gradients of successive steps, all parameters together. */
  readonly alignment: OverRun;
  readonly events: readonly TrainingEvent[];
  /** The last gradient noise scale that was measured while the run trained. */
  readonly noiseScale: LiveNoiseScale | null;
}

export interface LayersAnalyses {
  layers: { job: LayersJob; result: LayersResult };
}
