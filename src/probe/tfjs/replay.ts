/**
 * Running a captured loss closure again at other weights and on other data, without a trace in the process.
 *
 * Nothing is assigned: for the time of a {@link Session} the script's own Tensor and Variable objects are pointed at
 * other data, and pointed back at the end, whatever happens. Training's storage is never written.
 */
import { BasinError } from '../../protocol/errors.ts';
import type { EvaluationMode } from '../../protocol/evaluator.ts';
import type { Batch, Capture, HostTensor } from './capture.ts';
import { replayDraws } from './draws.ts';
import { installKernels } from './kernels/install.ts';
import { guardLayerState, type LayerStateGuard } from './layerState.ts';
import { compiled, hookApply, type Layer, type LossFunction } from './layers.ts';
import * as ops from './ops.ts';
import {
  isTensor,
  type DataId,
  type Engine,
  type MutableTensor,
  type Tensor,
  type TypedArray,
  type Variable,
} from './tf.ts';

/** One loss of a layers model inside of its closure: what it was given, and its values before they are averaged. */
export interface LossCall {
  readonly output: number;
  readonly target: Tensor;
  readonly prediction: Tensor;
  readonly loss: Tensor;
}

/** How the closure runs; reset between requests by making a new session. */
export interface Behaviour {
  /** inference overrides `training` with false in every layer; as-trained leaves the script's own choice. */
  mode: EvaluationMode;
  /** Put in place of the model's predictions (one for each output), for ensembles. */
  predictions: readonly Tensor[] | null;
  /** Note where an evaluation leaves the state. */
  keepState: boolean;
}

const fields = ['dataId', 'shape', 'size', 'strides', 'dtype', 'rankType', 'isDisposedInternal'] as const;
type Fields = Pick<MutableTensor, (typeof fields)[number]>;

const mutable = (t: Tensor): MutableTensor => t as unknown as MutableTensor;

function fieldsOf(t: Tensor): Fields {
  const m = mutable(t);
  return Object.fromEntries(fields.map((k) => [k, m[k]])) as unknown as Fields;
}

/**
 * A time of evaluation. Made by {@link withSession}; its tensors live until its end.
 */
export class Session {
  readonly behaviour: Behaviour = { mode: 'as-trained', predictions: null, keepState: false };
  /** Loss calls of the evaluation that runs now (layers models' own losses only). */
  readonly lossCalls: LossCall[] = [];
  /** The state that the last evaluation has left, when it was to be kept and has moved. */
  movedState: TypedArray[] | null = null;
  /** Outputs of the one root model that a hand-written closure applied, in this evaluation. */
  readonly modelOutputs: Tensor[][] = [];

  private readonly engine: Engine;
  private layerState: LayerStateGuard | null = null;
  private readonly undo: (() => void)[] = [];
  /** Where each variable of the process must point before every evaluation. */
  private readonly expected = new Map<Variable, DataId>();
  private readonly uploads = new Map<HostTensor, Tensor>();
  private readonly held: Tensor[] = [];

  constructor(readonly capture: Capture) {
    this.engine = capture.engine;
    try {
      this.enter();
    } catch (error) {
      this.leave();
      throw error;
    }
  }

  private enter(): void {
    const { engine, capture } = this;
    if (engine.state.gradientDepth !== 0 || engine.state.kernelDepth !== 0) {
      throw new BasinError('busy', 'Training is in the middle of a step.');
    }
    this.undo.push(muteOutput());
    this.undo.push(installKernels(engine));
    const variables = new Set([
      ...Object.values(engine.registeredVariables),
      ...capture.variables,
      ...capture.state,
    ]);
    for (const v of variables) this.guardVariable(v);
    for (const leaf of capture.leaves) this.guardLeaf(leaf);
    this.hookLayers();
    const guard = guardLayerState(capture.layers);
    this.layerState = guard;
    this.undo.push(() => {
      guard.leave();
    });
    this.keepTrackOfKept();
  }

  /** Undoes everything, newest first. A failure of one part must not keep the others from being undone. */
  leave(): void {
    const failures: unknown[] = [];
    const attempt = (u: () => void): void => {
      try {
        u();
      } catch (error) {
        failures.push(error);
      }
    };
    for (const t of this.held) {
      attempt(() => {
        t.dispose();
      });
    }
    for (const u of this.undo.reverse()) attempt(u);
    this.undo.length = 0;
    this.held.length = 0;
    if (failures.length > 0) throw new Error('Evaluation could not be undone.', { cause: failures[0] });
  }

  /** Drops a reference to data without touching the engine's count of tensors, which belong to the script. */
  private release(dataId: DataId): void {
    const info = this.engine.state.tensorInfo.get(dataId);
    if (info?.backend.disposeData(dataId) === true) this.engine.removeDataId(dataId, info.backend);
  }

  private retain(dataId: DataId): void {
    this.engine.state.tensorInfo.get(dataId)?.backend.incRef(dataId);
  }

  private guardVariable(v: Variable): void {
    const m = mutable(v);
    const { dataId, isDisposedInternal } = m;
    // This reference keeps the weights alive while the variable points elsewhere.
    this.retain(dataId);
    this.expected.set(v, dataId);
    m.isDisposedInternal = false;
    this.undo.push(() => {
      this.point(v, dataId);
      this.release(dataId);
      m.isDisposedInternal = isDisposedInternal;
    });
  }

  /** Points a variable at other data. It owns one reference to whatever it points at, as variables do. */
  private point(v: Variable, dataId: DataId): void {
    const m = mutable(v);
    if (m.dataId === dataId) return;
    this.retain(dataId);
    this.release(m.dataId);
    m.dataId = dataId;
  }

  private guardLeaf(leaf: Tensor): void {
    const before = fieldsOf(leaf);
    const own = Object.getOwnPropertyDescriptor(leaf, 'dispose');
    // A closure that cleans up after itself must not free data that it does not own here.
    leaf.dispose = () => undefined;
    this.undo.push(() => {
      Object.assign(leaf, before);
      if (own === undefined) delete (leaf as Partial<Tensor>).dispose;
      else Object.defineProperty(leaf, 'dispose', own);
    });
  }

  private hookLayers(): void {
    const { capture, behaviour } = this;
    const root = capture.layersLoss ? null : (capture.model as unknown as Layer | null);
    this.undo.push(
      hookApply({
        before: (_layer, _depth, kwargs) =>
          behaviour.mode === 'inference' ? { ...kwargs, training: false } : kwargs,
        after: (layer, depth, output) => {
          if (depth !== 0 || layer !== root) return output;
          const outputs = [output].flat().filter(isTensor);
          this.modelOutputs.push(outputs);
          if (behaviour.predictions === null) return output;
          return Array.isArray(output) ? [...behaviour.predictions] : behaviour.predictions[0];
        },
      }),
    );
    if (!capture.layersLoss || capture.model === null) return;
    const model = compiled(capture.model);
    const { metricsTensors, lossFunctions } = model;
    // Metrics would be kept tensors in the training function's own results, and cost time.
    model.metricsTensors = [];
    model.lossFunctions = lossFunctions.map((lossFunction, output): LossFunction => {
      return (target, given) => {
        const prediction = behaviour.predictions?.[output] ?? given;
        const loss = lossFunction(target, prediction);
        this.lossCalls.push({ output, target, prediction, loss });
        return loss;
      };
    });
    this.undo.push(() => {
      model.metricsTensors = metricsTensors;
      model.lossFunctions = lossFunctions;
    });
  }

  private kept: Tensor[] = [];
  /** Tensors that the closure marks with tf.keep would outlive it. */
  private keepTrackOfKept(): void {
    const { engine } = this;
    const own = Object.getOwnPropertyDescriptor(engine, 'keep');
    const keep = engine.keep;
    engine.keep = (t) => {
      this.kept.push(t);
      return keep.call(engine, t) as typeof t;
    };
    this.undo.push(() => {
      if (own === undefined) delete (engine as Partial<Engine>).keep;
      else Object.defineProperty(engine, 'keep', own);
    });
  }

  /** A tensor that lives until the end of the session, or until {@link free}. */
  hold(make: () => Tensor): Tensor {
    const t = this.engine.tidy('basin', make);
    // Outer scopes of the script must not dispose it.
    t.kept = true;
    this.held.push(t);
    return t;
  }

  free(tensors: readonly Tensor[]): void {
    const gone = new Set(tensors);
    for (const t of gone) t.dispose();
    for (let i = this.held.length - 1, left = gone.size; i >= 0 && left > 0; i--) {
      const t = this.held[i];
      if (t !== undefined && gone.has(t)) {
        this.held.splice(i, 1);
        left--;
      }
    }
  }

  private upload(host: HostTensor): Tensor {
    let t = this.uploads.get(host);
    if (t === undefined) {
      t = this.hold(() => ops.tensor(host.values, host.shape, host.dtype));
      this.uploads.set(host, t);
    }
    return t;
  }

  /** A flat parameter vector as one tensor a variable; the caller must not change `values` during the session. */
  parameters(values: Float32Array): Tensor[] {
    let offset = 0;
    return this.capture.variables.map((v) => {
      const part = values.subarray(offset, (offset += v.size));
      return this.hold(() => ops.tensor(part, v.shape));
    });
  }

  /** Weights for the evaluations that follow. Must stay alive as long. */
  setParameters(tensors: readonly Tensor[]): void {
    this.capture.variables.forEach((v, i) => {
      const t = tensors[i];
      if (t !== undefined) this.expect(v, t.dataId);
    });
  }

  /** State tensors (in the order of capture.state) for the evaluations that follow; null leaves the script's. */
  setState(state: readonly TypedArray[] | null): void {
    if (state === null) return;
    this.capture.state.forEach((v, i) => {
      const values = state[i];
      if (values !== undefined) this.setVariable(v, values);
    });
  }

  setVariable(v: Variable, values: TypedArray): Tensor {
    const t = this.hold(() => ops.tensor(values, v.shape, v.dtype));
    this.expect(v, t.dataId);
    return t;
  }

  private expect(v: Variable, dataId: DataId): void {
    this.expected.set(v, dataId);
    this.point(v, dataId);
  }

  /** Points the closure's leaves at a batch. */
  private setBatch(batch: Batch): void {
    this.capture.leaves.forEach((leaf, i) => {
      const host = batch.leaves[i] ?? this.unitWeights(batch.samples);
      const t = this.upload(host);
      Object.assign(leaf, fieldsOf(t));
    });
  }

  private readonly units = new Map</* samples */ number, HostTensor>();
  private unitWeights(samples: number): HostTensor {
    let host = this.units.get(samples);
    if (host === undefined) {
      host = { shape: [samples], dtype: 'float32', values: new Float32Array(samples).fill(1) };
      this.units.set(samples, host);
    }
    return host;
  }

  /**
   * Runs the closure on a batch and hands its value (a scalar tensor) to `read`; all tensors are gone afterwards.
   * @param around how to run the closure: directly when only its value is wanted, or inside of engine.gradients
   */
  run(batch: Batch, around: (f: () => Tensor) => void): void {
    const { engine } = this;
    this.setBatch(batch);
    this.lossCalls.length = 0;
    this.modelOutputs.length = 0;
    this.kept = [];
    if (batch.noiseSeed !== undefined) this.layerState?.shift(batch.noiseSeed);
    try {
      replayDraws(
        batch.draws,
        () => {
          engine.tidy('basin', () => {
            around(this.capture.f);
          });
        },
        batch.noiseSeed,
      );
      if (this.behaviour.keepState) this.noteState();
    } finally {
      for (const t of this.kept) if (!t.isDisposed) t.dispose();
      this.kept = [];
      this.lossCalls.length = 0;
      this.modelOutputs.length = 0;
      this.layerState?.reset();
      // The closure may have moved averages and counters; the next evaluation starts where this one did.
      for (const [v, dataId] of this.expected) this.point(v, dataId);
    }
  }

  private noteState(): void {
    const { state } = this.capture;
    if (state.every((v) => v.dataId === this.expected.get(v))) return;
    this.movedState = state.map((v) => v.dataSync<'float32' | 'int32' | 'bool'>().slice());
  }

  /** The closure's value on a batch. */
  loss(batch: Batch, inspect?: (value: number) => void): number {
    let value = NaN;
    this.run(batch, (f) => {
      value = f().dataSync()[0] ?? NaN;
      inspect?.(value);
    });
    return value;
  }
}

/**
 * Runs `body` with the process prepared for evaluation, and undoes everything after it.
 * @throws BasinError `busy` inside of a gradient computation
 */
export function withSession<T>(capture: Capture, body: (session: Session) => T): T {
  const session = new Session(capture);
  try {
    return body(session);
  } finally {
    session.leave();
  }
}

/** The loss of a recorded batch at the present weights, as trained: must equal the recorded loss. */
export function replay(capture: Capture, batch: Batch): number {
  return withSession(capture, (session) => session.loss(batch));
}

/** A closure that prints would print at every evaluation. */
function muteOutput(): () => void {
  const undo = [process.stdout, process.stderr].map((stream) => {
    const own = Object.getOwnPropertyDescriptor(stream, 'write');
    stream.write = (...args: unknown[]): boolean => {
      const done = args.find((a) => typeof a === 'function') as (() => void) | undefined;
      if (done !== undefined) process.nextTick(done);
      return true;
    };
    return () => {
      if (own === undefined) delete (stream as Partial<NodeJS.WriteStream>).write;
      else Object.defineProperty(stream, 'write', own);
    };
  });
  return () => undo.forEach((u) => u());
}
