/**
 * Training kernels for the wasm backend, which has none for convolutions, and mends of kernels that are wrong:
 * MaxPoolGrad on wasm (windows whose maximum is not positive), AvgPoolGrad with padding (cpu and wasm divide by the
 * whole window, the forward pass by its valid part), ResizeNearestNeighborGrad on cpu (batches of more than one).
 * Convolutions are put together from the backend's fast kernels; the rest are plain loops.
 */
import * as ops from '../ops.ts';
import { window2d, type Padding, type Pair, type Window2D } from '../geometry.ts';
import type { Backend, KernelArguments, Tensor, TensorInfo, TypedArray } from '../tf.ts';

/** @param stock the backend's own kernel, where it has one */
export type Kernel = (
  args: KernelArguments,
  stock: ((args: KernelArguments) => TensorInfo | TensorInfo[]) | null,
) => TensorInfo;

/** Needed input of a kernel. */
function input(args: KernelArguments, name: string): Tensor {
  const t = args.inputs[name];
  if (t === undefined) throw new Error(`A kernel was called without its input "${name}".`);
  return t;
}
const read = (backend: Backend, t: TensorInfo): TypedArray => backend.readSync(t.dataId);
function write(backend: Backend, values: TypedArray, shape: readonly number[]): TensorInfo {
  return { dataId: backend.write(values, shape, 'float32'), shape, dtype: 'float32' };
}
const tidy = (make: () => Tensor): Tensor => ops.engine().tidy('kernel', make);

interface WindowAttributes {
  readonly strides: Pair;
  readonly pad: Padding;
  readonly dilations?: Pair;
  readonly filterSize?: Pair;
  readonly dimRoundingMode?: string;
  readonly dataFormat?: string;
}
const attributesOf = (args: KernelArguments): WindowAttributes => args.attrs as unknown as WindowAttributes;

function geometry(shape: readonly number[], filter: Pair, args: KernelArguments): Window2D {
  const a = attributesOf(args);
  if (a.dataFormat !== undefined && a.dataFormat !== 'NHWC')
    throw new Error(`Convolution in ${a.dataFormat} layout.`);
  return window2d(shape, filter, a.strides, a.dilations, a.pad, a.dimRoundingMode);
}

/** Calls `visit` for every window with the range of input rows and columns that it covers inside of the image. */
function eachWindow(
  shape: readonly number[],
  w: Window2D,
  visit: (batch: number, oy: number, ox: number, y0: number, y1: number, x0: number, x1: number) => void,
): void {
  const [B = 0, H = 0, W = 0] = shape;
  for (let b = 0; b < B; b++) {
    for (let oy = 0; oy < w.outHeight; oy++) {
      const y = oy * w.strideHeight - w.top;
      for (let ox = 0; ox < w.outWidth; ox++) {
        const x = ox * w.strideWidth - w.left;
        visit(
          b,
          oy,
          ox,
          Math.max(0, y),
          Math.min(H, y + w.spanHeight),
          Math.max(0, x),
          Math.min(W, x + w.spanWidth),
        );
      }
    }
  }
}

/** The gradient goes to the first maximum of each window. */
const maxPoolGrad: Kernel = (args) => {
  const [dy, x] = [input(args, 'dy'), input(args, 'input')];
  const [, H = 0, W = 0, C = 0] = x.shape;
  const w = geometry(x.shape, attributesOf(args).filterSize, args);
  const [xs, gs] = [read(args.backend, x), read(args.backend, dy)];
  const out = new Float32Array(x.size);
  eachWindow(x.shape, w, (b, oy, ox, y0, y1, x0, x1) => {
    const g = ((b * w.outHeight + oy) * w.outWidth + ox) * C;
    for (let c = 0; c < C; c++) {
      let best = -Infinity;
      let chosen = -1;
      for (let iy = y0; iy < y1; iy++) {
        for (let ix = x0, i = ((b * H + iy) * W + x0) * C + c; ix < x1; ix++, i += C) {
          const v = xs[i] ?? NaN;
          if (v > best) {
            best = v;
            chosen = i;
          }
        }
      }
      if (chosen >= 0) out[chosen] = (out[chosen] ?? 0) + (gs[g + c] ?? 0);
    }
  });
  return write(args.backend, out, x.shape);
};

/** Each input gets the window's gradient divided by the number of inputs that its mean was taken over. */
const avgPoolGrad: Kernel = (args) => {
  const [dy, x] = [input(args, 'dy'), input(args, 'input')];
  const [, H = 0, W = 0, C = 0] = x.shape;
  const w = geometry(x.shape, attributesOf(args).filterSize, args);
  const gs = read(args.backend, dy);
  const out = new Float32Array(x.size);
  eachWindow(x.shape, w, (b, oy, ox, y0, y1, x0, x1) => {
    const g = ((b * w.outHeight + oy) * w.outWidth + ox) * C;
    const share = 1 / ((y1 - y0) * (x1 - x0));
    for (let iy = y0; iy < y1; iy++) {
      for (let ix = x0; ix < x1; ix++) {
        const i = ((b * H + iy) * W + ix) * C;
        for (let c = 0; c < C; c++) out[i + c] = (out[i + c] ?? 0) + share * (gs[g + c] ?? 0);
      }
    }
  });
  return write(args.backend, out, x.shape);
};

const resizeNearestGrad: Kernel = (args) => {
  const [dy, images] = [input(args, 'dy'), input(args, 'images')];
  const { alignCorners, halfPixelCenters } = args.attrs as {
    alignCorners?: boolean;
    halfPixelCenters?: boolean;
  };
  const [B = 0, H = 0, W = 0, C = 0] = images.shape;
  const [, OH = 0, OW = 0] = dy.shape;
  // The source pixel of every output pixel, as the forward kernel chooses it.
  const sources = (from: number, to: number): Int32Array => {
    const ratio = alignCorners === true && to > 1 ? (from - 1) / (to - 1) : from / to;
    return Int32Array.from({ length: to }, (_, i) => {
      const at = halfPixelCenters === true ? ratio * (i + 0.5) : ratio * i;
      return Math.max(0, Math.min(from - 1, alignCorners === true ? Math.round(at) : Math.floor(at)));
    });
  };
  const [rows, columns] = [sources(H, OH), sources(W, OW)];
  const gs = read(args.backend, dy);
  const out = new Float32Array(images.size);
  let g = 0;
  for (let b = 0; b < B; b++) {
    for (const y of rows) {
      for (const x of columns) {
        const i = ((b * H + y) * W + x) * C;
        for (let c = 0; c < C; c++, g++) out[i + c] = (out[i + c] ?? 0) + (gs[g] ?? 0);
      }
    }
  }
  return write(args.backend, out, images.shape);
};

/** XNNPACK serves only untransposed products of single matrices. */
const batchMatMul: Kernel = (args, stock) => {
  const [a, b] = [input(args, 'a'), input(args, 'b')];
  const { transposeA, transposeB } = args.attrs as { transposeA: boolean; transposeB: boolean };
  const single = (t: TensorInfo): boolean => t.shape.slice(0, -2).every((d) => d === 1);
  const plain =
    (!transposeA && !transposeB) ||
    !single(a) ||
    !single(b) ||
    a.dtype !== 'float32' ||
    b.dtype !== 'float32';
  if (
    stock !== null &&
    (plain || (a as Partial<Tensor>).dataSync === undefined || (b as Partial<Tensor>).dataSync === undefined)
  ) {
    return stock(args) as TensorInfo;
  }
  const flip = (t: Tensor): Tensor => {
    const n = t.shape.length;
    return ops.transpose(t, [...Array.from({ length: n - 2 }, (_, i) => i), n - 1, n - 2]);
  };
  return tidy(() => ops.matMul(transposeA ? flip(a) : a, transposeB ? flip(b) : b));
};

/**
 * Correlates the padded input with dy, dilated by the stride: filter[i, j] = Σ x[s·y + i, s·x + j]·dy[y, x].
 * With channels and batch swapped that is one forward convolution.
 */
const conv2dFilterGrad: Kernel = (args) => {
  const [x, dy] = [input(args, 'x'), input(args, 'dy')];
  const [kh = 1, kw = 1] = args.attrs.filterShape as number[];
  const w = geometry(x.shape, [kh, kw], args);
  return tidy(() => {
    const height = (w.outHeight - 1) * w.strideHeight + kh;
    const width = (w.outWidth - 1) * w.strideWidth + kw;
    const cropped = fit(x, w.top, w.left, height, width);
    const r = ops.conv2d(ops.transpose(cropped, [3, 1, 2, 0]), ops.transpose(dy, [1, 2, 0, 3]), {
      strides: 1,
      pad: 'valid',
      dilations: [w.strideHeight, w.strideWidth],
    });
    return ops.transpose(r, [1, 2, 0, 3]);
  });
};

/** x moved by (top, left) into an image of the given size: zeros where it has nothing, cut where it is too large. */
function fit(x: Tensor, top: number, left: number, height: number, width: number): Tensor {
  const [N = 0, H = 0, W = 0, C = 0] = x.shape;
  const bottom = height - H - top;
  const right = width - W - left;
  const paddings = [
    [0, 0],
    [Math.max(0, top), Math.max(0, bottom)],
    [Math.max(0, left), Math.max(0, right)],
    [0, 0],
  ] as const;
  const padded = paddings.some(([a, b]) => a > 0 || b > 0) ? ops.pad(x, paddings) : x;
  if (padded.shape[1] === height && padded.shape[2] === width) return padded;
  return ops.slice(padded, [0, Math.max(0, -top), Math.max(0, -left), 0], [N, height, width, C]);
}

/** dy with stride − 1 zeros between its pixels. */
function spread(dy: Tensor, strideHeight: number, strideWidth: number): Tensor {
  const [N = 0, H = 0, W = 0, C = 0] = dy.shape;
  let d = dy;
  if (strideHeight > 1)
    d = ops.pad(ops.reshape(d, [N * H, 1, W, C]), [
      [0, 0],
      [0, strideHeight - 1],
      [0, 0],
      [0, 0],
    ]);
  if (strideWidth > 1) {
    d = ops.pad(ops.reshape(d, [N * H * strideHeight, W, 1, C]), [
      [0, 0],
      [0, 0],
      [0, strideWidth - 1],
      [0, 0],
    ]);
  }
  const whole = ops.reshape(d, [N, H * strideHeight, W * strideWidth, C]);
  return ops.slice(whole, [0, 0, 0, 0], [N, (H - 1) * strideHeight + 1, (W - 1) * strideWidth + 1, C]);
}

/** The spread gradient, padded so that a forward convolution with the turned filter gives the input's size. */
function turnedInput(dy: Tensor, w: Window2D, inputShape: readonly number[]): Tensor {
  const [, H = 0, W = 0] = inputShape;
  return fit(
    spread(dy, w.strideHeight, w.strideWidth),
    w.spanHeight - 1 - w.top,
    w.spanWidth - 1 - w.left,
    H + w.spanHeight - 1,
    W + w.spanWidth - 1,
  );
}

const conv2dInputGrad: Kernel = (args) => {
  const [dy, filter] = [input(args, 'dy'), input(args, 'filter')];
  const inputShape = args.attrs.inputShape as number[];
  const w = geometry(inputShape, filter.shape.slice(0, 2), args);
  return tidy(() =>
    ops.conv2d(turnedInput(dy, w, inputShape), ops.transpose(ops.reverse(filter, [0, 1]), [0, 1, 3, 2]), {
      strides: 1,
      pad: 'valid',
      dilations: [w.dilationHeight, w.dilationWidth],
    }),
  );
};

const depthwiseFilterGrad: Kernel = (args) => {
  const [x, dy] = [input(args, 'x'), input(args, 'dy')];
  const filterShape = args.attrs.filterShape as number[];
  const [kh = 1, kw = 1, C = 1, multiplier = 1] = filterShape;
  const w = geometry(x.shape, [kh, kw], args);
  const [N = 0] = x.shape as readonly number[];
  const rows = N * w.outHeight * w.outWidth;
  return tidy(() => {
    const height = (w.outHeight - 1) * w.strideHeight + w.spanHeight;
    const width = (w.outWidth - 1) * w.strideWidth + w.spanWidth;
    const padded = fit(x, w.top, w.left, height, width);
    const d = ops.reshape(dy, [rows, C, multiplier]);
    const parts: Tensor[] = [];
    for (let i = 0; i < kh; i++) {
      for (let j = 0; j < kw; j++) {
        const [y, z] = [i * w.dilationHeight, j * w.dilationWidth];
        const seen = ops.run(
          'StridedSlice',
          { x: padded },
          {
            begin: [0, y, z, 0],
            end: [N, y + (w.outHeight - 1) * w.strideHeight + 1, z + (w.outWidth - 1) * w.strideWidth + 1, C],
            strides: [1, w.strideHeight, w.strideWidth, 1],
            beginMask: 0,
            endMask: 0,
            ellipsisMask: 0,
            newAxisMask: 0,
            shrinkAxisMask: 0,
          },
        );
        parts.push(
          ops.reshape(ops.sum(ops.mul(ops.reshape(seen, [rows, C, 1]), d), [0]), [1, C, multiplier]),
        );
      }
    }
    return ops.reshape(ops.concat(parts, 0), filterShape);
  });
};

const depthwiseInputGrad: Kernel = (args) => {
  const [dy, filter] = [input(args, 'dy'), input(args, 'filter')];
  const inputShape = args.attrs.inputShape as number[];
  const [kh = 1, kw = 1, C = 1, multiplier = 1] = filter.shape;
  const [N = 0, H = 0, W = 0] = inputShape;
  const w = geometry(inputShape, [kh, kw], args);
  return tidy(() => {
    const turned = ops.reshape(ops.reverse(filter, [0, 1]), [kh, kw, C * multiplier, 1]);
    const r = ops.depthwise(turnedInput(dy, w, inputShape), turned, {
      strides: 1,
      pad: 'valid',
      dilations: [w.dilationHeight, w.dilationWidth],
    });
    return multiplier === 1 ? r : ops.sum(ops.reshape(r, [N, H, W, C, multiplier]), [4]);
  });
};

/** Sums rows of x by segment; negative segments are dropped (the gradient of an embedding). */
const unsortedSegmentSum: Kernel = (args) => {
  const [x, segmentIds] = [input(args, 'x'), input(args, 'segmentIds')];
  const segments = args.attrs.numSegments as number;
  const [xs, ids] = [read(args.backend, x), read(args.backend, segmentIds)];
  const width = ids.length === 0 ? 0 : xs.length / ids.length;
  const out = new Float32Array(segments * width);
  ids.forEach((id, i) => {
    if (id < 0 || id >= segments) return;
    for (let j = 0; j < width; j++)
      out[id * width + j] = (out[id * width + j] ?? 0) + (xs[i * width + j] ?? 0);
  });
  return write(args.backend, out, [segments, ...x.shape.slice(segmentIds.shape.length)]);
};

export const cpuKernels: ReadonlyMap</* kernel name */ string, Kernel> = new Map([
  ['AvgPoolGrad', avgPoolGrad],
  ['ResizeNearestNeighborGrad', resizeNearestGrad],
]);

export const wasmKernels: ReadonlyMap</* kernel name */ string, Kernel> = new Map([
  ...cpuKernels,
  ['MaxPoolGrad', maxPoolGrad],
  ['BatchMatMul', batchMatMul],
  ['Conv2DBackpropFilter', conv2dFilterGrad],
  ['Conv2DBackpropInput', conv2dInputGrad],
  ['DepthwiseConv2dNativeBackpropFilter', depthwiseFilterGrad],
  ['DepthwiseConv2dNativeBackpropInput', depthwiseInputGrad],
  ['UnsortedSegmentSum', unsortedSegmentSum],
]);
