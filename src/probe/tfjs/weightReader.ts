/**
 * Reading weights and their norms where they lie: on tfjs-node by operations on the backend's own handles, on wasm by
 * looking into the heap, elsewhere through readSync. Nothing here makes an engine tensor, so tf.memory() and the
 * script's tidy scopes never notice.
 */
import { ofDtype, type Backend, type DataId, type Engine, type Tensor, type TypedArray } from './tf.ts';

/** Values of tensors as they were at one moment. Belongs to the reader that made it. */
export type Held = readonly unknown[] & { readonly heldBy: WeightReader };

/** Where the coordinates of a sketch lie: for each tensor its flat indices, for the tensors that have any. */
export interface Coordinates {
  readonly count: number;
  readonly parts: readonly { readonly tensor: number; readonly indices: Int32Array }[];
}

export interface WeightReader {
  readonly backend: Backend;
  /** Keeps the present values until {@link release}; `reuse` is a holding that is no longer needed. */
  hold(tensors: readonly Tensor[], reuse?: Held | null): Held;
  release(held: Held): void;
  /** Σ x² of each tensor; 0 for null entries. Sums within a tensor may be single precision. */
  squaredNorms(tensors: readonly (Tensor | null | undefined)[]): number[];
  /** Σ h² of each. */
  squaredNormsHeld(held: Held): number[];
  /** Σ (x − h)² of each. */
  squaredDistances(tensors: readonly Tensor[], held: Held): number[];
  /** Of each index along an axis whether all values there are exactly zero. */
  zeros(tensor: Tensor, axis: number): boolean[];
  /** Whether a tensor has no NaN and no infinite value. Reads all of it. */
  finite(tensor: Tensor): boolean;
  /** Values at the coordinates, in their order. */
  gather(tensors: readonly Tensor[], coordinates: Coordinates): Float32Array;
}

/** A copy of a tensor's values that nobody else holds, so that it can be transferred to another thread. */
export function copyValues(engine: Engine, tensor: Tensor): TypedArray {
  const backend = backendOf(engine, tensor);
  const values = ofDtype(backend.readSync(tensor.dataId), tensor.dtype);
  if (isWasm(backend)) return values;
  // tfjs-node hands out a fresh copy, unless the values have not been given to TensorFlow yet.
  const fresh = isNode(backend) && backend.tensorMap.get(tensor.dataId).values !== values;
  return fresh ? values : values.slice();
}

/** The reader for the backend that holds these tensors. */
export function createWeightReader(engine: Engine, tensors: readonly Tensor[]): WeightReader {
  const backend = tensors[0] === undefined ? engine.backend : backendOf(engine, tensors[0]);
  if (isNode(backend)) return new NodeReader(backend);
  return isWasm(backend) ? new WasmReader(backend) : new HostReader(backend);
}

function backendOf(engine: Engine, tensor: Tensor): Backend {
  return engine.state.tensorInfo.get(tensor.dataId)?.backend ?? engine.backend;
}

interface WasmBackend extends Backend {
  readonly wasm: { readonly HEAPU8: Uint8Array };
  readonly dataIdMap: { get(dataId: DataId): { readonly memoryOffset: number } };
}

function isWasm(backend: Backend): backend is WasmBackend {
  const { wasm, dataIdMap } = backend as Partial<WasmBackend>;
  return wasm?.HEAPU8 instanceof Uint8Array && dataIdMap !== undefined;
}

type Handle = number;
/** In place of the handle of an index tensor: every element is taken. */
const WHOLE: Handle = -1;

interface NodeBinding {
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_FLOAT: number;
  readonly TF_INT32: number;
  executeOp(name: string, attributes: object[], inputs: Handle[], outputs: number): { id: Handle }[];
  createTensor(shape: readonly number[], dtype: number, values: TypedArray): Handle;
  tensorDataSync(handle: Handle): TypedArray;
  deleteTensor(handle: Handle): void;
}

interface NodeBackend extends Backend {
  readonly binding: NodeBinding;
  readonly tensorMap: { get(dataId: DataId): { readonly values: TypedArray | null } };
  /** Handles of tensors; uploads values that TensorFlow does not have yet, as any operation would. */
  getInputTensorIds(tensors: readonly Tensor[]): Handle[];
}

function isNode(backend: Backend): backend is NodeBackend {
  const { binding, getInputTensorIds } = backend as Partial<NodeBackend>;
  return typeof binding?.executeOp === 'function' && typeof getInputTensorIds === 'function';
}

/** TensorFlow's own operations, on handles that the engine does not know of. */
class NodeReader implements WeightReader {
  private readonly float: object[];
  private readonly indexHandles = new WeakMap<Coordinates, Handle[]>();

  constructor(readonly backend: NodeBackend) {
    const { TF_ATTR_TYPE: type, TF_FLOAT: value } = backend.binding;
    this.float = [{ name: 'T', type, value }];
  }

  hold(tensors: readonly Tensor[], reuse?: Held | null): Held {
    if (reuse != null) this.release(reuse);
    // Identity shares the buffer; an assignment gives the variable a new one and leaves this as it is.
    return held(
      this,
      tensors.map((tensor) => this.run('Identity', [this.handle(tensor)])),
    );
  }

  release(held: Held): void {
    for (const handle of held as readonly Handle[]) this.backend.binding.deleteTensor(handle);
  }

  squaredNorms(tensors: readonly (Tensor | null | undefined)[]): number[] {
    return tensors.map((tensor) => (tensor == null ? 0 : this.l2(this.handle(tensor))));
  }

  squaredNormsHeld(held: Held): number[] {
    return (held as readonly Handle[]).map((handle) => this.l2(handle));
  }

  squaredDistances(tensors: readonly Tensor[], held: Held): number[] {
    return tensors.map((tensor, i) => {
      const difference = this.run('Sub', [this.handle(tensor), held[i] as Handle]);
      const square = this.l2(difference);
      this.backend.binding.deleteTensor(difference);
      return square;
    });
  }

  zeros(tensor: Tensor, axis: number): boolean[] {
    const { binding } = this.backend;
    const { TF_ATTR_TYPE: type, TF_ATTR_BOOL, TF_FLOAT, TF_INT32 } = binding;
    const others = Int32Array.from(tensor.shape.keys()).filter((a) => a !== axis);
    const axes = binding.createTensor([others.length], TF_INT32, others);
    const magnitude = this.run('Abs', [this.handle(tensor)]);
    const largest = this.run(
      'Max',
      [magnitude, axes],
      [
        { name: 'keep_dims', type: TF_ATTR_BOOL, value: false },
        { name: 'T', type, value: TF_FLOAT },
        { name: 'Tidx', type, value: TF_INT32 },
      ],
    );
    const found = Array.from(binding.tensorDataSync(largest), (x) => x === 0);
    for (const handle of [axes, magnitude, largest]) binding.deleteTensor(handle);
    return found;
  }

  finite(tensor: Tensor): boolean {
    return allFinite(this.backend.binding.tensorDataSync(this.handle(tensor)));
  }

  gather(tensors: readonly Tensor[], coordinates: Coordinates): Float32Array {
    const { binding } = this.backend;
    const { TF_ATTR_TYPE: type, TF_FLOAT, TF_INT32 } = binding;
    let handles = this.indexHandles.get(coordinates);
    if (handles === undefined) {
      handles = coordinates.parts.map((part) =>
        this.multiIndex(tensors[part.tensor]?.shape ?? [], part.indices),
      );
      this.indexHandles.set(coordinates, handles);
    }
    const attributes = [
      { name: 'Tparams', type, value: TF_FLOAT },
      { name: 'Tindices', type, value: TF_INT32 },
    ];
    const out = new Float32Array(coordinates.count);
    let offset = 0;
    coordinates.parts.forEach((part, i) => {
      const source = this.handle(tensors[part.tensor] as Tensor);
      if (handles[i] === WHOLE) {
        out.set(binding.tensorDataSync(source), offset);
      } else {
        const handle = this.run('GatherNd', [source, handles[i] as Handle], attributes);
        out.set(binding.tensorDataSync(handle), offset);
        binding.deleteTensor(handle);
      }
      offset += part.indices.length;
    });
    return out;
  }

  private multiIndex(shape: readonly number[], indices: Int32Array): Handle {
    const rank = shape.length;
    // Short tensors are sampled whole, in order, and a scalar cannot be indexed.
    if (indices.length === shape.reduce((n, d) => n * d, 1)) return WHOLE;
    const values = new Int32Array(indices.length * rank);
    indices.forEach((flat, row) => {
      let rest = flat;
      for (let axis = rank - 1; axis >= 0; axis--) {
        const size = shape[axis] ?? 1;
        values[row * rank + axis] = rest % size;
        rest = Math.floor(rest / size);
      }
    });
    const { binding } = this.backend;
    return binding.createTensor([indices.length, rank], binding.TF_INT32, values);
  }

  private handle(tensor: Tensor): Handle {
    return this.backend.getInputTensorIds([tensor])[0] as Handle;
  }

  /** Σ x² of one tensor: TensorFlow's L2Loss is half of it. */
  private l2(handle: Handle): number {
    const { binding } = this.backend;
    const half = this.run('L2Loss', [handle]);
    const value = binding.tensorDataSync(half)[0] as number;
    binding.deleteTensor(half);
    return 2 * value;
  }

  private run(operation: string, inputs: Handle[], attributes = this.float): Handle {
    return this.backend.binding.executeOp(operation, attributes, inputs, 1)[0]?.id as Handle;
  }
}

/** Backends whose values can be had as arrays that are never written again (cpu), or as copies. */
class HostReader implements WeightReader {
  constructor(readonly backend: Backend) {}

  hold(tensors: readonly Tensor[], _reuse?: Held | null): Held {
    return held(
      this,
      tensors.map((tensor) => this.view(tensor)),
    );
  }

  release(_held: Held): void {
    // Left to the garbage collector.
  }

  squaredNorms(tensors: readonly (Tensor | null | undefined)[]): number[] {
    return tensors.map((tensor) => (tensor == null ? 0 : sumSquares(this.view(tensor))));
  }

  squaredNormsHeld(held: Held): number[] {
    return (held as readonly TypedArray[]).map(sumSquares);
  }

  squaredDistances(tensors: readonly Tensor[], held: Held): number[] {
    return tensors.map((tensor, i) => sumSquaredDifferences(this.view(tensor), held[i] as TypedArray));
  }

  zeros(tensor: Tensor, axis: number): boolean[] {
    const units = tensor.shape[axis] ?? 1;
    const inner = tensor.shape.slice(axis + 1).reduce((n, d) => n * d, 1);
    const values = this.view(tensor);
    const found = Array.from({ length: units }, () => true);
    let at = 0;
    while (at < values.length) {
      for (let unit = 0; unit < units; unit++) {
        for (const end = at + inner; at < end; at++) if (values[at] !== 0) found[unit] = false;
      }
    }
    return found;
  }

  finite(tensor: Tensor): boolean {
    return allFinite(this.view(tensor));
  }

  gather(tensors: readonly Tensor[], coordinates: Coordinates): Float32Array {
    const out = new Float32Array(coordinates.count);
    let offset = 0;
    for (const { tensor, indices } of coordinates.parts) {
      const values = this.view(tensors[tensor] as Tensor);
      for (let i = 0; i < indices.length; i++) out[offset++] = values[indices[i] as number] as number;
    }
    return out;
  }

  protected view(tensor: Tensor): TypedArray {
    return this.backend.readSync(tensor.dataId);
  }
}

/** The heap of the wasm module, without copies except to hold values. */
class WasmReader extends HostReader {
  constructor(override readonly backend: WasmBackend) {
    super(backend);
  }

  override hold(tensors: readonly Tensor[], reuse?: Held | null): Held {
    return held(
      this,
      tensors.map((tensor, i) => {
        const values = (reuse?.[i] as Float32Array | undefined) ?? new Float32Array(tensor.size);
        values.set(this.view(tensor));
        return values;
      }),
    );
  }

  /** Valid until the heap grows, so never kept. */
  protected override view(tensor: Tensor): TypedArray {
    const { memoryOffset } = this.backend.dataIdMap.get(tensor.dataId);
    return new Float32Array(this.backend.wasm.HEAPU8.buffer, memoryOffset, tensor.size);
  }
}

function held(reader: WeightReader, values: unknown[]): Held {
  return Object.assign(values, { heldBy: reader });
}

function allFinite(values: TypedArray): boolean {
  return values.every((x) => Number.isFinite(x));
}

// Four accumulators: an addition need not wait for the one before it.
function sumSquares(x: TypedArray): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  const whole = x.length - (x.length % 4);
  for (let i = 0; i < whole; i += 4) {
    const p = x[i] as number;
    const q = x[i + 1] as number;
    const r = x[i + 2] as number;
    const s = x[i + 3] as number;
    a += p * p;
    b += q * q;
    c += r * r;
    d += s * s;
  }
  for (let i = whole; i < x.length; i++) a += (x[i] as number) ** 2;
  return a + b + c + d;
}

function sumSquaredDifferences(x: TypedArray, y: TypedArray): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  const whole = x.length - (x.length % 4);
  for (let i = 0; i < whole; i += 4) {
    const p = (x[i] as number) - (y[i] as number);
    const q = (x[i + 1] as number) - (y[i + 1] as number);
    const r = (x[i + 2] as number) - (y[i + 2] as number);
    const s = (x[i + 3] as number) - (y[i + 3] as number);
    a += p * p;
    b += q * q;
    c += r * r;
    d += s * s;
  }
  for (let i = whole; i < x.length; i++) a += ((x[i] as number) - (y[i] as number)) ** 2;
  return a + b + c + d;
}
