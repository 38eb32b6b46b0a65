/** What the layers API knows of a step: the model, its batch, the epoch, how many steps there will be, validation. */
import type { Exports } from './hooks.ts';
import { currentEngine, type LayersModel, type Tensor } from './tf.ts';

/** The layers model's training function around a step. */
export interface LayersContext {
  /** The functional model whose training function runs. */
  readonly model: LayersModel;
  /** What the script calls its model: the Sequential around it, or the same. */
  readonly outer: LayersModel;
  /** Inputs, targets and sample weights of the batch. */
  readonly data: readonly (Tensor | null | undefined)[];
}

export interface LayersHooks {
  /** fit, fitDataset or trainOnBatch was called: the stack is still the script's way to it. */
  entered(model: LayersModel): void;
  /** A training call begins. */
  fitting(call: FitCall): void;
  /** In place of the promise of fitDataset, which ends where training stands still for good. */
  fittingDataset(model: LayersModel, trained: Promise<unknown>): Promise<unknown>;
  /** Validation data passes by, inside of a training call. */
  validating(model: LayersModel, data: readonly Tensor[]): void;
}

export interface FitCall {
  readonly model: LayersModel;
  /** Updates that this call will make; null when the data set does not tell. */
  readonly updates: number | null;
  /** Standardised validation inputs and targets, when they are tensors that live as long as the call. */
  readonly validation: { readonly tensors: readonly Tensor[]; readonly batchSize: number } | null;
  /** What fit trains on, standardised: inputs, targets, sample weights. */
  readonly training: TrainingTensors | null;
  /** What fitDataset trains on. */
  readonly dataset: TrainingDataset | null;
}

/** Tensors that live as long as the call of fit, one row a sample. */
export interface TrainingTensors {
  readonly tensors: readonly (Tensor | null)[];
  readonly batchSize: number;
  readonly shuffle: boolean;
}

/** The data set of a call of fitDataset. */
export interface TrainingDataset {
  /**
   * One epoch of its batches, standardised by the model's own loop: inputs, targets, sample weights, which are valid
   * during the call. Not while the model trains. Stops when `take` says no; throws what the data set throws.
   */
  each(take: (data: readonly (Tensor | null | undefined)[]) => boolean): Promise<void>;
}

/** Inside of the class, as of TensorFlow.js 4. */
interface Inside {
  readonly history?: { readonly epoch: number[] } | null;
  readonly isTraining: boolean;
  /** A Sequential's. */
  readonly model?: LayersModel;
  testFunction?: (data: Tensor[]) => unknown;
  makeTrainFunction(): (data: Tensor[]) => unknown;
  getDedupedMetricsNames(): string[];
}

const inside = (model: LayersModel): Inside => model as unknown as Inside;

type Method = (this: LayersModel, ...args: unknown[]) => unknown;

const patched = new WeakSet<object>();
/** Names of the training function's present context; null outside of one. */
let context: LayersContext | null = null;
const outers = new WeakMap<LayersModel, LayersModel>();
/** Epochs that a model had been trained for before its present call of fit, and the History of that call. */
const epochs = new WeakMap<LayersModel, { base: number; history: { readonly epoch: number[] } }>();

export function layersContext(): LayersContext | null {
  return context;
}

/**
 * Epochs done by the model, over all its calls of fit; null outside of fit.
 * The model's own History has one entry for each epoch that the present call has ended.
 */
export function epochOf(model: LayersModel): number | null {
  const { history, isTraining } = inside(model);
  if (!isTraining || history == null || !Array.isArray(history.epoch)) return null;
  let known = epochs.get(model);
  if (known === undefined) epochs.set(model, (known = { base: 0, history }));
  if (known.history !== history) {
    known.base += known.history.epoch.length;
    known.history = history;
  }
  return known.base + history.epoch.length;
}

export function patchLayers(exports: Exports, hooks: LayersHooks): void {
  const model = (exports.LayersModel as { prototype?: object } | undefined)?.prototype;
  const sequential = (exports.Sequential as { prototype?: object } | undefined)?.prototype;
  if (model !== undefined && !patched.has(model)) patchModel(model, hooks);
  if (sequential !== undefined && !patched.has(sequential)) patchSequential(sequential);
}

function wrap(prototype: object, name: string, make: (original: Method) => Method): void {
  const own = Object.getOwnPropertyDescriptor(prototype, name);
  if (typeof own?.value !== 'function') return;
  Object.defineProperty(prototype, name, { ...own, value: make(own.value as Method) });
}

/** A Sequential trains through a functional model of its own making. */
function patchSequential(prototype: object): void {
  patched.add(prototype);
  for (const name of ['fit', 'fitDataset', 'trainOnBatch']) {
    wrap(prototype, name, (original) => {
      return function (...args) {
        const { model } = inside(this);
        if (model !== undefined) outers.set(model, this);
        return original.apply(this, args);
      };
    });
  }
}

function patchModel(prototype: object, hooks: LayersHooks): void {
  patched.add(prototype);
  for (const name of ['fit', 'trainOnBatch']) {
    wrap(prototype, name, (original) => {
      return function (...args) {
        hooks.entered(this);
        return original.apply(this, args);
      };
    });
  }
  wrap(prototype, 'fitDataset', (original) => {
    return function (...args) {
      hooks.entered(this);
      hooks.fitting({
        model: this,
        updates: datasetUpdates(args[0], args[1]),
        validation: null,
        training: null,
        dataset: { each: (take) => goThrough(this, original, args, take) },
      });
      return hooks.fittingDataset(this, original.apply(this, args) as Promise<unknown>);
    };
  });
  // fit's own loop has everything standardised: validationSplit cut off, names resolved, shapes completed.
  wrap(prototype, 'fitLoop', (original) => {
    return function (...args) {
      const [, ins, , batchSize, epochCount, , , , validation, shuffle, , firstEpoch] = args;
      const samples = (ins as (Tensor | null)[])[0]?.shape[0];
      const size = typeof batchSize === 'number' ? batchSize : 32;
      const runs =
        (typeof epochCount === 'number' ? epochCount : 1) - (typeof firstEpoch === 'number' ? firstEpoch : 0);
      const tensors = Array.isArray(validation) ? (validation as Tensor[]) : [];
      hooks.fitting({
        model: this,
        updates: samples === undefined ? null : Math.ceil(samples / size) * runs,
        validation: tensors.length === 0 ? null : { tensors, batchSize: size },
        training: {
          tensors: ins as (Tensor | null)[],
          batchSize: size,
          shuffle: shuffle !== false,
        },
        dataset: null,
      });
      return original.apply(this, args);
    };
  });
  wrap(prototype, 'makeTrainFunction', (original) => {
    return function (...args) {
      const train = original.apply(this, args) as (data: Tensor[]) => unknown;
      return (data: Tensor[]) => {
        const outside = context;
        context = { model: this, outer: outers.get(this) ?? this, data };
        try {
          return train(data);
        } finally {
          context = outside;
        }
      };
    };
  });
  wrap(prototype, 'makeTestFunction', (original) => {
    return function (...args) {
      const result = original.apply(this, args);
      const model = inside(this);
      const test = model.testFunction;
      if (typeof test === 'function' && model.isTraining) {
        const seen = (data: Tensor[]): unknown => {
          hooks.validating(this, data);
          return test.call(this, data);
        };
        model.testFunction = seen;
        return result === test ? seen : result;
      }
      return result;
    };
  });
}

/** Thrown by a training function that has seen enough. */
class Enough extends Error {}

/** Lets the model's own fitDataset run an epoch whose training function only looks. */
async function goThrough(
  model: LayersModel,
  fitDataset: Method,
  [dataset, options]: readonly unknown[],
  take: (data: readonly Tensor[]) => boolean,
): Promise<void> {
  const { initialEpoch = 0, ...rest } = (options ?? {}) as { initialEpoch?: number };
  const quiet = { initialEpoch, epochs: initialEpoch + 1, verbose: 0, yieldEvery: 'never' };
  const logs = inside(model).getDedupedMetricsNames();
  const look = (data: Tensor[]): unknown => {
    if (!take(data)) throw new Enough();
    return logs.map(() => currentEngine()?.makeTensor(new Float32Array(1), [], 'float32'));
  };
  Object.defineProperty(model, 'makeTrainFunction', { configurable: true, value: () => look });
  try {
    await fitDataset.call(model, dataset, {
      ...rest,
      ...quiet,
      callbacks: undefined,
      validationData: undefined,
    });
  } catch (error) {
    if (!(error instanceof Enough)) throw error;
  } finally {
    Reflect.deleteProperty(model, 'makeTrainFunction');
  }
}

function datasetUpdates(dataset: unknown, options: unknown): number | null {
  const {
    epochs: runs,
    batchesPerEpoch,
    initialEpoch,
  } = (options ?? {}) as {
    epochs?: number;
    batchesPerEpoch?: number;
    initialEpoch?: number;
  };
  const batches = batchesPerEpoch ?? (dataset as { size?: number } | null)?.size;
  if (typeof runs !== 'number' || typeof batches !== 'number' || !Number.isFinite(batches)) return null;
  return batches * (runs - (initialEpoch ?? 0));
}
