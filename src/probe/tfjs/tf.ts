/**
 * The script's own TensorFlow.js, as much of it as the probe touches.
 *
 * There is one engine per process (`globalThis._tfengine`), shared by every copy of the library, bundled or not, so
 * types come from the package but values never do: operations are reached through the engine (see ops.ts).
 */
import type * as tfc from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';

export type Tensor = tfc.Tensor;
export type Variable = tfc.Variable;
export type DataType = tfc.DataType;
export type LayersModel = tfl.LayersModel;
export type TypedArray = Float32Array | Int32Array | Uint8Array;

/** Key of a tensor's data in its backend. */
export type DataId = object;

/** The fields of a Tensor that a substitution overwrites; the package declares most of them readonly. */
export interface MutableTensor {
  dataId: DataId;
  shape: number[];
  size: number;
  strides: number[];
  dtype: DataType;
  rankType: string;
  isDisposedInternal: boolean;
}

export interface TensorInfo {
  readonly dataId: DataId;
  readonly shape: readonly number[];
  readonly dtype: DataType;
}

export interface Backend {
  incRef(dataId: DataId): void;
  refCount(dataId: DataId): number;
  /** Drops a reference; true when that freed the data. */
  disposeData(dataId: DataId, force?: boolean): boolean;
  readSync(dataId: DataId): TypedArray;
  write(values: TypedArray, shape: readonly number[], dtype: DataType): DataId;
}

export interface GradientConfig {
  kernelName: string;
  inputsToSave?: string[];
  saveAllInputs?: boolean;
  outputsToSave?: boolean[];
  gradFunc(
    dy: Tensor | Tensor[],
    saved: Tensor[],
    attributes: Record<string, unknown>,
  ): Record<string, () => Tensor>;
}

export interface KernelArguments {
  inputs: Record<string, Tensor>;
  attrs: Record<string, unknown>;
  backend: Backend;
}

export interface KernelConfig {
  kernelName: string;
  backendName: string;
  kernelFunc(args: KernelArguments): TensorInfo | TensorInfo[];
}

export interface KernelInvocation {
  readonly kernelName?: string;
  readonly inputs: Readonly<Record<string, Tensor>> | readonly Tensor[];
}

/** Inside of the engine, as of TensorFlow.js 4. */
export interface Engine {
  backendName: string;
  readonly backend: Backend;
  readonly registeredVariables: Readonly<Record</* variable name */ string, Variable>>;
  readonly state: {
    numTensors: number;
    numBytes: number;
    numDataBuffers: number;
    gradientDepth: number;
    kernelDepth: number;
    tensorInfo: WeakMap<DataId, { backend: Backend; dtype: DataType; shape: number[]; bytes: number }>;
  };
  tidy<T>(name: string, fn: () => T): T;
  keep<T extends Tensor>(tensor: T): T;
  nextTensorId(): number;
  gradients(
    f: () => Tensor,
    xs: readonly Tensor[],
    dy: Tensor | null | undefined,
    allowNoGradients: boolean,
  ): { value: Tensor; grads: (Tensor | null | undefined)[] };
  customGrad(f: (...inputs: unknown[]) => { value: Tensor }): (...inputs: Tensor[]) => Tensor;
  runKernel(name: string, inputs: Record<string, Tensor> | Tensor[], attributes?: object): Tensor | Tensor[];
  runKernelFunc(invocation: KernelInvocation): Tensor | Tensor[];
  addTapeNode(name: string, inputs: Record<string, Tensor>, ...rest: unknown[]): void;
  makeTensor(values: TypedArray, shape: readonly number[], dtype: DataType): Tensor;
  makeTensorFromDataId(dataId: DataId, shape: readonly number[], dtype: DataType): Tensor;
  removeDataId(dataId: DataId, backend: Backend): void;
  disposeTensor(tensor: Tensor): void;
  memory(): { numTensors: number; numBytes: number; numDataBuffers: number };
}

interface TfGlobals {
  _tfengine?: Engine;
  _tfGlobals?: Map<string, unknown>;
}

/** The engine of this process, or null before any copy of TensorFlow.js was loaded. */
export function currentEngine(): Engine | null {
  return (globalThis as TfGlobals)._tfengine ?? null;
}

/** Gradients by kernel name; one map for all copies of the library. */
export function gradientRegistry(): Map</* kernel name */ string, GradientConfig> {
  return registry<GradientConfig>('gradRegistry');
}

/** Kernels under `<backend>_<kernel>`. */
export function kernelRegistry(): Map</* backend_kernel */ string, KernelConfig> {
  return registry<KernelConfig>('kernelRegistry');
}

function registry<T>(key: string): Map<string, T> {
  const map = (globalThis as TfGlobals)._tfGlobals?.get(key);
  if (!(map instanceof Map)) throw new Error(`TensorFlow.js has no ${key} in this process.`);
  return map as Map<string, T>;
}

/** Variables are tensors that can be assigned; TensorFlow.js itself tells them apart by this. */
export function isVariable(x: unknown): x is Variable {
  return isTensor(x) && typeof (x as { assign?: unknown }).assign === 'function';
}

/** A real Tensor, not the bare TensorInfo that kernels hand to each other. */
export function isTensor(x: unknown): x is Tensor {
  return typeof x === 'object' && x !== null && typeof (x as { dataSync?: unknown }).dataSync === 'function';
}

/** A tensor's values as its dtype has them: the cpu backend casts integers to float32 without a change to the data. */
export function ofDtype(values: TypedArray, dtype: DataType): TypedArray {
  return dtype === 'float32' && !(values instanceof Float32Array) ? Float32Array.from(values) : values;
}
