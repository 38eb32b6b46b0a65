/** Real TensorFlow.js scripts, recorded in process: what the hooks of the probe do, in the fewest lines. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type * as tfjs from '@tensorflow/tfjs';
import {
  createCapture,
  observeStep,
  readLeaf,
  type Batch,
  type Capture,
} from '../../../src/probe/tfjs/capture.ts';
import { frozenControl } from '../../../src/probe/tfjs/frozenObjective.ts';
import { createSession, type EvaluatorHost, type Handlers } from '../../../src/probe/tfjs/handlers.ts';
import { installKernels } from '../../../src/probe/tfjs/kernels/install.ts';
import { noteLayerClass } from '../../../src/probe/tfjs/layers.ts';
import { describeParameters } from '../../../src/probe/tfjs/layout.ts';
import { TrainingData, type FitTensors } from '../../../src/probe/tfjs/trainingData.ts';
import { currentEngine, type Engine, type Tensor, type Variable } from '../../../src/probe/tfjs/tf.ts';
import type { EvaluatorMethod, EvaluatorRequests } from '../../../src/protocol/evaluator.ts';
import type { ObjectiveInfo } from '../../../src/protocol/run.ts';

const require = createRequire(import.meta.url);
export type Tf = typeof tfjs;
export type BackendName = 'tensorflow' | 'wasm' | 'cpu';

/** Loads TensorFlow.js with the wanted backend; all of them live in one process and share one engine. */
export async function load(backend: BackendName): Promise<Tf> {
  process.env.TF_CPP_MIN_LOG_LEVEL = '3';
  const tf = require('@tensorflow/tfjs') as Tf;
  if (backend === 'tensorflow') require('@tensorflow/tfjs-node');
  if (backend === 'wasm') {
    const wasm = require('@tensorflow/tfjs-backend-wasm') as typeof import('@tensorflow/tfjs-backend-wasm');
    wasm.setWasmPaths(`${dirname(require.resolve('@tensorflow/tfjs-backend-wasm'))}/`);
  }
  await tf.setBackend(backend);
  noteLayerClass(tf.layers.dense({ units: 1 }));
  return tf;
}

export function engine(): Engine {
  const e = currentEngine();
  if (e === null) throw new Error('no engine');
  return e;
}

export interface Recording {
  readonly capture: Capture;
  readonly train: Batch[];
  readonly validation: Batch[] | null;
  /** What the recorder of a run sees when it is applied. */
  readonly optimizer?: object;
  /** What fit was given. */
  readonly fit?: FitTensors;
}

/** Records the first `steps` optimizer steps of a script, and stops looking. */
export async function record(script: () => unknown, steps = Infinity): Promise<Recording> {
  const e = engine();
  const gradients = e.gradients;
  const prototype = layersModelPrototype();
  const makeTrainFunction = prototype.makeTrainFunction;
  const state: { context: { model: tfjs.LayersModel; data: Tensor[] } | null; capture: Capture | null } = {
    context: null,
    capture: null,
  };
  const train: Batch[] = [];
  prototype.makeTrainFunction = function (this: tfjs.LayersModel) {
    const train = makeTrainFunction.call(this);
    return (data: Tensor[]) => {
      state.context = { model: this, data };
      try {
        return train(data);
      } finally {
        state.context = null;
      }
    };
  };
  e.gradients = function (f, xs, dy, allowNoGradients) {
    if (!allowNoGradients || train.length >= steps) return gradients.call(e, f, xs, dy, allowNoGradients);
    const { result, observation } = observeStep(e, f, (watched) => gradients.call(e, watched, xs, dy, true));
    const variables = xs.filter((_, i) => result.grads[i] != null) as Variable[];
    state.capture ??= createCapture(e, f, variables, observation, state.context);
    const leaves = observation.leaves.map((leaf) => readLeaf(e, leaf));
    const inputs = state.context?.data[0];
    const samples = inputs?.shape[0] ?? leaves.find((l) => l.shape.length > 1)?.shape[0] ?? 1;
    train.push({
      leaves,
      samples,
      step: train.length,
      loss: result.value.dataSync()[0] ?? NaN,
      draws: observation.draws,
    });
    return result;
  };
  try {
    await script();
  } finally {
    e.gradients = gradients;
    delete (e as Partial<Engine>).gradients;
    prototype.makeTrainFunction = makeTrainFunction;
  }
  if (state.capture === null) throw new Error('the script took no step');
  return { capture: state.capture, train, validation: null };
}

interface TrainFunctions {
  makeTrainFunction(this: tfjs.LayersModel): (data: Tensor[]) => unknown;
}
function layersModelPrototype(): TrainFunctions {
  const { LayersModel } = require('@tensorflow/tfjs') as Tf;
  return LayersModel.prototype as unknown as TrainFunctions;
}

export function objectiveOf(capture: Capture): ObjectiveInfo {
  const parameters = describeParameters(capture.variables, capture.model);
  return {
    name: 'loss',
    parameters,
    state: capture.state.map((v) => ({ name: v.name, shape: [...v.shape], dtype: v.dtype })),
    parameterCount: capture.variables.reduce((n, v) => n + v.size, 0),
    optimizer: null,
    callSite: null,
    layersModel: null,
    replay: null,
  };
}

export interface Client {
  readonly handlers: Handlers;
  ask<M extends EvaluatorMethod>(
    method: M,
    params: EvaluatorRequests[M]['params'],
  ): EvaluatorRequests[M]['result'];
  /** A vector's values, read back through a file. */
  values(name: string): Float32Array;
  dispose(): void;
}

/** The evaluator over a recording, asked without a wire. */
export function serve(
  recording: Recording,
  directory?: string,
  cancelled: () => boolean = () => false,
): Client {
  const { capture } = recording;
  let training: TrainingData | null = null;
  const host: EvaluatorHost = {
    capture,
    objective: objectiveOf(capture),
    objectiveIndex: 0,
    role: 'frozen',
    versions: {},
    data: (split) => recording[split],
    status: () => ({
      state: 'frozen',
      step: 0,
      learningRate: null,
      optimizer: null,
      answeringSeconds: 0,
      seconds: 0,
      driver: null,
    }),
    optimizer: () => recording.optimizer ?? null,
    trainingData: () => (training ??= new TrainingData(capture, recording.train, recording.fit)),
    resume: () => undefined,
    training: frozenControl(),
  };
  const { handlers, dispose } = createSession(host);
  const ask: Client['ask'] = (method, params) =>
    handlers[method](params, { cancelled, connectionSeconds: () => 0 });
  return {
    handlers,
    ask,
    dispose,
    values: (name) => {
      // e_i·v through the wire's own reductions would be slow: read the file that save writes.
      if (directory === undefined) throw new Error('give a directory to read vectors back');
      const file = `${directory}/${name.replace(/\W/g, '_')}.safetensors`;
      ask('save', { vector: name, file, metadata: {} });
      return readParameters(file, host.objective);
    },
  };
}

import { VectorFile } from '../../../src/probe/tfjs/vectorFile.ts';
function readParameters(file: string, objective: ObjectiveInfo): Float32Array {
  const f = VectorFile.open(file, objective);
  try {
    return f.values();
  } finally {
    f.close();
  }
}

/** Deterministic numbers in (−½, ½): the minimal standard generator (Park & Miller 1988). */
export function numbers(n: number, seed = 1): Float32Array {
  let s = seed * 7919 + 1;
  return Float32Array.from({ length: n }, () => (s = (s * 16807) % 2147483647) / 2147483647 - 0.5);
}

export function relative(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0;
  let size = 0;
  for (let i = 0; i < b.length; i++) {
    difference += ((a[i] ?? NaN) - (b[i] ?? NaN)) ** 2;
    size += (b[i] ?? 0) ** 2;
  }
  return Math.sqrt(difference / size);
}

/** Sets every weight of a model from the deterministic numbers, so that backends can be compared. */
export function setWeights(tf: Tf, model: tfjs.Sequential, scale = 1): void {
  model.setWeights(
    model.weights.map((w, i) => {
      const size = w.shape.reduce((a: number, b) => a * (b ?? 1), 1);
      const values = numbers(size, 40 + i).map((x) => (w.name.includes('variance') ? 1 + x : scale * x));
      return tf.tensor(values, w.shape as number[]);
    }),
  );
}

/** Records a script as the probe does, with the kernels that give second derivatives, and opens the evaluator over it. */
export async function recordAndServe(script: () => unknown, directory: string): Promise<Client> {
  const undo = installKernels(engine());
  let recording: Recording;
  try {
    recording = await record(script);
  } finally {
    undo();
  }
  return serve(recording, directory);
}

/** A folder that lasts as long as the file's tests: its path, once they run. */
export function scratchDirectory(): () => string {
  let directory = '';
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'basin-'));
  });
  after(() => {
    rmSync(directory, { recursive: true });
  });
  return () => directory;
}

/** How the tests evaluate. */
export const asTrained = { data: { split: 'train' as const }, mode: 'as-trained' as const, refresh: false };
export const inference = { ...asTrained, mode: 'inference' as const };
