/**
 * The loss of one training step as something that can be evaluated again: the script's own closure, and what it reads.
 *
 * `fit`, `fitDataset`, `trainOnBatch`, `minimize` and hand-written loops all end in `engine.gradients(f, variables, …)`,
 * so the closure `f` of one step stands for the objective. It reads parameters and state (Variables) and leaves
 * (tensors made outside of it: the batch). To evaluate other weights or other data these objects are pointed at other
 * data while it runs (see replay.ts), so JavaScript inside of it that looks at `x.shape` sees what it should.
 */
import { recordDraws } from './draws.ts';
import { hookApply, isContainer, noteLayerClass, type Layer } from './layers.ts';
import {
  isTensor,
  isVariable,
  ofDtype,
  type DataType,
  type Engine,
  type KernelInvocation,
  type LayersModel,
  type Tensor,
  type TypedArray,
  type Variable,
} from './tf.ts';

/** A tensor in the computer's memory; leaves that are the same in every batch are the same object. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly dtype: DataType;
  readonly values: TypedArray;
}

/** What a leaf is to the layers model, when the closure is that of `fit`, `fitDataset` or `trainOnBatch`. */
export type LeafRole =
  | {
      readonly kind: 'input' | 'target' | 'sampleWeight';
      /** Of the model's inputs or outputs. */ readonly index: number;
    }
  | { readonly kind: 'other' };

/** One batch of the evaluation set: values for the leaves of a {@link Capture}, in its order. */
export interface Batch {
  /** null stands for sample weights of one. */
  readonly leaves: readonly (HostTensor | null)[];
  readonly samples: number;
  /** Update whose loss was computed on it; −1 for validation data. */
  readonly step: number;
  /** The recorded loss; null for validation data. */
  readonly loss: number | null;
  /** Draws of Math.random that the closure took. */
  readonly draws: readonly number[];
  /** Of the noise of a batch that was never recorded: where its draws of Math.random come from instead. */
  readonly noiseSeed?: number;
}

/** The objective of a training process, ready to be evaluated again. Valid as long as the process lives. */
export interface Capture {
  readonly engine: Engine;
  /** The closure of one step, as it was given to engine.gradients. */
  readonly f: () => Tensor;
  /** Parameters: the variables that get a gradient, in the order of ObjectiveInfo.parameters. */
  readonly variables: readonly Variable[];
  /** Variables that the closure reads or writes and that get no gradient (batch-norm averages, a target net). */
  readonly state: readonly Variable[];
  /** Tensors that the closure read and did not make, as the very objects, in order of first use. */
  readonly leaves: readonly Tensor[];
  /** As long as leaves. */
  readonly roles: readonly LeafRole[];
  /** The model whose training function made the closure, or the only one that the closure applies, however often. */
  readonly model: LayersModel | null;
  /** Whether the model's own training function made the closure: then its losses and targets are known. */
  readonly layersLoss: boolean;
  /** Whether the loss comes from exactly one output of that model, so that predictions can be seen and replaced. */
  readonly predicts: boolean;
  /** Every layer that the closure applies, models and the layers inside of them alike. */
  readonly layers: readonly Layer[];
  /** Samples in the captured batch: the leading size that its leaves share; null when they share none. */
  readonly samples: number | null;
}

/** What one watched call of the loss closure showed. */
export interface Observation {
  /** Variables read, parameters among them. */
  readonly variables: readonly Variable[];
  readonly leaves: readonly Tensor[];
  readonly draws: readonly number[];
  /** Every layer that was applied. */
  readonly layers: readonly Layer[];
  /** Models that were applied by the closure itself, once for each time. */
  readonly models: readonly LayersModel[];
}

/**
 * Makes the real `engine.gradients` call and watches which tensors its closure reads and which draws it takes.
 * Watching costs some microseconds a kernel, so it is meant for the steps whose batch is recorded. Nothing is run
 * twice. Leaves may be disposed by the script right after the step: read them ({@link readLeaf}) before it goes on.
 *
 * Layers are seen when their class is known ({@link noteLayerClass}).
 *
 * @param f the closure that `call` passes to engine.gradients: `call` is given its watched version
 */
export function observeStep<T>(
  engine: Engine,
  f: () => Tensor,
  call: (watched: () => Tensor) => T,
): { readonly result: T; readonly observation: Observation } {
  const leaves = new Set<Tensor>();
  const variables = new Set<Variable>();
  const layers = new Set<Layer>();
  const models: LayersModel[] = [];
  let draws: number[] = [];
  const watched = (): Tensor => {
    // Tensor ids count up, so a smaller one was made before the closure ran.
    const first = engine.nextTensorId();
    const see = (x: unknown): void => {
      if (!isTensor(x) || x.id >= first) return;
      if (isVariable(x)) variables.add(x);
      else leaves.add(x);
    };
    const own = Object.getOwnPropertyDescriptor(engine, 'runKernelFunc');
    const run = engine.runKernelFunc;
    engine.runKernelFunc = function (this: Engine, invocation: KernelInvocation) {
      for (const x of Object.values(invocation.inputs)) {
        if (Array.isArray(x)) x.forEach(see);
        else see(x);
      }
      return run.call(this, invocation);
    };
    const unhook = hookApply({
      before(layer, depth, kwargs) {
        layers.add(layer);
        if (depth === 0 && isContainer(layer)) models.push(layer as unknown as LayersModel);
        return kwargs;
      },
    });
    try {
      const recorded = recordDraws(f);
      draws = recorded.draws;
      see(recorded.result);
      return recorded.result;
    } finally {
      unhook();
      if (own === undefined) delete (engine as Partial<Engine>).runKernelFunc;
      else Object.defineProperty(engine, 'runKernelFunc', own);
    }
  };
  const result = call(watched);
  return {
    result,
    observation: { variables: [...variables], leaves: [...leaves], draws, layers: [...layers], models },
  };
}

/**
 * Puts a capture together after an observed step.
 *
 * @param variables those of the observed call that got a gradient, in the order of parameters
 * @param context the layers model in whose training function the step happened, with the tensors it was fed
 *   (inputs, targets, sample weights, as makeTrainFunction's closure gets them), when known
 */
export function createCapture(
  engine: Engine,
  f: () => Tensor,
  variables: readonly Variable[],
  observation: Observation,
  context: { readonly model: LayersModel; readonly data: readonly (Tensor | null | undefined)[] } | null,
): Capture {
  const gradient = new Set<Variable>(variables);
  const [applied = null, ...others] = new Set(observation.models);
  const model = context?.model ?? (others.length === 0 ? applied : null);
  if (model !== null) noteLayerClass(model);
  const inputs = context?.model.inputs.length ?? 0;
  const outputs = context?.model.outputs.length ?? 0;
  const roles = observation.leaves.map((leaf): LeafRole => {
    const i = context?.data.indexOf(leaf) ?? -1;
    if (i < 0) return { kind: 'other' };
    if (i < inputs) return { kind: 'input', index: i };
    if (i < inputs + outputs) return { kind: 'target', index: i - inputs };
    return { kind: 'sampleWeight', index: i - inputs - outputs };
  });
  const stateOfModel = model?.nonTrainableWeights.map((w) => w.read() as Variable) ?? [];
  const state = new Set([...stateOfModel, ...observation.variables].filter((v) => !gradient.has(v)));
  return {
    engine,
    f,
    variables,
    state: [...state],
    leaves: observation.leaves,
    roles,
    model,
    layersLoss: context !== null,
    predicts: context !== null || observation.models.length === 1,
    layers: observation.layers,
    samples: sharedSamples(observation.leaves, roles),
  };
}

/** The batch size: the leading size of model inputs, or else the one that most leaves with rank ≥ 1 share. */
function sharedSamples(leaves: readonly Tensor[], roles: readonly LeafRole[]): number | null {
  const inputs = leaves.filter((_, i) => roles[i]?.kind === 'input');
  const candidates = (inputs.length > 0 ? inputs : leaves).filter((t) => t.shape.length > 0);
  const votes = new Map</* leading size */ number, number>();
  for (const { shape } of candidates) {
    const [size = 0] = shape as readonly number[];
    votes.set(size, (votes.get(size) ?? 0) + 1);
  }
  let best: number | null = null;
  for (const [size, n] of votes) if (best === null || n > (votes.get(best) ?? 0)) best = size;
  return best;
}

/** Copies a leaf out of the backend; call it before the script disposes the batch. */
export function readLeaf(engine: Engine, leaf: Tensor): HostTensor {
  const info = engine.state.tensorInfo.get(leaf.dataId);
  const values = (info?.backend ?? engine.backend).readSync(leaf.dataId);
  return { shape: [...leaf.shape], dtype: leaf.dtype, values: ofDtype(values, leaf.dtype).slice() };
}
