/** Training a copy of a model further by Basin's own SGD, and what is made of the weights that it passes. */
import type { PredictionPath, Predictions, TrainingSource } from './evaluator.ts';
import type { EvaluationOptions, ModelReference } from './job.ts';
import type { Maybe, Result } from './result.ts';
import type { Scores } from './results.ts';

export interface FurtherTrainingOptions extends EvaluationOptions {
  /** Where it begins; default: the last snapshot. */
  readonly at?: ModelReference;
  /** Budget in steps. */
  readonly train?: number;
  /** Steps of a cycle of the learning rate. */
  readonly cycle?: number;
  /** Largest learning rate; default: from the run's own. */
  readonly rate?: number;
  /** Momentum, Nesterov and weight decay: default the script's own where it trains with SGD. */
  readonly momentum?: number;
  readonly nesterov?: boolean;
  readonly weightDecay?: number;
  /** Longest gradient; none when absent. */
  readonly clip?: number;
  /** Of the order of batches, and of dropout and other noise. */
  readonly seed?: number;
  /** Number of the first batch in the seed's order; default: where the training of `at` had come to. */
  readonly position?: number;
}

/** Stochastic weight averaging (Izmailov et al. 2018) with more training. */
export interface SwaJob extends FurtherTrainingOptions {
  readonly kind: 'swa';
  /** A rate that falls from `rate` to `low` in every cycle; constant at `rate` when absent. */
  readonly cyclic?: boolean;
  readonly low?: number;
}

/** Fast geometric ensembling (Garipov et al. 2018): a triangular rate, weights taken where it is lowest. */
export interface FgeJob extends FurtherTrainingOptions {
  readonly kind: 'fge';
  readonly low?: number;
}

/** Snapshot ensembles (Huang et al. 2017): a cosine rate with restarts, weights taken at the end of each cycle. */
export interface SnapshotEnsembleJob extends FurtherTrainingOptions {
  readonly kind: 'snapshot-ensemble';
}

/** How the weights were trained. */
export interface FurtherTraining {
  /** Snapshot step, or model id. */
  readonly at: string;
  readonly schedule: {
    readonly name: 'constant' | 'cyclic' | 'triangular' | 'cosine';
    readonly high: number;
    /** Lowest rate of a cycle; that of a constant rate itself. */
    readonly low: number;
    readonly cycle: number;
  };
  /** Updates done, of `budget`. */
  readonly steps: number;
  readonly budget: number;
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
  readonly clip: number | null;
  readonly seed: number;
  /** The batches read, by their number in the seed's order (half-open). */
  readonly batches: { readonly from: number; readonly to: number };
  /** Samples read, each as often as it was. */
  readonly samplesRead: number;
  readonly source: TrainingSource;
  /** Mean loss of the batches over stretches of at most a two-hundredth of the budget, and the rate at their end. */
  readonly path: readonly { readonly step: number; readonly rate: number; readonly loss: number }[];
}

/** Weights that were taken on the way, with their batch-norm statistics computed anew. */
export interface Taken {
  /** Updates of this training before it. */
  readonly step: number;
  readonly score: Scores;
}

export interface SwaResult extends Result {
  readonly kind: 'swa';
  /** Id of the average among the run's models. */
  readonly model: string;
  /** false when it was stopped before its budget was used: what was there by then is kept. */
  readonly complete: boolean;
  readonly training: FurtherTraining;
  /** Everything averaged, the origin (step 0) first. */
  readonly iterates: readonly Taken[];
  /** Mean over iterates behind the origin of their losses, on both splits. */
  readonly meanIterate: { readonly train: Maybe; readonly validation: Maybe };
  readonly score: Scores;
  /** The last snapshot's. */
  readonly baseline: Scores & { readonly step: number };
}

/** One member, which is a model of the run by itself. */
export interface Member extends Taken {
  readonly model: string;
}

export interface TrainedEnsembleResult<K extends 'fge' | 'snapshot-ensemble'> extends Result {
  readonly kind: K;
  /** Id of the ensemble among the run's models. */
  readonly model: string;
  readonly complete: boolean;
  readonly training: FurtherTraining;
  readonly members: readonly Member[];
  /** What one member gives, and the ensemble too; null where that is not known, absent in older results. */
  readonly output?: Predictions['form'];
  readonly outputPath?: PredictionPath;
  readonly score: Scores;
  readonly baseline: Scores & { readonly step: number };
  readonly forwardPasses: number;
}

export interface FurtherTrainingAnalyses {
  swa: { job: SwaJob; result: SwaResult };
  fge: { job: FgeJob; result: TrainedEnsembleResult<'fge'> };
  'snapshot-ensemble': { job: SnapshotEnsembleJob; result: TrainedEnsembleResult<'snapshot-ensemble'> };
}
