/** Requests and answers on flatness: how the loss rises around a model, by the measures of five papers. */
import type { EvaluationOptions, ModelReference } from './job.ts';
import type { Maybe, Result } from './result.ts';

/**
 * worst-case: Keskar et al. 2017. sam: Foret et al. 2021. asam: Kwon et al. 2021. average-case: over filter-normalised
 * directions (Li et al. 2018). fisher-rao: Liang et al. 2019.
 */
export type FlatnessMeasureName = 'worst-case' | 'sam' | 'asam' | 'average-case' | 'fisher-rao';

/** In the order in which they are measured and listed. */
export const flatnessMeasureNames = [
  'worst-case',
  'sam',
  'asam',
  'average-case',
  'fisher-rao',
] as const satisfies readonly FlatnessMeasureName[];

export interface FlatnessSettings {
  /** Half-widths of the worst case's box are this times (|θ_i| + 1). */
  readonly epsilon: number;
  /** Most gradients of one ascent in the box. */
  readonly steps: number;
  /** Ascents in the box: the first from the model, the others from random points of it. */
  readonly starts: number;
  /** Radius of SAM's ball ‖δ‖ ≤ ρ. */
  readonly samRho: number;
  /** Radius of ASAM's ball ‖δ/(|θ| + η)‖ ≤ ρ. */
  readonly asamRho: number;
  /** What ASAM adds to |θ_i|. */
  readonly eta: number;
  /** Steps of ascent in either ball; the papers take 1. */
  readonly ascentSteps: number;
  /** Size of a random perturbation, as a share of each filter's norm. */
  readonly sigma: number;
  /** Random directions, each looked at both ways. */
  readonly repeats: number;
  readonly seed: number;
}

/** ε of Keskar et al., ρ and η of Foret et al. and Kwon et al. */
export const flatnessDefaults: FlatnessSettings = {
  epsilon: 1e-3,
  steps: 20,
  starts: 2,
  samRho: 0.05,
  asamRho: 0.5,
  eta: 0.01,
  ascentSteps: 1,
  sigma: 0.1,
  repeats: 20,
  seed: 1,
};

export interface FlatnessJob extends EvaluationOptions, Partial<FlatnessSettings> {
  readonly kind: 'flatness';
  readonly at?: ModelReference;
  /** Every one when absent. */
  readonly measures?: readonly FlatnessMeasureName[];
  /** Measure a twin as well that is the same function with other weights; default true. */
  readonly twin?: boolean;
}

/** Questions to the whole evaluation set, those to the twin included. */
export interface Evaluations {
  readonly losses: number;
  readonly gradients: number;
  /** Products with the Gauss–Newton matrix. */
  readonly products: number;
}

/** The same measure at the twin. */
export interface TwinValue {
  readonly value: Maybe;
  /** value at the twin ÷ value at the model; null where it cannot be formed. */
  readonly factor: number | null;
  /** unchanged: the factor is within 1 % of 1. */
  readonly verdict: 'unchanged' | 'changed' | 'unknown';
}

export interface FlatnessMeasure {
  readonly name: FlatnessMeasureName;
  readonly paper: string;
  /** Those that it depends on, by the name that a job has them under. */
  readonly settings: Partial<FlatnessSettings>;
  /** null where it cannot be had (`reason` says why). */
  readonly value: Maybe;
  /** Of a mean over random directions; null for the others. */
  readonly standardError: number | null;
  /** 95 %, with Student's t over the directions; null for the others. */
  readonly interval: readonly [number, number] | null;
  readonly reason: string | null;
  /** One sentence for people. */
  readonly meaning: string;
  readonly evaluations: Evaluations;
  /** null where no twin was measured. */
  readonly twin: TwinValue | null;
}

/** Weights that give the same function: all of one layer times the factor, the kernel of the next divided by it. */
export interface RescaledPair {
  readonly multiplied: string;
  readonly divided: string;
  readonly factor: number;
  /** |loss of the twin − loss|/|loss|: at most 1e-5. */
  readonly relativeDifference: number;
}

export interface FlatnessResult extends Result {
  readonly kind: 'flatness';
  readonly at: string;
  readonly loss: number;
  readonly measures: readonly FlatnessMeasure[];
  /** null where there is none or none was asked for. */
  readonly twin: RescaledPair | null;
  /** Why there is no twin; null where there is one. */
  readonly withoutTwin: string | null;
}

export interface FlatnessAnalyses {
  flatness: { job: FlatnessJob; result: FlatnessResult };
}
