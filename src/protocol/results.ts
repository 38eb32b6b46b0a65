/** What analyses answer: files under analyses/, the CLI's --json, and what the page draws. Stable; documented in the README. */
import type { Barriers } from './barriers.ts';
import type { PlaneName } from './plane.ts';
import type { Diversity, EnsembleSize, Selection } from './ensembles.ts';
import type { Combination, PredictionPath, Predictions } from './evaluator.ts';
import type { ModelReference } from './job.ts';
import type { Maybe, Result } from './result.ts';

export interface TrajectoryPoint {
  readonly step: number;
  readonly x: number;
  readonly y: number;
  /** Distance of the snapshot from the plane, in weight space. */
  readonly distance: number;
  /** The training loss recorded at that step (of its batch); null for the last snapshot, which no step followed. */
  readonly loss: Maybe;
  /** Loss of the snapshot itself on the evaluation set, off the plane as it is; null when not evaluated. */
  readonly evaluated: Maybe;
}

/** A model that a plane goes through. */
export interface PlaneCorner {
  /** Snapshot step, or model id. */
  readonly at: string;
  readonly x: number;
  readonly y: number;
  /** Its own loss on the evaluation set; null while it was not evaluated. */
  readonly evaluated: Maybe;
  /** Distance from the plane, in weight space, of a model beside it; absent for the three that span it. */
  readonly distance?: number;
}

/** The path of another run, projected on the plane. */
export interface ComparedPath {
  /** Id of the run; its models are called `RUN:MODEL` among the corners. */
  readonly run: string;
  readonly name: string;
  /** Recorded losses are of its own batches; none is evaluated but those of the models that are compared. */
  readonly trajectory: readonly TrajectoryPoint[];
}

/** The same summary of several random planes: the mean rise of the loss on a circle around the origin. */
export interface PlaneRepeats {
  /** Of the circle, in units of the directions. */
  readonly radius: number;
  /** One a plane, first the one that is shown. */
  readonly rises: readonly number[];
  readonly mean: number;
  /** Between the planes. */
  readonly standardDeviation: number;
}

/** Of a contour that was evaluated only where its isolines need it. */
export interface Interpolation {
  /** What the interpolation (Deslauriers–Dubuc, six points, four near edges) works on: whichever predicted the evaluated points best. */
  readonly of: 'log loss' | 'root of the loss' | 'loss';
  /** Root mean square of the relative errors expected of interpolated values (absolute where a loss is not above 0); null where none is interpolated. */
  readonly relativeError: number | null;
  /** 1 where a point was evaluated, 0 where it is interpolated; one row per y. */
  readonly evaluated: readonly (readonly (0 | 1)[])[];
}

export interface ContourResult extends Result {
  readonly kind: 'contour';
  /** Snapshot step, or model id. */
  readonly at: string;
  readonly plane: {
    /** snapshots: through three of them, or of built models; directions: by two directions that were named. */
    readonly kind: PlaneName | 'snapshots' | 'directions';
    readonly directions: readonly {
      readonly name: string;
      readonly norm: number;
      /** Share of the snapshots' variance along this direction (pca); null for other planes. */
      readonly varianceExplained: number | null;
      /** Share that a random walk of as many snapshots would show (pca). */
      readonly randomWalk: number | null;
      readonly seed: number | null;
      /** Of an eigenvector, with ‖Hv − λv‖. */
      readonly eigenvalue?: {
        readonly value: number;
        readonly residual: number;
        readonly converged: boolean;
      };
    }[];
    readonly varianceExplained: number | null;
    /** Cosine between the directions as drawn (0 when orthogonalised). */
    readonly cosine: number;
    /** The three models that a plane goes through, then those beside it; absent for other planes, and in older results. */
    readonly corners?: readonly PlaneCorner[];
    /** How far the second direction turned when it was made orthogonal, and the share of its length that was left. */
    readonly orthogonalised?: { readonly degrees: number; readonly kept: number };
  };
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** One row per y, one value per x. */
  readonly loss: readonly (readonly Maybe[])[];
  /** How typical a random plane is, where that was asked for; null where a loss is not finite. */
  readonly repeats?: PlaneRepeats | null;
  /** Absent where every point is evaluated, and while it is being refined. */
  readonly interpolation?: Interpolation;
  /** Typical standard error of a loss value (median over the grid); null when unknown. */
  readonly standardError: number | null;
  /** Of each evaluated point, as `loss`; null elsewhere. Absent in older results. */
  readonly pointErrors?: readonly (readonly Maybe[])[];
  readonly trajectory: readonly TrajectoryPoint[];
  /** Of the other runs whose models are compared; absent where none is. */
  readonly paths?: readonly ComparedPath[];
  /** Loss at the origin of the plane, evaluated by itself; its error is absent in older results. */
  readonly centre: { readonly loss: Maybe; readonly standardError?: Maybe };
  /** Points evaluated so far, of x·y. */
  readonly evaluated: number;
  /** Of these, points that an interrupted contour of the same question had left; absent where none had. */
  readonly resumed?: number;
  readonly complete: boolean;
}

/** Whether the loss only falls on the way from the worse end to the better one (Goodfellow et al. 2015). */
export interface Monotonicity {
  /** forward: the loss at `to` is the lower one. null where a loss is not finite. */
  readonly downhill: 'forward' | 'backward' | null;
  /** Largest rise between any two points on the way downhill; 0 where it only falls. */
  readonly largestIncrease: Maybe;
  /** Where it begins and ends, as values of t. */
  readonly between: readonly [number, number] | null;
  /** Of the rise, from the differences of the same samples where their losses are known; else a cautious one. */
  readonly standardError: Maybe;
  /** within-noise: a rise of no more than two standard errors. */
  readonly verdict: 'monotone' | 'within-noise' | 'rises' | 'unknown';
}

/** Hidden units that were put in the order of another model's. */
export interface MatchedUnits {
  readonly layers: readonly {
    readonly layer: string;
    readonly units: number;
    /** Units that came to stand elsewhere. */
    readonly moved: number;
  }[];
  /** Layers whose units stayed, with the reason as the end of a sentence. */
  readonly leftOut: readonly { readonly layer: string; readonly reason: string }[];
  /** Times that all layers were gone through. */
  readonly rounds: number;
}

export interface LineResult extends Result {
  readonly kind: 'line';
  readonly from: string;
  readonly to: string;
  readonly t: readonly number[];
  readonly loss: readonly Maybe[];
  readonly standardError: readonly Maybe[];
  /** null where the script's loss has no accuracy. */
  readonly accuracy: readonly Maybe[] | null;
  readonly validation: {
    readonly loss: readonly Maybe[];
    readonly accuracy: readonly Maybe[] | null;
    readonly samples: number;
    /** Absent in older results, as what follows. */
    readonly standardError?: readonly Maybe[];
    readonly barrier?: Maybe;
    readonly barrierStandardError?: Maybe;
    readonly monotone?: Monotonicity;
  } | null;
  /** max over t of loss(t) − ((1−t)·loss(0) + t·loss(1)) (Frankle et al. 2020); null when an end is not finite. */
  readonly barrier: number | null;
  /** Of the barrier, from differences of the same samples; null without a barrier and where no error is known. */
  readonly barrierStandardError?: Maybe;
  /** Absent in older results, as the barrier's error. */
  readonly monotone?: Monotonicity;
  /** ‖θ_to − θ_from‖. */
  readonly length: number;
  /** Where `to` was matched to `from` (`--match`): `to` in the order that the line goes to. */
  readonly matched?: MatchedUnits;
}

export type Verdict = 'below' | 'edge' | 'above' | 'unknown';

export interface SharpnessResult extends Result {
  readonly kind: 'sharpness';
  readonly at: string;
  /** Largest first; by algebraic value. */
  readonly eigenvalues: readonly number[];
  /** ‖Hv − λv‖ per eigenvalue: a true eigenvalue of the evaluated Hessian lies within it. */
  readonly residuals: readonly number[];
  /** Spread of λ₁ over parts of the evaluation set, as the standard error of their mean; null when there are too few batches. */
  readonly standardError: number | null;
  readonly converged: boolean;
  readonly products: number;
  readonly method: 'exact' | 'finite-difference';
  readonly learningRate: number | null;
  /** Largest λ₁ at which the optimizer is stable on a quadratic, and the formula it comes from. */
  readonly stabilityBound: number | null;
  readonly stabilityFormula: string | null;
  /** edge: within 10 % of the bound. */
  readonly verdict: Verdict;
}

export interface Score {
  readonly loss: Maybe;
  readonly lossStandardError: number | null;
  readonly accuracy: number | null;
  readonly accuracyStandardError: number | null;
  readonly samples: number;
}

export interface Scores {
  readonly train: Score;
  readonly validation: Score | null;
}

export interface ScoreResult extends Result {
  readonly kind: 'score';
  readonly at: string;
  readonly score: Scores;
}

export interface AverageResult extends Result {
  readonly kind: 'average';
  /** Id of the built model. */
  readonly model: string;
  readonly members: readonly number[];
  /** Of an exponential moving average; null of equal weights. Absent in older results. */
  readonly decay?: number | null;
  /** Between the members; null without training samples. Absent in older results. */
  readonly barriers?: Barriers | null;
  readonly score: Scores;
  /** Expected, over 15 bins of equal width, on the judged samples; null without classes. Absent in older results. */
  readonly calibrationError?: number | null;
  /** The last snapshot's. */
  readonly baseline: Scores & { readonly step: number; readonly calibrationError?: number | null };
}

export interface EnsembleResult extends Result {
  readonly kind: 'ensemble';
  readonly model: string;
  readonly members: readonly ModelReference[];
  /** How the predictions are put together; null where that is not known. This and what follows is absent in older results. */
  readonly combine?: Combination | null;
  /** What one member gives, and the ensemble too; null where that is not known. */
  readonly output?: Predictions['form'];
  /** Where in it the predictions are. */
  readonly outputPath?: PredictionPath;
  readonly score: Scores;
  readonly baseline: Scores & { readonly step: number };
  /** Each member by itself, in the order of members. */
  readonly memberScores: readonly Scores[];
  /** What it costs to use: forward passes per prediction. */
  readonly forwardPasses: number;
  /** On the judged samples; null where the predictions of single samples are not known. */
  readonly diversity?: Diversity | null;
  /** Of the first, the first two, … of the members; null where the predictions of single samples are not known. */
  readonly byCount?: readonly EnsembleSize[] | null;
  /** How the members were selected; null where they were named. */
  readonly selection?: Selection | null;
}

/** tfjs: model.json and weights; pt: PyTorch's state_dict; safetensors: tensors by the framework's own names. */
export type ExportFormat = 'tfjs' | 'pt' | 'safetensors';

export interface ExportResult {
  readonly kind: 'export';
  readonly run: string;
  readonly model: string;
  readonly format: ExportFormat;
  readonly directory: string;
  readonly files: readonly string[];
}

export interface ReportResult {
  readonly kind: 'report';
  readonly run: string;
  readonly file: string;
}
