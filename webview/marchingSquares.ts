/**
 * Marching squares for many thresholds in one pass: a cell is looked at once and costs only for the thresholds that lie
 * between its corners. d3-contour, which the tests hold this against, visits every cell for every threshold: most of what
 * drawing a fine contour took.
 */

/** Points one after the other: x, y, x, y, … A ring repeats its first point at its end. */
export type Polyline = Float64Array;

/** Where the values are: `x` of length nx, `y` of length ny, both ascending. */
export interface Axes {
  readonly x: readonly number[];
  readonly y: readonly number[];
}

/** Of a cell's four edges, which a line comes in by and leaves by, by which of its corners are above. */
const [SOUTH, EAST, NORTH, WEST] = [0, 1, 2, 3];
/** Bits: 1 south-west, 2 south-east, 4 north-east, 8 north-west. What is above lies to the left. Saddles part what is above. */
const SEGMENTS: readonly (readonly number[])[] = [
  [],
  [SOUTH, WEST],
  [EAST, SOUTH],
  [EAST, WEST],
  [NORTH, EAST],
  [SOUTH, WEST, NORTH, EAST],
  [NORTH, SOUTH],
  [NORTH, WEST],
  [WEST, NORTH],
  [SOUTH, NORTH],
  [EAST, SOUTH, WEST, NORTH],
  [EAST, NORTH],
  [WEST, EAST],
  [SOUTH, EAST],
  [WEST, SOUTH],
  [],
];

/**
 * The regions of values that are at least each threshold, as rings, outer ones and holes winding oppositely. What
 * reaches the outermost values is closed along the frame, from corner to corner.
 * @param values ny rows of nx, row by row; NaN counts as below every threshold
 * @param thresholds ascending
 * @returns rings of each threshold
 */
export function traceRings(
  { x, y }: Axes,
  values: Float64Array,
  thresholds: readonly number[],
): Polyline[][] {
  const [nx, ny] = [x.length, y.length];
  // A rim of nodes around the grid that are below everything closes every line; it lies on the frame.
  const [width, height] = [nx + 2, ny + 2];
  const value = new Float64Array(width * height).fill(-Infinity);
  /** How many thresholds a node reaches. */
  const reached = new Int32Array(width * height);
  for (let j = 0; j < ny; j++) {
    for (let i = 0; i < nx; i++) {
      const one = values[j * nx + i] ?? NaN;
      if (Number.isNaN(one)) continue;
      const node = (j + 1) * width + i + 1;
      value[node] = one;
      reached[node] = countUpTo(thresholds, one);
    }
  }
  // Edges by their lower or left node: even ones go along x, odd ones along y.
  const around = [0, 3, 2 * width, 1];
  const segments: number[][] = thresholds.map(() => []);
  for (let j = 0; j + 1 < height; j++) {
    for (let i = 0; i + 1 < width; i++) {
      const node = j * width + i;
      const a = reached[node] ?? 0;
      const b = reached[node + 1] ?? 0;
      const c = reached[node + 1 + width] ?? 0;
      const d = reached[node + width] ?? 0;
      if (a === b && b === c && c === d) continue;
      const most = Math.max(a, b, c, d);
      for (let k = Math.min(a, b, c, d); k < most; k++) {
        const corners = (a > k ? 1 : 0) | (b > k ? 2 : 0) | (c > k ? 4 : 0) | (d > k ? 8 : 0);
        const found = SEGMENTS[corners] ?? [];
        for (const edge of found) segments[k]?.push(2 * node + (around[edge] ?? 0));
      }
    }
  }

  /** Where a line that came by an edge goes on; -1 once it has been followed. */
  const next = new Int32Array(2 * width * height);
  return thresholds.map((threshold, k) => {
    const all = segments[k] ?? [];
    for (let s = 0; s < all.length; s += 2) next[all[s] ?? 0] = all[s + 1] ?? 0;
    const ring = new RingWriter({ x, y }, all.length / 2);
    const rings: Polyline[] = [];
    for (let s = 0; s < all.length; s += 2) {
      const start = all[s] ?? 0;
      if (next[start] === -1) continue;
      let edge = start;
      while (next[edge] !== -1) {
        const node = edge >> 1;
        const along = (edge & 1) === 0;
        const share = between(threshold, value[node] ?? NaN, value[node + (along ? 1 : width)] ?? NaN);
        const [i, j] = [(node % width) - 1, Math.floor(node / width) - 1];
        ring.add(at(x, i, along ? share : 0), at(y, j, along ? 0 : share));
        const to = next[edge] ?? -1;
        next[edge] = -1;
        edge = to;
      }
      rings.push(ring.close());
    }
    return rings;
  });
}

/** How many of ascending thresholds are at most a value. */
function countUpTo(thresholds: readonly number[], value: number): number {
  let [low, high] = [0, thresholds.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((thresholds[middle] ?? Infinity) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How far along an edge its value is the threshold; where an end is infinite, at the other one. */
function between(threshold: number, from: number, to: number): number {
  const share = (threshold - from) / (to - from);
  return Number.isNaN(share) ? 1 : share;
}

/** The coordinate at an index and a share of the way to the next one; the rim lies on the frame. */
function at(along: readonly number[], index: number, share: number): number {
  const last = along.length - 1;
  if (index < 0) return along[0] ?? 0;
  if (index >= last) return along[last] ?? 0;
  const from = along[index] ?? 0;
  return share === 0 ? from : from + share * ((along[index + 1] ?? 0) - from);
}

/** Collects one ring after the other, without the points between a stretch of the frame's ends. */
class RingWriter {
  private readonly points: Float64Array;
  private length = 0;
  private readonly frame;

  /** @param most points of the longest ring */
  constructor({ x, y }: Axes, most: number) {
    this.points = new Float64Array(2 * most + 2);
    this.frame = { left: x[0], right: x.at(-1), bottom: y[0], top: y.at(-1) };
  }

  add(x: number, y: number): void {
    const { points, length, frame } = this;
    if (length >= 2 && points[length - 2] === x && points[length - 1] === y) return;
    if (length >= 4) {
      const alongX = points[length - 4] === x && points[length - 2] === x;
      const alongY = points[length - 3] === y && points[length - 1] === y;
      if (
        (alongX && (x === frame.left || x === frame.right)) ||
        (alongY && (y === frame.bottom || y === frame.top))
      )
        this.length -= 2;
    }
    points[this.length] = x;
    points[this.length + 1] = y;
    this.length += 2;
  }

  close(): Polyline {
    this.add(this.points[0] ?? 0, this.points[1] ?? 0);
    const ring = this.points.slice(0, this.length);
    this.length = 0;
    return ring;
  }
}
