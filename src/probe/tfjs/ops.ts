/**
 * The few tensor operations that Basin needs, as calls of kernels through the script's own engine. They are recorded on
 * the gradient tape like the library's own (which are thin wrappers of the same calls), and work in scripts that bundle
 * TensorFlow.js so that no namespace of it can be reached.
 */
import { currentEngine, type DataType, type Engine, type Tensor, type TypedArray } from './tf.ts';

/** @throws when no TensorFlow.js is loaded, which cannot happen inside of a training step */
export function engine(): Engine {
  const e = currentEngine();
  if (e === null) throw new Error('TensorFlow.js is not loaded.');
  return e;
}

const size = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

export const run = (
  name: string,
  inputs: Record<string, Tensor> | Tensor[],
  attributes: object = {},
): Tensor => engine().runKernel(name, inputs, attributes) as Tensor;

const arrayOf = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;

/** A constant tensor from values. */
export function tensor(values: TypedArray, shape: readonly number[], dtype: DataType = 'float32'): Tensor {
  return engine().makeTensor(values, shape, dtype);
}
export const scalar = (x: number): Tensor => tensor(Float32Array.of(x), []);
export const zeros = (shape: readonly number[], dtype: keyof typeof arrayOf = 'float32'): Tensor =>
  tensor(new arrayOf[dtype](size(shape)), shape, dtype);

export const add = (a: Tensor, b: Tensor): Tensor => run('Add', { a, b });
export const sub = (a: Tensor, b: Tensor): Tensor => run('Sub', { a, b });
export const mul = (a: Tensor, b: Tensor): Tensor => run('Multiply', { a, b });
export const div = (a: Tensor, b: Tensor): Tensor => run('RealDiv', { a, b });
export const maximum = (a: Tensor, b: Tensor): Tensor => run('Maximum', { a, b });
export const minimum = (a: Tensor, b: Tensor): Tensor => run('Minimum', { a, b });
export const equal = (a: Tensor, b: Tensor): Tensor => run('Equal', { a, b });
export const greater = (a: Tensor, b: Tensor): Tensor => run('Greater', { a, b });
export const scale = (x: Tensor, factor: number): Tensor => mul(x, scalar(factor));
export const neg = (x: Tensor): Tensor => run('Neg', { x });
export const exp = (x: Tensor): Tensor => run('Exp', { x });
export const log = (x: Tensor): Tensor => run('Log', { x });
export const sqrt = (x: Tensor): Tensor => run('Sqrt', { x });
export const square = (x: Tensor): Tensor => run('Square', { x });
export const sigmoid = (x: Tensor): Tensor => run('Sigmoid', { x });
export const tanh = (x: Tensor): Tensor => run('Tanh', { x });
/** 1 where x > 0, else 0. */
export const step = (x: Tensor): Tensor => run('Step', { x }, { alpha: 0 });
export const softmax = (logits: Tensor): Tensor =>
  run('Softmax', { logits }, { dim: logits.shape.length - 1 });
export const cast = (x: Tensor, dtype: DataType): Tensor =>
  x.dtype === dtype ? x : run('Cast', { x }, { dtype });
export const reshape = (x: Tensor, shape: readonly number[]): Tensor => run('Reshape', { x }, { shape });
export const transpose = (x: Tensor, perm: readonly number[]): Tensor => run('Transpose', { x }, { perm });
export const select = (condition: Tensor, t: Tensor, e: Tensor): Tensor => run('Select', { condition, t, e });
export const concat = (xs: Tensor[], axis = 0): Tensor =>
  xs.length === 1 && xs[0] !== undefined ? xs[0] : run('Concat', xs, { axis });
export const slice = (x: Tensor, begin: readonly number[], sizes: readonly number[]): Tensor =>
  run('Slice', { x }, { begin, size: sizes });
export const pad = (x: Tensor, paddings: readonly (readonly [number, number])[]): Tensor =>
  run('PadV2', { x }, { paddings, constantValue: 0 });
export const reverse = (x: Tensor, dims: readonly number[]): Tensor => run('Reverse', { x }, { dims });
export const gather = (x: Tensor, indices: Tensor): Tensor =>
  run('GatherV2', { x, indices }, { axis: 0, batchDims: 0 });
export const argMax = (x: Tensor, axis: number): Tensor => run('ArgMax', { x }, { axis });
export const matMul = (a: Tensor, b: Tensor, transposeA = false, transposeB = false): Tensor =>
  run('BatchMatMul', { a, b }, { transposeA, transposeB });

/** Sum over axes (all when not given). */
export function sum(x: Tensor, axes?: readonly number[], keepDims = false): Tensor {
  const axis = axes ?? x.shape.map((_, i) => i);
  return axis.length === 0 ? x : run('Sum', { x }, { axis, keepDims });
}
export function mean(x: Tensor, axes?: readonly number[], keepDims = false): Tensor {
  const axis = axes ?? x.shape.map((_, i) => i);
  return scale(sum(x, axis, keepDims), 1 / axis.reduce((n, a) => n * (x.shape[a] ?? 1), 1));
}
export const max = (x: Tensor, axes: readonly number[], keepDims: boolean): Tensor =>
  run('Max', { x }, { reductionIndices: axes, keepDims });
export const min = (x: Tensor, axes: readonly number[], keepDims: boolean): Tensor =>
  run('Min', { x }, { axis: axes, keepDims });

/** Undoes broadcasting: sums `x` down to `shape`. */
export function sumTo(x: Tensor, shape: readonly number[]): Tensor {
  const lead = x.shape.length - shape.length;
  const axes = x.shape.flatMap((d, i) => (i < lead || (shape[i - lead] === 1 && d !== 1) ? [i] : []));
  return reshape(sum(x, axes), shape);
}

export interface Conv2D {
  readonly strides: number | readonly [number, number];
  readonly pad: 'valid' | 'same' | number | readonly (readonly [number, number])[];
  readonly dilations?: number | readonly [number, number];
  readonly dataFormat?: string;
  readonly dimRoundingMode?: string;
}
const conv = (a: Conv2D): object => ({
  strides: a.strides,
  pad: a.pad,
  dataFormat: a.dataFormat ?? 'NHWC',
  dilations: a.dilations ?? 1,
  dimRoundingMode: a.dimRoundingMode,
});
export const conv2d = (x: Tensor, filter: Tensor, a: Conv2D): Tensor => run('Conv2D', { x, filter }, conv(a));
export const conv2dInput = (dy: Tensor, filter: Tensor, inputShape: readonly number[], a: Conv2D): Tensor =>
  run('Conv2DBackpropInput', { dy, filter }, { ...conv(a), inputShape });
export const conv2dFilter = (x: Tensor, dy: Tensor, filterShape: readonly number[], a: Conv2D): Tensor =>
  run('Conv2DBackpropFilter', { x, dy }, { ...conv(a), filterShape });
export const depthwise = (x: Tensor, filter: Tensor, a: Conv2D): Tensor =>
  run('DepthwiseConv2dNative', { x, filter }, conv(a));
export const depthwiseInput = (
  dy: Tensor,
  filter: Tensor,
  inputShape: readonly number[],
  a: Conv2D,
): Tensor => run('DepthwiseConv2dNativeBackpropInput', { dy, filter }, { ...conv(a), inputShape });
export const depthwiseFilter = (x: Tensor, dy: Tensor, filterShape: readonly number[], a: Conv2D): Tensor =>
  run('DepthwiseConv2dNativeBackpropFilter', { x, dy }, { ...conv(a), filterShape });
