/** Window geometry of 2-D convolution and pooling (NHWC): output size and padding, as TensorFlow defines them. */

export type Padding = 'valid' | 'same' | number | readonly (readonly [number, number])[];

export interface Window2D {
  readonly outHeight: number;
  readonly outWidth: number;
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
  readonly strideHeight: number;
  readonly strideWidth: number;
  readonly dilationHeight: number;
  readonly dilationWidth: number;
  /** Filter size with its dilation. */
  readonly spanHeight: number;
  readonly spanWidth: number;
}

export type Pair = number | readonly number[] | undefined;
const pair = (x: Pair): [number, number] =>
  typeof x === 'number' ? [x, x] : [x?.[0] ?? 1, x?.[1] ?? x?.[0] ?? 1];

interface Side {
  readonly out: number;
  readonly before: number;
  readonly after: number;
}

function side(
  input: number,
  span: number,
  stride: number,
  padding: 'valid' | 'same' | readonly [number, number],
  rounding: string,
): Side {
  if (padding === 'same') {
    const out = Math.ceil(input / stride);
    const needed = Math.max(0, (out - 1) * stride + span - input);
    const before = Math.floor(needed / 2);
    return { out, before, after: needed - before };
  }
  const [before, after] = padding === 'valid' ? [0, 0] : padding;
  const steps = (input + before + after - span) / stride;
  const whole =
    rounding === 'round' ? Math.round(steps) : rounding === 'ceil' ? Math.ceil(steps) : Math.floor(steps);
  return { out: whole + 1, before, after };
}

/** @param shape of the input, NHWC */
export function window2d(
  shape: readonly number[],
  filter: Pair,
  strides: Pair,
  dilations: Pair,
  padding: Padding,
  rounding = 'floor',
): Window2D {
  const [fh, fw] = pair(filter);
  const [strideHeight, strideWidth] = pair(strides);
  const [dilationHeight, dilationWidth] = pair(dilations);
  const spanHeight = (fh - 1) * dilationHeight + 1;
  const spanWidth = (fw - 1) * dilationWidth + 1;
  const of = (axis: 1 | 2): 'valid' | 'same' | readonly [number, number] =>
    typeof padding === 'string'
      ? padding
      : typeof padding === 'number'
        ? [padding, padding]
        : (padding[axis] ?? [0, 0]);
  const h = side(shape[1] ?? 0, spanHeight, strideHeight, of(1), rounding);
  const w = side(shape[2] ?? 0, spanWidth, strideWidth, of(2), rounding);
  return {
    outHeight: h.out,
    outWidth: w.out,
    top: h.before,
    bottom: h.after,
    left: w.before,
    right: w.after,
    strideHeight,
    strideWidth,
    dilationHeight,
    dilationWidth,
    spanHeight,
    spanWidth,
  };
}
