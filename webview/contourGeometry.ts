/** Isobands and isolines of a loss grid, in the plane's own coordinates. No charts here. */
import { contours } from 'd3-contour';
import type { Maybe } from '../src/protocol/result.ts';

export type Point = readonly [number, number];
/** Points one after the other: x, y, x, y, … A ring repeats its first point at its end. */
export type Polyline = Float64Array;

export interface Grid {
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** One row per y, one value per x. */
  readonly loss: readonly (readonly Maybe[])[];
}

export interface Isoband {
  /** The region where the value is at least this. */
  readonly value: number;
  /** Outer ones and holes, which wind oppositely. */
  readonly rings: readonly Polyline[];
}

export interface Isoline {
  readonly value: number;
  /** Open or closed polylines; the frame of the grid is not part of them. */
  readonly lines: readonly Polyline[];
}

/** A grid point as the rectangle around it, for drawing without interpolation. */
export interface Cell {
  readonly x: Point;
  readonly y: Point;
  readonly loss: Maybe;
}

/**
 * Marching squares (d3-contour) on `toUnit(loss)` at ascending thresholds. Interpolating in the scale's own
 * unit keeps isolines of a log scale smooth. d3-contour puts value (i, j) at (i + ½, j + ½): half a cell is
 * taken off, and what reaches over the outermost points is clamped to them. Losses that are missing count
 * as above every threshold; the caller draws them as missing on top.
 */
export function isobands(
  grid: Grid,
  toUnit: (loss: number) => number,
  thresholds: readonly number[],
): Isoband[] {
  const [nx, ny] = [grid.x.length, grid.y.length];
  if (nx < 2 || ny < 2) return [];
  const above = Math.max(1, ...thresholds) + 1;
  const values: number[] = [];
  for (const row of grid.loss) for (const loss of row) values.push(loss === null ? above : toUnit(loss));
  return contours()
    .size([nx, ny])
    .thresholds([...thresholds])(values)
    .map(({ value, coordinates }) => ({
      value,
      rings: coordinates.flatMap((polygon) => polygon.map((ring) => placed(ring, grid))),
    }));
}

/** A ring of d3-contour's in the grid's coordinates. */
function placed(ring: readonly (readonly number[])[], { x, y }: Grid): Polyline {
  const points = new Float64Array(2 * ring.length);
  ring.forEach(([column = 0, row = 0], k) => {
    points[2 * k] = coordinate(x, column - 0.5);
    points[2 * k + 1] = coordinate(y, row - 0.5);
  });
  return points;
}

/** At a fractional index, clamped to the axis. */
function coordinate(along: readonly number[], index: number): number {
  const last = along.length - 1;
  const at = Math.min(last, Math.max(0, index));
  const low = Math.min(last - 1, Math.floor(at));
  const from = along[low] ?? 0;
  return from + (at - low) * ((along[low + 1] ?? 0) - from);
}

/** The bands' boundaries without the stretches that only follow the grid's frame. */
export function isolines(bands: readonly Isoband[], grid: Grid): Isoline[] {
  const [x0, x1] = [grid.x[0], grid.x.at(-1)];
  const [y0, y1] = [grid.y[0], grid.y.at(-1)];
  /** From and to which index of a ring it lies inside of the frame, points that lie on it at either end. */
  const inside = (ring: Polyline): (readonly [from: number, to: number])[] => {
    const stretches: (readonly [number, number])[] = [];
    const end = ring.length - 2;
    let from = 0;
    for (let k = 2; k <= end; k += 2) {
      const [ax, ay, bx, by] = [ring[k - 2], ring[k - 1], ring[k], ring[k + 1]];
      const onFrame = (ax === bx && (ax === x0 || ax === x1)) || (ay === by && (ay === y0 || ay === y1));
      if (!onFrame) continue;
      if (k - 2 > from) stretches.push([from, k - 2]);
      from = k;
    }
    if (end > from) stretches.push([from, end]);
    return stretches;
  };
  return bands.map(({ value, rings }) => ({
    value,
    lines: rings.flatMap((ring) => {
      const stretches = inside(ring);
      const lines = stretches.map(([from, to]) => ring.subarray(from, to + 2));
      const [first, last] = [stretches[0], stretches.at(-1)];
      if (lines.length < 2 || first?.[0] !== 0 || last?.[1] !== ring.length - 2) return lines;
      // The ring was begun in the middle of a line: its two parts are one.
      const whole = new Float64Array([...ring.subarray(last[0], last[1]), ...ring.subarray(0, first[1] + 2)]);
      return [whole, ...lines.slice(1, -1)];
    }),
  }));
}

/**
 * The finest regular sub-grid, both ends included, of which every value is known: what a picture that is being
 * refined may interpolate between. null when not even its corners are.
 */
export function knownLattice(grid: Grid): { stride: number; grid: Grid } | null {
  const [nx, ny] = [grid.x.length, grid.y.length];
  for (let stride = 1; stride < Math.min(nx, ny); stride++) {
    if ((nx - 1) % stride !== 0 || (ny - 1) % stride !== 0) continue;
    const keep = <T>(values: readonly T[]): T[] => values.filter((_, i) => i % stride === 0);
    const loss = keep(grid.loss).map(keep);
    if (loss.length < 2 || loss.some((row) => row.some((value) => value === null))) continue;
    return { stride, grid: { x: keep(grid.x), y: keep(grid.y), loss } };
  }
  return null;
}

/** Cells of the points that `wanted` selects, each reaching half-way to its neighbours, clamped to the frame. */
export function cells(grid: Grid, wanted: (loss: Maybe, i: number, j: number) => boolean): Cell[] {
  const reach = (along: readonly number[], i: number): Point => {
    const here = along[i] ?? 0;
    return [(here + (along[i - 1] ?? here)) / 2, (here + (along[i + 1] ?? here)) / 2];
  };
  return grid.loss.flatMap((row, j) =>
    row.flatMap((loss, i) =>
      wanted(loss, i, j) ? [{ x: reach(grid.x, i), y: reach(grid.y, j), loss }] : [],
    ),
  );
}

/** Index of the entry closest to a value in ascending numbers. */
export function nearestIndex(sorted: readonly number[], value: number): number {
  let best = 0;
  for (let i = 1; i < sorted.length; i++) {
    if (Math.abs((sorted[i] ?? 0) - value) < Math.abs((sorted[best] ?? 0) - value)) best = i;
  }
  return best;
}

/** The value between four grid points; null outside of the grid and where one of them is missing. */
export function bilinear({ x, y, loss }: Grid, [px, py]: Point): Maybe {
  const [i, u] = cellOf(x, px);
  const [j, v] = cellOf(y, py);
  if (u < 0 || u > 1 || v < 0 || v > 1) return null;
  const at = (row: number, column: number): number => loss[row]?.[column] ?? NaN;
  const low = (1 - u) * at(j, i) + u * at(j, i + 1);
  const high = (1 - u) * at(j + 1, i) + u * at(j + 1, i + 1);
  const value = (1 - v) * low + v * high;
  return Number.isFinite(value) ? value : null;
}

/** Which interval of an ascending axis a coordinate is in, and how far along. */
function cellOf(along: readonly number[], at: number): readonly [index: number, share: number] {
  const last = along.length - 2;
  let index = 0;
  while (index < last && at > (along[index + 1] ?? Infinity)) index++;
  const [a = 0, b = 1] = [along[index], along[index + 1]];
  return [index, (at - a) / (b - a)];
}
