/**
 * Gradients of TensorFlow.js kernels that are themselves differentiable.
 *
 * The stock ones are not (https://github.com/tensorflow/tfjs/issues/3252): a gradient that saves the kernel's *output*
 * loses that output's place on the tape, so its derivative comes out without the term through it, silently; and the
 * kernels that only occur in backward passes have no gradient at all. Here every gradient is written over the kernel's
 * *inputs*, and the backward kernels get one. Kernels that are not in this table are right as they stand.
 */
import {
  add,
  cast,
  conv2d,
  conv2dFilter,
  conv2dInput,
  depthwise,
  depthwiseFilter,
  depthwiseInput,
  div,
  equal,
  exp,
  gather,
  greater,
  log,
  matMul,
  max,
  min,
  mul,
  neg,
  reshape,
  run,
  scalar,
  scale,
  select,
  sigmoid,
  sqrt,
  square,
  step,
  sub,
  sum,
  sumTo,
  tanh,
  tensor,
  zeros,
  type Conv2D,
} from './ops.ts';
import { window2d, type Padding, type Pair } from './geometry.ts';
import type { GradientConfig, Tensor } from './tf.ts';

type Attributes = Record<string, unknown>;
type Gradients = Record<string, () => Tensor>;
type GradientOf = (dy: Tensor, saved: Tensor[], attributes: Attributes) => Gradients;

const table = new Map</* kernel name */ string, GradientConfig>();

function define(kernelName: string, inputsToSave: string[], gradient: GradientOf): void {
  table.set(kernelName, {
    kernelName,
    inputsToSave,
    gradFunc: (dy, saved, attributes) => gradient(dy as Tensor, saved, attributes),
  });
}

/** An elementwise function of x, given its derivative. */
function elementwise(kernelName: string, derivative: (x: Tensor) => Tensor): void {
  define(kernelName, ['x'], (dy, saved) => ({ x: () => mul(dy, derivative(one(saved))) }));
}

function one(saved: readonly Tensor[]): Tensor {
  return at(saved, 0);
}
function at(saved: readonly Tensor[], i: number): Tensor {
  const t = saved[i];
  if (t === undefined) throw new Error('A kernel was called without an input that its gradient needs.');
  return t;
}
const nothing = (x: Tensor) => (): Tensor => zeros(x.shape);
const oneMinus = (x: Tensor): Tensor => sub(scalar(1), x);

// Activations and other elementwise kernels whose stock gradients save the output.
elementwise('Exp', exp);
elementwise('Expm1', exp);
elementwise('Sigmoid', (x) => {
  const y = sigmoid(x);
  return mul(y, oneMinus(y));
});
elementwise('Tanh', (x) => oneMinus(square(tanh(x))));
// exp is only taken of min(x, 0): where x > 0 the other branch is chosen, and exp(x) could overflow to 0·∞ = NaN.
elementwise('Elu', (x) => {
  const positive = step(x);
  const negative = oneMinus(positive);
  return add(positive, mul(negative, exp(mul(x, negative))));
});
elementwise('Selu', (x) => {
  const positive = step(x);
  const negative = oneMinus(positive);
  return add(
    scale(positive, SELU_SCALE),
    mul(scale(negative, SELU_SCALE * SELU_ALPHA), exp(mul(x, negative))),
  );
});
const SELU_ALPHA = 1.6732632423543772;
const SELU_SCALE = 1.0507009873554805;
elementwise('Rsqrt', (x) => div(scalar(-0.5), mul(x, sqrt(x))));

define('Softmax', ['logits'], (dy, saved, { dim }) => ({
  logits: () => {
    const axis = [dim as number];
    const y = run('Softmax', { logits: one(saved) }, { dim });
    const weighted = mul(dy, y);
    return sub(weighted, mul(sum(weighted, axis, true), y));
  },
}));
define('LogSoftmax', ['logits'], (dy, saved, { axis }) => ({
  logits: () => {
    const a = axis as number;
    return sub(dy, mul(sum(dy, [a], true), run('Softmax', { logits: one(saved) }, { dim: a })));
  },
}));
define('Pow', ['a', 'b'], (dy, saved) => {
  const [a, b] = [one(saved), at(saved, 1)];
  return {
    a: () => {
      const e = cast(b, 'float32');
      return sumTo(mul(dy, mul(e, run('Pow', { a, b: sub(e, scalar(1)) }))), a.shape);
    },
    b: () => {
      const positive = greater(a, scalar(0));
      const safe = select(positive, a, add(zeros(a.shape), scalar(1)));
      return sumTo(mul(dy, mul(run('Pow', { a, b }), log(safe))), b.shape);
    },
  };
});

// Steps have derivative zero almost everywhere.
for (const kernel of [
  'Greater',
  'GreaterEqual',
  'Less',
  'LessEqual',
  'Equal',
  'NotEqual',
  'LogicalAnd',
  'LogicalOr',
]) {
  define(kernel, ['a', 'b'], (_, saved) => ({ a: nothing(one(saved)), b: nothing(at(saved, 1)) }));
}
define('LogicalNot', ['x'], (_, saved) => ({ x: nothing(one(saved)) }));

// Which element is the largest is piecewise constant, so the mask is a constant to the second derivative.
for (const [kernel, extreme] of [
  ['Max', max],
  ['Min', min],
] as const) {
  define(kernel, ['x'], (dy, saved, { reductionIndices, axis }) => ({
    x: () => {
      const x = one(saved);
      // The two kernels name their axes differently.
      const axes = axesOf(reductionIndices ?? axis, x.shape.length);
      const y = extreme(x, axes, true);
      return mul(reshape(dy, y.shape), cast(equal(x, y), 'float32'));
    },
  }));
}

function axesOf(axes: unknown, rank: number): number[] {
  const list =
    axes === undefined || axes === null ? Array.from({ length: rank }, (_, i) => i) : [axes].flat();
  return (list as number[]).map((a) => (a < 0 ? a + rank : a));
}

// Convolutions: the backward kernels of a convolution are convolutions of the same geometry.
const geometry = (attributes: Attributes): Conv2D => attributes as unknown as Conv2D;
define('Conv2DBackpropFilter', ['x', 'dy'], (c, saved, attributes) => {
  const [x, dy, g] = [one(saved), at(saved, 1), geometry(attributes)];
  return { x: () => conv2dInput(dy, c, x.shape, g), dy: () => conv2d(x, c, g) };
});
define('DepthwiseConv2dNativeBackpropFilter', ['x', 'dy'], (c, saved, attributes) => {
  const [x, dy, g] = [one(saved), at(saved, 1), geometry(attributes)];
  return { x: () => depthwiseInput(dy, c, x.shape, g), dy: () => depthwise(x, c, g) };
});
define('DepthwiseConv2dNativeBackpropInput', ['dy', 'filter'], (c, saved, attributes) => {
  const [dy, filter, g] = [one(saved), at(saved, 1), geometry(attributes)];
  return { dy: () => depthwise(c, filter, g), filter: () => depthwiseFilter(c, dy, filter.shape, g) };
});
const conv3d = (x: Tensor, filter: Tensor, { strides, pad }: Attributes): Tensor =>
  run('Conv3D', { x, filter }, { strides, pad, dataFormat: 'NDHWC', dilations: [1, 1, 1] });
define('Conv3DBackpropFilterV2', ['x', 'dy'], (c, saved, { strides, pad }) => {
  const [x, dy] = [one(saved), at(saved, 1)];
  return {
    x: () => run('Conv3DBackpropInputV2', { dy, filter: c }, { strides, pad, inputShape: x.shape }),
    dy: () => conv3d(x, c, { strides, pad }),
  };
});
define('Conv3DBackpropInputV2', ['dy', 'filter'], (c, saved, { strides, pad }) => {
  const [dy, filter] = [one(saved), at(saved, 1)];
  return {
    dy: () => conv3d(c, filter, { strides, pad }),
    filter: () => run('Conv3DBackpropFilterV2', { x: c, dy }, { strides, pad, filterShape: filter.shape }),
  };
});

// Pooling is linear (average), or linear between the switches of its maxima.
define('AvgPoolGrad', ['dy', 'input'], (c, saved, { filterSize, strides, pad }) => ({
  dy: () => run('AvgPool', { x: c }, { filterSize, strides, pad }),
  input: nothing(at(saved, 1)),
}));
define('MaxPoolGrad', ['dy', 'input', 'output'], (c, saved, attributes) => {
  const [dy, input, output] = [one(saved), at(saved, 1), at(saved, 2)];
  return {
    dy: () => reshape(gather(reshape(c, [c.size]), maxima(input, attributes)), dy.shape),
    input: nothing(input),
    output: nothing(output),
  };
});

/** Flat index into the input of each pooling window's maximum (the first, as the forward kernels choose). */
function maxima(input: Tensor, { filterSize, strides, pad, dimRoundingMode }: Attributes): Tensor {
  const [B = 0, H = 0, W = 0, C = 0] = input.shape;
  const w = window2d(
    input.shape,
    filterSize as Pair,
    strides as Pair,
    1,
    pad as Padding,
    dimRoundingMode as string | undefined,
  );
  const x = input.dataSync();
  const indices = new Int32Array(B * w.outHeight * w.outWidth * C);
  let out = 0;
  for (let b = 0; b < B; b++) {
    for (let oy = 0; oy < w.outHeight; oy++) {
      const y0 = oy * w.strideHeight - w.top;
      for (let ox = 0; ox < w.outWidth; ox++) {
        const x0 = ox * w.strideWidth - w.left;
        for (let c = 0; c < C; c++, out++) {
          let best = -Infinity;
          for (let iy = Math.max(0, y0); iy < Math.min(H, y0 + w.spanHeight); iy++) {
            for (let ix = Math.max(0, x0); ix < Math.min(W, x0 + w.spanWidth); ix++) {
              const i = ((b * H + iy) * W + ix) * C + c;
              const v = x[i] ?? NaN;
              if (v > best) {
                best = v;
                indices[out] = i;
              }
            }
          }
        }
      }
    }
  }
  return tensor(indices, [indices.length], 'int32');
}

// Resizing is linear in the image.
for (const [backward, forward] of [
  ['ResizeBilinearGrad', 'ResizeBilinear'],
  ['ResizeNearestNeighborGrad', 'ResizeNearestNeighbor'],
] as const) {
  define(backward, ['dy', 'images'], (c, saved, { alignCorners, halfPixelCenters }) => ({
    dy: () =>
      run(forward, { images: c }, { alignCorners, halfPixelCenters, size: one(saved).shape.slice(1, 3) }),
    images: nothing(at(saved, 1)),
  }));
}

// y = (x − mean)/√(variance + ε)·scale + offset, written with broadcasting; the stock gradient tiles over the batch.
define('FusedBatchNorm', ['x', 'mean', 'variance', 'scale'], (dy, saved, { varianceEpsilon }) => {
  const [x, mean, variance] = [one(saved), at(saved, 1), at(saved, 2)];
  const gamma = saved[3] ?? scalar(1);
  const inverse = (): Tensor =>
    run('Rsqrt', { x: add(variance, scalar((varianceEpsilon as number | undefined) ?? 0.001)) });
  const scaled = (): Tensor => mul(dy, gamma);
  return {
    x: () => mul(scaled(), inverse()),
    mean: () => sumTo(neg(mul(scaled(), inverse())), mean.shape),
    variance: () => {
      const r = inverse();
      return sumTo(mul(mul(scaled(), sub(x, mean)), scale(mul(r, mul(r, r)), -0.5)), variance.shape);
    },
    scale: () => sumTo(mul(dy, mul(sub(x, mean), inverse())), gamma.shape),
    offset: () => sumTo(dy, mean.shape),
  };
});

// Fused kernels run in gradient mode too when their activation is linear, hidden behind a custom gradient.
const lastAxis = (dy: Tensor): number => dy.shape[dy.shape.length - 1] ?? 1;
const biasGradient = (dy: Tensor) => (): Tensor =>
  sum(reshape(dy, [dy.size / lastAxis(dy), lastAxis(dy)]), [0]);
function fused(kernelName: string, inputs: string[], gradient: GradientOf): void {
  define(kernelName, inputs, (dy, saved, attributes) => {
    const activation = (attributes.activation as string | undefined) ?? 'linear';
    if (activation !== 'linear')
      throw new Error(`${kernelName} with ${activation} has no second derivative.`);
    return { ...gradient(dy, saved, attributes), bias: biasGradient(dy) };
  });
}
fused('_FusedMatMul', ['a', 'b'], (dy, saved, { transposeA, transposeB }) => {
  const [a, b, tA, tB] = [one(saved), at(saved, 1), transposeA === true, transposeB === true];
  return {
    a: () => (tA ? matMul(b, dy, tB, true) : matMul(dy, b, false, !tB)),
    b: () => (tB ? matMul(dy, a, true, tA) : matMul(a, dy, !tA, false)),
  };
});
fused('FusedConv2D', ['x', 'filter'], (dy, saved, attributes) => {
  const [x, filter, g] = [one(saved), at(saved, 1), geometry(attributes)];
  return { x: () => conv2dInput(dy, filter, x.shape, g), filter: () => conv2dFilter(x, dy, filter.shape, g) };
});
fused('FusedDepthwiseConv2D', ['x', 'filter'], (dy, saved, attributes) => {
  const [x, filter, g] = [one(saved), at(saved, 1), geometry(attributes)];
  return {
    x: () => depthwiseInput(dy, filter, x.shape, g),
    filter: () => depthwiseFilter(x, dy, filter.shape, g),
  };
});

/** Kernel name → a gradient that can be differentiated again. */
export const secondOrderGradients: ReadonlyMap<string, GradientConfig> = table;
