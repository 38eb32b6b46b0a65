/**
 * The evaluator wire: what can be asked of a training process that stands at a step boundary.
 *
 * The evaluator is a small machine over named vectors that stay inside the training process. A vector is
 * one flat float32 array over the objective's parameters, in the order of ObjectiveInfo.parameters, and may
 * carry state (non-trainable tensors such as batch-norm averages). Names belong to one connection and are
 * released when it closes. Reductions over parameters accumulate in float64.
 *
 * Requests travel as JSON-RPC 2.0 with Content-Length framing, numbers that are not finite as wireJson.ts has them
 * (give its `wireReader` and `wireWriter` to the stream's message reader and writer). `$/cancelRequest` is honoured between batches.
 */
import type { ObjectiveInfo, OptimizerInfo } from './run.ts';
import { standingMethods, type StandingRequests } from './standing.ts';

/** Raised when a request or an answer changes meaning; `hello` refuses another number. */
export const EVALUATOR_PROTOCOL = 2;

/** A vector inside the evaluator by name, or a safetensors file that is streamed and not kept. */
export type Operand = string | { readonly file: string };

/**
 * as-trained: the script's own loss closure, dropout and other noise replayed draw for draw, batch norm on
 * the batch's statistics. inference: dropout off, batch norm by its stored or refreshed statistics.
 */
export type EvaluationMode = 'as-trained' | 'inference';

export interface DataSelection {
  readonly split: 'train' | 'validation';
  /** At most this many samples, whole batches from the first on; everything when absent. */
  readonly samples?: number;
  /**
   * Only the batches from..to−1 of the split (half-open, as they were recorded, each with its own draws); `samples` is
   * ignored. Batch-norm statistics that are refreshed come from the whole train split all the same, so that every range
   * is evaluated at one and the same function. `bad-input` where the range is empty or leaves the split.
   */
  readonly batches?: readonly [from: number, to: number];
  /**
   * Batches that `draw` gave this name, in place of the split's; `batches` may choose among them, `samples` is ignored.
   * `not-found` where there are none.
   */
  readonly drawn?: string;
}

/**
 * Where training batches are drawn from. loader: the script's own DataLoader, in the order of its own sampler, or the data
 * set of fitDataset, in its order or shuffled where it shuffles. tensors: the tensors that training takes its batches
 * from. recorded: the batches that were kept with the run, in a shuffled order, where the script's data cannot be reached (`reason`).
 */
export interface TrainingSource {
  readonly kind: 'loader' | 'tensors' | 'recorded';
  /** Distinct samples; null for a stream of unknown length. */
  readonly samples: number | null;
  /** Batches that make an epoch; null for a stream of unknown length. */
  readonly batches: number | null;
  /** Why it is no better one, or what of the script's data it lacks, as a sentence; null when it is all of them. */
  readonly reason: string | null;
}

export interface HowToEvaluate {
  readonly data: DataSelection;
  readonly mode: EvaluationMode;
  /**
   * Compute batch-norm statistics anew from the train split at each point (inference only). Needed wherever
   * weights differ from those that the stored statistics belong to.
   */
  readonly refresh: boolean;
}

export interface LossValue {
  /** Mean over samples of the script's loss, its regularisers included. May be NaN or Infinity. */
  readonly loss: number;
  /** Standard error of that mean over the drawn samples; null when it cannot be estimated. */
  readonly standardError: number | null;
  /** From per-sample losses, or from the means of the batches. */
  readonly standardErrorFrom: 'samples' | 'batches' | null;
  readonly samples: number;
}

export interface ScoreValue extends LossValue {
  /** Share of right answers for classifiers; null where the loss has no notion of it. */
  readonly accuracy: number | null;
  readonly accuracyStandardError: number | null;
}

/** One number a sample, in the order of the split; null where there is none (`reason` says why). */
export interface SampleValues {
  /**
   * From the loss function before it averages, weight penalties left out; where there is no such function, the script's
   * own value on each sample alone with all that it adds, if the mean of those is its value on the batch.
   */
  readonly loss: readonly number[] | null;
  /**
   * Output margin: the logit of the label minus the largest other logit, equally log p(label) − log of the largest other
   * p, which is used where only probabilities are known or several members are averaged. Negative where it is wrong. One
   * output for two classes counts as the logits z and 0.
   */
  readonly margin: readonly number[] | null;
  /** The largest predicted probability, 1/classes to 1. */
  readonly confidence: readonly number[] | null;
  readonly correct: readonly (0 | 1)[] | null;
  /** Euclidean norm of the margin's gradient with respect to the sample's input; asked for by `inputGradient`. */
  readonly inputGradientNorm: readonly number[] | null;
  /** Why some of these are null; null when none is (but for an input gradient that was not asked for). */
  readonly reason: string | null;
}

/**
 * How an ensemble puts its members' predictions together. probability: the mean of predicted probabilities. logit: the
 * mean of logits, which is the geometric mean of probabilities made to sum to one. mean: of predicted values, where the
 * loss has no classes.
 */
export type Combination = 'probability' | 'logit' | 'mean';

/**
 * Where in what the model gives the loss finds its prediction: empty where that is the prediction itself; null where the
 * script makes it of that (by a softmax, say).
 */
export type PredictionPath = readonly (readonly ['item' | 'attribute', string | number])[] | null;

/** What one model predicts for each sample, in the order of the split. */
export interface Predictions {
  /** null where they cannot be told as one row a sample; `reason` says why. */
  readonly kind: 'classes' | 'values' | null;
  /** What the model itself gives, of which the rows are made. */
  readonly form:
    | 'logits'
    | 'log-probabilities'
    | 'probabilities'
    | 'binary-logits'
    | 'binary-probabilities'
    | 'values'
    | null;
  /** Absent where it is not known. */
  readonly path?: PredictionPath;
  readonly samples: number;
  /** Numbers a row: the classes (two for one output that stands for two), or the predicted values. */
  readonly width: number;
  /** Row after row: log-probabilities of the classes, or predicted values. */
  readonly values: readonly number[];
  /** One label a sample, or one row of values a sample. */
  readonly targets: readonly number[];
  readonly reason: string | null;
}

/** How much a split holds; `unit` where samples cannot be counted, and each batch counts as one. */
export interface SplitSize {
  readonly samples: number;
  readonly batches: number;
  readonly unit?: 'batches';
}

export interface EvaluatorDescription {
  readonly protocol: number;
  readonly role: 'live' | 'frozen';
  readonly framework: 'tfjs' | 'torch';
  readonly backend: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly objectiveIndex: number;
  readonly objective: ObjectiveInfo;
  /** The first is the default for this objective. */
  readonly modes: readonly EvaluationMode[];
  /** Whether there are batch-norm statistics to refresh. */
  readonly hasStatistics: boolean;
  /** Whether predictions can be told apart from the loss, as scores with accuracy and ensembles need. */
  readonly predictions: boolean;
  readonly train: SplitSize | null;
  readonly validation: SplitSize | null;
}

/**
 * The mode of the loss that training descends. With batch norm that is another function of the weights than the loss in
 * inference mode, whose statistics are held fixed: its curvature is the one that the bound of an optimizer is about.
 */
export function trainedMode({ modes, hasStatistics }: EvaluatorDescription): EvaluationMode {
  const [usual = 'as-trained'] = modes;
  return hasStatistics && modes.includes('as-trained') ? 'as-trained' : usual;
}

/** Where the process stands, and what questions have cost it so far. */
export interface EvaluatorStatus {
  readonly state: 'training' | 'paused' | 'frozen' | 'held';
  /** Updates done by this objective. */
  readonly step: number;
  readonly learningRate: number | null;
  /** As it is by now: before the first update it may not have been known. */
  readonly optimizer: OptimizerInfo | null;
  /** Seconds of main-thread time spent on answering, since the first step. */
  readonly answeringSeconds: number;
  /** What of them went into the answers to this connection. */
  readonly connectionSeconds: number;
  /** Seconds since the first step. */
  readonly seconds: number;
  /** What people know the debugger by that drives training; null where none does. */
  readonly driver: string | null;
}

export type Normalisation = 'filter' | 'layer' | 'none';

/** Whether parameters of these roles take part in a direction. */
export interface Included {
  readonly bias: boolean;
  readonly norm: boolean;
}

/** What is multiplied: the Hessian of the mean loss, or its generalised Gauss–Newton matrix. */
export type ProductMatrix = 'hessian' | 'gauss-newton';

/**
 * Of one operand a, or two, element by element. product: a·b. quotient: a/b, 0 where b is 0. absolute: |a|. root: √|a|.
 * sign: −1, 0 or 1. add: a + constant. clip: a cut to ±|b|, that is min(max(a, −|b|), |b|). NaN stays NaN.
 */
export type ElementwiseFunction = 'product' | 'quotient' | 'absolute' | 'root' | 'sign' | 'add' | 'clip';

/** Every request: its parameters and its answer. Both ends take their types from here. */
export interface EvaluatorRequests {
  /** Must be first on a connection; refuses a wrong token or protocol. */
  hello: { params: { token: string; protocol: number; objective: number }; result: EvaluatorDescription };
  status: { params: object; result: EvaluatorStatus };
  /**
   * Copies the present weights and state (live), or a file's, into a named vector. gradient: that of the step under way,
   * where a debugger has the process stand between it and its update; without state. second-moment: what the optimizer of
   * the living or held process keeps of squared gradients and divides by the root of (Adam's v divided by 1 − β₂ᵗ where
   * the optimizer does so, RMSProp's mean square, Adagrad's sum), without state; `unsupported` where there is none.
   */
  load: {
    params: { into: string; from: 'current' | 'gradient' | 'second-moment' | { file: string } };
    result: { norm: number };
  };
  /**
   * into ← Σ coefficient · operand over parameters. State: 'combine' applies the same sum to floating state,
   * an operand copies its state, null leaves none. `into` may be among the operands.
   */
  combine: {
    params: {
      into: string;
      terms: readonly { coefficient: number; vector: Operand }[];
      state: Operand | 'combine' | null;
    };
    result: { norm: number };
  };
  /** a·b for each pair. */
  dots: { params: { pairs: readonly (readonly [string, string])[] }; result: { values: number[] } };
  /** Gram matrix of (operand − origin), streamed block by block: memory stays bounded for any number of files. */
  gram: { params: { vectors: readonly Operand[]; origin: Operand | null }; result: { rows: number[][] } };
  /**
   * A Gaussian direction from a seed. filter: each output unit of d is scaled to the norm of the same unit in
   * `like` (Li et al. 2018, d_ij ← d_ij/‖d_ij‖·‖θ_ij‖); layer: each parameter as a whole; none: raw N(0, 1).
   * Parameters of role bias and norm are zero unless included (an included vector-shaped parameter is
   * normalised as a whole).
   */
  random: {
    params: {
      into: string;
      seed: number;
      like: string;
      normalisation: Normalisation;
      include: Included;
    };
    result: { norm: number };
  };
  /** What `random` does after its draw, to any vector in place: biases and norm parameters become zero unless included. */
  normalise: {
    params: {
      vector: string;
      like: string;
      normalisation: Normalisation;
      include: Included;
    };
    result: { norm: number };
  };
  /** into ← the named parameters of a vector, and zero elsewhere. State is left out. `bad-input` for a name unknown. */
  restrict: {
    params: { vector: string; into: string; parameters: readonly string[] };
    result: { norm: number };
  };
  /** into ← function of one operand or two, over parameters. State is left out. `into` may be among them. */
  elementwise: {
    params: { into: string; function: ElementwiseFunction; of: readonly string[]; constant?: number };
    result: { norm: number };
  };
  /** Classical Gram–Schmidt, twice, in place, against vectors that are orthonormal. */
  orthogonalise: {
    params: { vector: string; against: readonly string[] };
    result: { coefficients: number[]; norm: number };
  };
  /** Loss at origin + Σ_i coefficients[p][i] · directions[i], for every point p. State is the origin's. */
  loss: {
    params: {
      origin: string;
      directions: readonly string[];
      coefficients: readonly (readonly number[])[];
      how: HowToEvaluate;
    };
    result: { points: LossValue[]; seconds: number };
  };
  /**
   * One vector: its score. Several: the score of their ensemble by the script's own loss; `combine` absent means
   * probability, or mean where the loss has no classes. `bad-input` for one that does not fit the loss.
   */
  score: {
    params: { members: readonly string[]; how: HowToEvaluate; combine?: Combination };
    result: ScoreValue;
  };
  /**
   * Gives a name to training batches of the script's own data, for DataSelection.drawn: batches from..from+count−1 of an
   * endless order that goes through the epochs of the source one after the other and is shuffled anew in each where the
   * script shuffles. Order, dropout and augmentation follow from seed and position alone: they are fresh at every
   * position and the same whenever it is drawn again. Nothing of the script's moves: no sampler, no random stream. A
   * count of 0 only tells the source. Refused (`busy`) while the process trains.
   */
  draw: {
    params: { into: string; seed: number; from: number; count: number };
    result: { source: TrainingSource; samples: number };
  };
  /**
   * into ← ∇L(at). keepState: `at` keeps the state that the pass has left (batch-norm averages, the vectors of spectral
   * norm), as after a training step; as trained only.
   */
  gradient: {
    params: { at: string; into: string; how: HowToEvaluate; keepState?: boolean };
    result: { loss: number; norm: number };
  };
  /** The samples of one vector, or of the ensemble of several as `score` has it. */
  samples: {
    params: {
      members: readonly string[];
      how: HowToEvaluate;
      inputGradient: boolean;
      combine?: Combination;
    };
    result: SampleValues;
  };
  /** What a vector predicts for each sample: small beside its weights, and all that ensembles are compared by. */
  predictions: { params: { vector: string; how: HowToEvaluate }; result: Predictions };
  /**
   * into ← H(at)·vector. auto: exact, and finite differences only where an operation has no second derivative.
   * gauss-newton: JᵀH_L J·vector with J the derivative of the predictions by the parameters and H_L the Hessian of the
   * loss by the predictions (Schraudolph 2002); taken at the logits where a softmax or sigmoid and a cross-entropy follow
   * them. A weight penalty of the loss is no part of it. `unsupported` where the loss does not go through predictions
   * that can be seen.
   */
  hvp: {
    params: {
      at: string;
      vector: string;
      into: string;
      how: HowToEvaluate;
      method: 'auto' | 'exact' | 'finite-difference';
      /** hessian when absent. */
      matrix?: ProductMatrix;
    };
    result: { method: 'exact' | 'finite-difference'; norm: number; reason: string | null };
  };
  /** Sets the vector's batch-norm statistics from the train split: sample-weighted means over batches. */
  refreshStatistics: {
    params: { vector: string; data: DataSelection };
    result: { tensors: number; samples: number };
  };
  /** Replays a recorded batch at the given weights, beside the loss recorded when training was there. */
  verify: {
    params: { vector: string; batch: number };
    result: { step: number; recorded: number; replayed: number };
  };
  /** Writes a vector (parameters and state) as a safetensors file, beside and renamed. */
  save: {
    params: { vector: string; file: string; metadata: Record<string, string> };
    result: { bytes: number };
  };
  /**
   * Writes the model into a directory as its own framework loads it. tfjs: model.json and weights; pt, safetensors:
   * the state_dict of the script's own module, which loads strictly.
   */
  exportModel: {
    params: { vector: string; directory: string; format: 'tfjs' | 'pt' | 'safetensors' };
    result: { files: string[] };
  };
  release: { params: { vectors: readonly string[] }; result: { released: number } };
  /** Lets a held process end, and a frozen one exit. */
  resume: { params: object; result: object };
}

export type EvaluatorMethod = keyof EvaluatorRequests;

export const evaluatorMethods = [
  'hello',
  'status',
  'load',
  'combine',
  'dots',
  'gram',
  'random',
  'normalise',
  'restrict',
  'elementwise',
  'orthogonalise',
  'loss',
  'score',
  'samples',
  'predictions',
  'draw',
  'gradient',
  'hvp',
  'refreshStatistics',
  'verify',
  'save',
  'exportModel',
  'release',
  'resume',
] as const satisfies readonly EvaluatorMethod[];

/** All that travels: questions, and the debugger's part. */
export type WireRequests = EvaluatorRequests & StandingRequests;
export type WireMethod = keyof WireRequests;
export const wireMethods: readonly WireMethod[] = [...evaluatorMethods, ...standingMethods];

/** JSON-RPC error code under which an ErrorData travels as `data`. */
export const BASIN_ERROR = -32050;
