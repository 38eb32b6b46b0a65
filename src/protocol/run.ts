/**
 * The run format: what a directory `.basin/runs/<id>/` holds.
 *
 *   run.json                         RunManifest, replaced whole (written beside, renamed)
 *   steps.jsonl                      one StepRecord a line, appended in whole lines
 *   live.jsonl                       one LiveSharpness a line (written by an engine beside a live run)
 *   noise.jsonl                      one LiveNoiseScale a line (likewise)
 *   sketch.bin                       fixed random projection of the weights, see sketch.ts
 *   layers.bin                       norms and more of each parameter, see layerStatistics.ts
 *   snapshots/step-00000500.safetensors   parameters and state after that many updates
 *   data/train.safetensors, data/validation.safetensors   the evaluation set, see evaluationSet.ts
 *   models/<id>.safetensors + <id>.json   what Basin built (SWA, ensembles)
 *   analyses/<id>.json               results, see results.ts
 *   endpoint.json                    where the living probe answers (mode 0600), removed at its end
 *   topology.json                    the layers model's config, when there is one (for the tfjs export)
 *
 * Convention: step k is the k-th optimizer update, counted from 0. `snapshot k` holds the weights
 * after k updates, so snapshot 0 is the initialisation and the last snapshot of a run of T updates is T.
 * StepRecord k carries the loss at the weights of snapshot k (before update k).
 */
import * as v from 'valibot';

export const RUN_FORMAT = 1;

/** Share of the training's time that may go into measuring beside it, where nothing else is asked for. */
export const LIVE_BUDGET = 0.05;
/** Seconds beyond that share, so that a short run is measured at all. */
export const LIVE_ADVANCE = 0.5;

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
/** JSON has no NaN or Infinity: a non-finite number is written as one of these strings. */
export const numberSchema = v.union([v.number(), v.picklist(['NaN', 'Infinity', '-Infinity'])]);
const nullable = <T extends v.GenericSchema>(schema: T) => v.nullable(schema);

/** What a parameter is to its layer: decides normalisation and whether random directions move it. */
export const roleSchema = v.picklist(['kernel', 'bias', 'norm', 'embedding', 'other']);
export type ParameterRole = v.InferOutput<typeof roleSchema>;

export const parameterSchema = v.object({
  /** Unique within the objective; the safetensors key. */
  name: v.string(),
  shape: v.array(count),
  role: roleSchema,
  /** Axis of output units ("filters"): last in TF.js, first in PyTorch; null where there is none. */
  filterAxis: nullable(count),
  /** Name of the layer or module it belongs to, for per-layer answers. */
  layer: nullable(v.string()),
  /** What the script keeps it in, as the framework calls it; float32 when absent. Snapshots are float32 all the same. */
  dtype: v.optional(v.string()),
});
export type ParameterInfo = v.InferOutput<typeof parameterSchema>;

export const stateTensorSchema = v.object({ name: v.string(), shape: v.array(count), dtype: v.string() });

export const optimizerSchema = v.object({
  /** As the framework calls it: SGD, Momentum, Adam, RMSProp, … */
  name: v.string(),
  /**
   * Scalars of its configuration (learningRate, momentum, useNesterov, beta1, beta2, epsilon, decay …), of the first of
   * several parameter groups; `groupsDiffer` says in words by what others step differently.
   */
  config: v.record(v.string(), v.union([v.number(), v.boolean(), v.string(), v.null()])),
});
export type OptimizerInfo = v.InferOutput<typeof optimizerSchema>;

/** One way of checking the replay, over the steps that it was tried on. */
const replayCheckSchema = v.object({
  /** The loss; its gradient; the first step's tape with a later step's data, which catches numbers that it froze. */
  of: v.picklist(['loss', 'gradient', 'later-data']),
  checked: count,
  passed: count,
  worstRelativeError: numberSchema,
  /** Of one that was tried on no step: why. */
  why: v.optional(nullable(v.string())),
});

const replaySchema = v.object({
  exact: v.boolean(),
  /** Steps. */
  checked: count,
  passed: count,
  worstRelativeError: numberSchema,
  /** The checks one by one, where a probe makes several. */
  checks: v.optional(v.array(replayCheckSchema)),
  /** Why it does not replay, and the lines that would mend it. */
  reason: nullable(v.string()),
  cure: nullable(v.string()),
});
export type Replay = v.InferOutput<typeof replaySchema>;

/** One thing that is minimised: a loss over a set of parameters. A GAN has two. */
export const objectiveSchema = v.object({
  name: v.string(),
  parameters: v.array(parameterSchema),
  /** Non-trainable tensors that the loss reads (batch-norm averages, a frozen layer, a target net). */
  state: v.array(stateTensorSchema),
  parameterCount: count,
  optimizer: nullable(optimizerSchema),
  /** Where the script takes the step: the innermost frame of the user's own code. */
  callSite: nullable(
    v.object({ file: v.string(), line: v.pipe(v.number(), v.integer()), column: v.number() }),
  ),
  /** Whether the loss goes through a layers model, so that inference mode and predictions exist. */
  layersModel: nullable(v.object({ name: v.string(), layers: count, loss: nullable(v.string()) })),
  /** Outcome of replaying the recorded loss at capture; null until checked. */
  replay: nullable(replaySchema),
});
export type ObjectiveInfo = v.InferOutput<typeof objectiveSchema>;

export const evaluationSplitSchema = v.object({
  samples: count,
  batches: count,
  /** Where they come from, in words for people: "the first 1024 training samples, batches of 128". */
  source: v.string(),
  /** Of validation: how many of them are among the training samples, too, where that was looked for and found. */
  alsoTraining: v.optional(count),
  /** Of validation: whether they are part of what the script trains on cannot be told. */
  mayBeTrained: v.optional(v.boolean()),
});

export const runStateSchema = v.picklist([
  'starting', // the process was launched, no step seen yet
  'training',
  'paused', // a debugger has it stand still inside of training
  'held', // the script is done, the process is kept for questions
  'finished',
  'failed', // the script threw or exited with a code
  'interrupted', // killed, or gone without a word
  'no-training', // ended without a single step
]);
export type RunState = v.InferOutput<typeof runStateSchema>;

/** Whether some process is still going to write the run. */
export function isUnfinished(state: RunState): boolean {
  return ['starting', 'training', 'paused', 'held'].includes(state);
}

/** Whether the run's own process stands still and has nothing to do but answer. */
export function standsStill(state: RunState): boolean {
  return state === 'held' || state === 'paused';
}

/** A moment of a run: after so many updates. */
const momentSchema = v.object({ run: v.string(), step: count });

export const manifestSchema = v.object({
  format: v.literal(RUN_FORMAT),
  id: v.string(),
  name: v.string(),
  state: runStateSchema,
  /** Why it failed or never trained, in words, with its cure when there is one. */
  stateReason: nullable(v.string()),
  created: v.string(),
  updated: v.string(),
  ended: nullable(v.string()),
  /** The launched command line and its working directory. */
  command: v.array(v.string()),
  cwd: v.string(),
  /** Variables that decide what the command means (PATH, the active virtual environment …), for a relaunch. */
  environment: v.optional(v.record(v.string(), v.string())),
  script: nullable(v.string()),
  versions: v.record(v.string(), v.string()),
  gitCommit: nullable(v.string()),
  /** SHA-256 of the script's own files as they were at the first step, by absolute path. */
  sources: v.optional(v.record(v.string(), v.string())),
  /** Where this run's training set out, when it goes on from another run's. */
  parent: v.optional(momentSchema),
  /** The run that this run's process went on to record, from the moment named. */
  successor: v.optional(momentSchema),
  framework: nullable(v.picklist(['tfjs', 'torch'])),
  backend: nullable(v.string()),
  /** Process that writes this run while it lives; startTime tells a reused pid from the same process. */
  process: nullable(
    v.object({ pid: count, startTime: nullable(v.string()), exitCode: nullable(v.number()) }),
  ),
  objectives: v.array(objectiveSchema),
  recording: v.object({
    /** Snapshots are kept at multiples of this many updates (doubles as the run grows), and first and last always. */
    snapshotEvery: count,
    /** Norms and the sketch are recorded every so many steps, chosen so that recording keeps its budget; 1 = every step. */
    weightsEvery: count,
    /** Each parameter's own numbers (layers.bin) are recorded every so many steps, before thinning. */
    layersEvery: v.optional(count),
    /** Share of training's time that measuring beside it may take (live.jsonl, noise.jsonl); 0 = not measured. */
    liveBudget: v.optional(v.number()),
    /** Asked for by the user, or null for the automatic choice. */
    requestedEvery: nullable(count),
    steps: count,
    snapshots: count,
    /** What was dropped to keep budgets, and trouble that did not stop training, in words. */
    notes: v.array(v.string()),
  }),
  evaluationSet: nullable(
    v.object({ train: evaluationSplitSchema, validation: nullable(evaluationSplitSchema) }),
  ),
});
export type RunManifest = v.InferOutput<typeof manifestSchema>;

/** A parameter, or a layer where no parameter is to blame. */
const placeSchema = v.object({ parameter: nullable(v.string()), layer: nullable(v.string()) });
export type Place = v.InferOutput<typeof placeSchema>;

/**
 * Where NaN or Infinity came from, looked up once it was seen. forward: the loss is not finite though all weights are;
 * `first` is the layer whose output is the first that is not. gradient: the gradient that this step's update is made
 * from. weights: those at which this step's loss was taken, and the update before this step has made them so.
 */
export const nonFiniteSchema = v.object({
  what: v.picklist(['forward', 'gradient', 'weights']),
  /** Step in whose loss, gradient or update it began: this record's, or for weights the one before. */
  began: count,
  /** Parameters that are not finite; of forward none. */
  parameters: count,
  /** In the order of the forward pass where the probe knows it, else in that of ObjectiveInfo.parameters, which mostly is the same. */
  first: nullable(placeSchema),
  /** A backward pass goes from the last layer to the first, so what began in it began here. */
  last: nullable(placeSchema),
  /** forward: the operation that gave it first, where that is known. */
  operation: v.optional(nullable(v.string())),
  /** forward: that operation was given it, by the data or a constant. */
  cameIn: v.optional(v.boolean()),
});
export type NonFinite = v.InferOutput<typeof nonFiniteSchema>;

export const stepSchema = v.object({
  /** Updates done before this one, of this objective. */
  step: count,
  /** Index into RunManifest.objectives. */
  objective: count,
  epoch: nullable(count),
  /** Null where it is not known: gradients that came from elsewhere than a loss. NaN is a loss that is not finite. */
  loss: nullable(numberSchema),
  learningRate: nullable(numberSchema),
  /** ‖∇L‖ of this step's batch; null on a step whose weights were not read (see recording.weightsEvery). */
  gradientNorm: nullable(numberSchema),
  /** ‖θ_{k} − θ_{k−1}‖ of the update before this step's loss. */
  updateNorm: nullable(numberSchema),
  /** ‖θ_k − θ_0‖. */
  distance: nullable(numberSchema),
  /** Seconds since the run's first step. */
  time: v.number(),
  /** Samples in the batch, when known. */
  samples: nullable(count),
  /** Only on the first step at which something is not finite (the first again, when it had recovered). */
  nonFinite: v.optional(nonFiniteSchema),
});
export type StepRecord = v.InferOutput<typeof stepSchema>;

/** λ₁ measured while the run trains. */
export const liveSharpnessSchema = v.object({
  step: count,
  objective: count,
  lambda1: numberSchema,
  /** ‖Hv − λv‖/|λ|: an eigenvalue lies within this relative distance. */
  residual: numberSchema,
  products: count,
  samples: count,
  learningRate: nullable(numberSchema),
  /** The largest stable λ for the optimizer, such as 2/η; null when unknown. */
  bound: nullable(numberSchema),
  /** Seconds spent in the training process for this estimate. */
  seconds: v.number(),
  /** Seconds that the run had trained by then, without what all answers took. */
  trained: v.optional(v.number()),
});
export type LiveSharpness = v.InferOutput<typeof liveSharpnessSchema>;

/** The gradient noise scale measured while the run trains (McCandlish et al. 2018), see analysis/noiseScale.ts. */
export const liveNoiseScaleSchema = v.object({
  step: count,
  objective: count,
  /** ‖∇L‖² and tr Σ, unbiased. */
  signal: numberSchema,
  signalStandardError: numberSchema,
  noise: numberSchema,
  noiseStandardError: numberSchema,
  /** tr Σ/‖∇L‖², in samples; null where the signal is not above 0. */
  value: nullable(numberSchema),
  standardError: nullable(numberSchema),
  /** 95 %. */
  interval: v.tuple([numberSchema, numberSchema]),
  batches: count,
  samples: count,
  /** Samples in the batches that the run trains on, when known. */
  batchSize: nullable(count),
  seconds: v.number(),
  trained: v.optional(v.number()),
});
export type LiveNoiseScale = v.InferOutput<typeof liveNoiseScaleSchema>;

/** endpoint.json: how to reach the probe inside a living process of this run. */
export const endpointSchema = v.object({
  /** A unix socket path or a Windows named pipe. */
  socket: v.string(),
  token: v.string(),
  pid: count,
  /** live: training or held; frozen: relaunched for questions. */
  role: v.picklist(['live', 'frozen']),
});
export type Endpoint = v.InferOutput<typeof endpointSchema>;

export const builtModelSchema = v.object({
  id: v.string(),
  kind: v.picklist(['average', 'soup', 'ensemble', 'draw', 'point']),
  name: v.string(),
  created: v.string(),
  objective: count,
  /** What it was made from: snapshots' steps, ids of built models, and `RUN:STEP` or `RUN:MODEL` of other runs. */
  members: v.array(v.union([count, v.string()])),
  /** Whether batch-norm statistics were computed anew for it. */
  refreshedStatistics: v.boolean(),
  /** analyses/<id> that holds its score. */
  analysis: nullable(v.string()),
});
export type BuiltModel = v.InferOutput<typeof builtModelSchema>;

/** A number as JSON can hold it. */
export function encodeNumber(x: number): number | 'NaN' | 'Infinity' | '-Infinity' {
  if (Number.isFinite(x)) return x;
  return Number.isNaN(x) ? 'NaN' : x > 0 ? 'Infinity' : '-Infinity';
}

/** The inverse of {@link encodeNumber}. */
export function decodeNumber(x: v.InferOutput<typeof numberSchema>): number {
  return typeof x === 'number' ? x : Number(x);
}

/** {@link decodeNumber} of one that need not be known; null where it is not. */
export function knownNumber(x: v.InferOutput<typeof numberSchema> | null): number | null {
  return x === null ? null : decodeNumber(x);
}

/** Name of a snapshot's file; the padding keeps directory order and step order the same. */
export function snapshotFile(step: number, objective: number): string {
  return `step-${String(step).padStart(8, '0')}${objective === 0 ? '' : `.${objective}`}.safetensors`;
}

/** The inverse of {@link snapshotFile}; null for any other file name. */
export function parseSnapshotFile(name: string): { step: number; objective: number } | null {
  const m = /^step-(\d{8,})(?:\.(\d+))?\.safetensors$/.exec(name);
  return m?.[1] === undefined ? null : { step: Number(m[1]), objective: Number(m[2] ?? 0) };
}
