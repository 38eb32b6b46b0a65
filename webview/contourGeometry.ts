/** Isobands and isolines of a loss grid, in the plane's own coordinates. No charts here. */
import { contours } from 'd3-contour';
import type { Maybe } from '../src/protocol/result.ts';

export type Point = readonly [number, number];
/** A closed ring; the first point is repeated at the end. Outer rings and holes wind oppositely. */
export type Ring = readonly Point[];

export interface Grid {
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** One row per y, one value per x. */
  readonly loss: readonly (readonly Maybe[])[];
}

export interface Isoband {
  /** The region where the value is at least this. */
  readonly value: number;
  readonly rings: readonly Ring[];
}

export interface Isoline {
  readonly value: number;
  /** Open or closed polylines; the frame of the grid is not part of them. */
  readonly lines: readonly (readonly Point[])[];
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
  const values = grid.loss.flatMap((row) => row.map((loss) => (loss === null ? above : toUnit(loss))));
  const place = (position: number, along: readonly number[]): number => {
    const index = Math.min(along.length - 1, Math.max(0, position - 0.5));
    const low = Math.min(along.length - 2, Math.floor(index));
    const [a, b] = [along[low] ?? 0, along[low + 1] ?? 0];
    return a + (index - low) * (b - a);
  };
  return contours()
    .size([nx, ny])
    .thresholds([...thresholds])(values)
    .map(({ value, coordinates }) => ({
      value,
      rings: coordinates
        .flat()
        .map((ring) => ring.map(([cx, cy]) => [place(cx ?? 0, grid.x), place(cy ?? 0, grid.y)] as const)),
    }));
}

/** The bands' boundaries without the stretches that only follow the grid's frame. */
export function isolines(bands: readonly Isoband[], grid: Grid): Isoline[] {
  const [x0, x1] = [grid.x[0], grid.x.at(-1)];
  const [y0, y1] = [grid.y[0], grid.y.at(-1)];
  const onFrame = (a: Point, b: Point): boolean =>
    (a[0] === b[0] && (a[0] === x0 || a[0] === x1)) || (a[1] === b[1] && (a[1] === y0 || a[1] === y1));
  return bands.map(({ value, rings }) => {
    const lines: Point[][] = [];
    for (const ring of rings) {
      let line: Point[] = [];
      for (let k = 1; k < ring.length; k++) {
        const [a, b] = [ring[k - 1], ring[k]];
        if (!a || !b) continue;
        if (onFrame(a, b)) {
          if (line.length > 1) lines.push(line);
          line = [];
        } else {
          if (line.length === 0) line.push(a);
          line.push(b);
        }
      }
      if (line.length > 1) lines.push(line);
    }
    return { value, lines };
  });
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
