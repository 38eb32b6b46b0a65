/** Which measures of a minimum go with the generalisation gap, over the runs of a workspace. */
import type { RunOptions } from './job.ts';
import type { WithError } from './noise.ts';
import type { Maybe, Result } from './result.ts';

/** Of the loss: validation − train. Of the accuracy: train − validation. */
export type GapName = 'loss' | 'accuracy';

export interface MeasuresJob extends RunOptions {
  readonly kind: 'measures';
  /** Ids, unique prefixes or last; every run of the workspace when absent. `run` is among them and keeps the result. */
  readonly runs?: readonly string[];
  readonly gap?: GapName;
  /** Compute what no kept result of a run tells; its script is started again for it. */
  readonly compute?: boolean;
  /** Of permutations and of redrawn errors. */
  readonly seed?: number;
}

/** What a job that leaves them out gets. */
export const measuresDefaults = { gap: 'loss', compute: false, seed: 1 } as const;

/** In the order in which they are listed. */
export const measureNames = [
  'lambda1',
  'trace',
  'worst-case',
  'sam',
  'asam',
  'average-case',
  'fisher-rao',
  'weight-norm',
  'distance',
  'output-margin',
  'input-margin',
  'noise-trace',
  'noise-scale',
  'calibration-error',
  'train-loss',
] as const;
export type MeasureName = (typeof measureNames)[number];

/** What each is, as tables and pictures have it. */
export const measureWords: Readonly<Record<MeasureName, string>> = {
  lambda1: 'λ₁ of the Hessian',
  trace: 'trace of the Hessian',
  'worst-case': 'worst case in a box',
  sam: 'SAM sharpness',
  asam: 'ASAM sharpness',
  'average-case': 'average-case flatness',
  'fisher-rao': 'Fisher–Rao norm, squared',
  'weight-norm': 'norm of the weights',
  distance: 'distance from the start',
  'output-margin': 'median output margin',
  'input-margin': 'median input margin',
  'noise-trace': 'trace of the gradient noise',
  'noise-scale': 'gradient noise scale',
  'calibration-error': 'calibration error',
  'train-loss': 'training loss',
};

/** A measure of one run. */
export interface Reading extends WithError {
  /** The result that tells it; null for the run's own files. */
  readonly from: string | null;
}

/** One run: its gap and measures at its last snapshot. */
export interface MeasuredRun {
  readonly run: string;
  readonly name: string;
  /** Step of the snapshot. */
  readonly at: number;
  readonly gap: Reading | null;
  /** One for every measure of the result, in their order; null where it is not known. */
  readonly values: readonly (Reading | null)[];
  /** What could not be computed, and why, in sentences. */
  readonly notes: readonly string[];
}

export interface RankCorrelation {
  readonly value: number;
  /** 95 %; null for too few runs. */
  readonly interval: readonly [number, number] | null;
  /** Two-sided, by permuting the gaps. */
  readonly p: number;
  /** p made larger for the number of measures looked at (Holm 1979). */
  readonly adjusted: number;
}

/** rises: with the gap, told from chance after allowing for the number of measures. unknown: so few runs could never tell. */
export type MeasureVerdict = 'rises' | 'falls' | 'not-shown' | 'unknown';

export interface MeasureCorrelation {
  readonly name: MeasureName;
  /** What the measure was taken with, where it has settings: the same for all runs that count. */
  readonly settings: string | null;
  /** Runs in which both the measure and the gap are known. */
  readonly runs: number;
  /** null for fewer than three runs, or where either does not vary. */
  readonly spearman: RankCorrelation | null;
  readonly kendall: RankCorrelation | null;
  /** How far the errors of the gaps and of the measure move Spearman's ρ: standard deviation over redrawn values. */
  readonly byErrors: Maybe;
  /** Pairings that p counts, and whether that is every one. */
  readonly permutations: number;
  readonly exact: boolean;
  readonly verdict: MeasureVerdict;
}

export interface MeasuresResult extends Result<null> {
  readonly kind: 'measures';
  readonly gap: GapName;
  readonly runs: readonly MeasuredRun[];
  readonly measures: readonly MeasureCorrelation[];
  /** Runs whose gap is known. */
  readonly known: number;
  /** The least p that so many runs can show: 2/n!. */
  readonly leastP: number;
  /** Whether the gaps differ by more than their errors (Cochran's Q at 5 %); null where an error is not known. */
  readonly gapsDiffer: boolean | null;
  /** Runs of the workspace that were left out, and why, in sentences. */
  readonly leftOut: readonly string[];
}

export interface MeasuresAnalyses {
  measures: { job: MeasuresJob; result: MeasuresResult };
}
