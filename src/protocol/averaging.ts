/** What averages of snapshots would be worth: many windows at once, none of them built. */
import type { Circling } from './circling.ts';
import type { Gain, SweepVerdict } from './gain.ts';
import type { EvaluationOptions } from './job.ts';
import type { Maybe, Result } from './result.ts';
import type { Scores } from './results.ts';
import type { Uncertainty } from './uncertainty.ts';

export interface SweepJob extends EvaluationOptions {
  readonly kind: 'sweep';
  /** Only snapshots of these steps. Default: all. */
  readonly from?: number;
  readonly to?: number;
  /** Most places along each axis of the map of windows: more snapshots than this are taken in blocks. */
  readonly places?: number;
  /** Decays of exponential moving averages, per snapshot, each in (0, 1). */
  readonly decays?: readonly number[];
}

/** What a job that leaves them out gets: 20 places make 210 windows. */
export const sweepDefaults = { places: 20, decays: [0.5, 0.9] } as const;

/** One average and what it is worth. */
export interface Candidate {
  /** First and last step of its snapshots. */
  readonly from: number;
  readonly to: number;
  readonly snapshots: number;
  /** Of an exponential moving average; null of a uniform one. */
  readonly decay: number | null;
  readonly score: Scores;
  /** Expected calibration error over 15 bins of equal width, on the judged samples; null without classes. */
  readonly calibrationError: number | null;
  /** Null where the loss of single samples is not known, or not finite. */
  readonly gain: Gain | null;
  /** The same of the share of right answers: its own less the last snapshot's. Absent in older results. */
  readonly accuracyGain?: Gain | null;
}

/** The best average beside some of the iterates that it is made of: below them, they lie at the boundary of a flat region. */
export interface BesideIterates {
  /** Snapshots of the best average's window that were scored by themselves, spread evenly. */
  readonly iterates: number;
  /** Their mean loss less the average's, sample for sample on the judged split. */
  readonly gain: Gain | null;
  /** The same of the training loss. */
  readonly train: Maybe;
}

/** What of a gain is stopping earlier: the last snapshot of the best average's window by itself. */
export interface OwnLast {
  readonly step: number;
  /** Over the run's last snapshot, sample for sample on the judged split. */
  readonly gain: Gain | null;
  /** Of the average over this snapshot. */
  readonly added: Gain | null;
}

export interface SweepResult extends Result {
  readonly kind: 'sweep';
  /** The blocks of snapshots from which windows are made, by step. */
  readonly blocks: readonly { readonly from: number; readonly to: number; readonly snapshots: number }[];
  readonly windows: readonly Candidate[];
  readonly moving: readonly Candidate[];
  readonly last: Scores & { readonly step: number; readonly calibrationError: number | null };
  readonly verdict: SweepVerdict;
  /** The best of all by the judged loss; null without one that is finite. */
  readonly best: Candidate | null;
  /**
   * What choosing the best is worth on samples that had no part in the choice: chosen on every second sample and judged
   * on the others, both ways round. The best's own gain is too good by the choosing.
   */
  readonly expectedGain: Gain | null;
  /** Whether SGD goes round a flat region, from the path. Absent in older results, and where the path was not given. */
  readonly circling?: Circling;
  /** null where fewer than two iterates of the best average were scored. Absent in older results. */
  readonly besideIterates?: BesideIterates | null;
  /** null where the best average goes up to the last snapshot; absent in older results. */
  readonly ownLast?: OwnLast | null;
}

export interface SwagJob extends EvaluationOptions {
  readonly kind: 'swag';
  /** The snapshots, as an average's window. Default: the last quarter of the run. */
  readonly from?: number;
  readonly to?: number;
  readonly stride?: number;
  /** Columns of the low-rank part: the latest so many snapshots; 0 for the diagonal part alone. */
  readonly rank?: number;
  /** Models drawn, whose predictions are averaged. */
  readonly draws?: number;
  /** Of the draws' distance from the average; 1 is the posterior itself. */
  readonly scale?: number;
  readonly seed?: number;
  /** Save the first so many draws among the run's models. */
  readonly keep?: number;
}

/** What a job that leaves them out gets. */
export const swagDefaults = { rank: 10, draws: 20, scale: 1, seed: 1 } as const;

/** Mean of the largest predicted probability where the answer is right, and where it is wrong; null where there is none. */
export interface Doubt {
  readonly right: number | null;
  readonly wrong: number | null;
}

export interface SwagModel extends Scores {
  /** Over 15 bins of equal width, on the judged samples; null without classes. */
  readonly calibrationError: number | null;
  readonly doubt: Doubt | null;
}

export interface SwagResult extends Result {
  readonly kind: 'swag';
  readonly members: readonly number[];
  readonly rank: number;
  readonly draws: number;
  readonly scale: number;
  /** Of the mean prediction of all draws. */
  readonly score: SwagModel;
  /** Of the average around which they are drawn. */
  readonly average: SwagModel;
  /** The last snapshot's. */
  readonly baseline: SwagModel & { readonly step: number };
  /** Sums over parameters of the two parts' variances; the posterior has half of each. */
  /** Of the draws on the judged samples; null where single predictions are not known. Absent in older results. */
  readonly uncertainty?: Uncertainty | null;
  /** Ids of the draws that were saved, in their order. */
  readonly kept?: readonly string[];
  readonly variance: { readonly diagonal: number; readonly lowRank: number };
  readonly forwardPasses: number;
}

export interface AveragingAnalyses {
  swag: { job: SwagJob; result: SwagResult };
  sweep: { job: SweepJob; result: SweepResult };
}
