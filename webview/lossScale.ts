/** From a grid of losses to positions on a colour ramp and to round levels for isolines. */
import type { Maybe } from '../src/protocol/result.ts';

export type ScaleKind = 'log' | 'linear';

export interface LossScale {
  readonly kind: ScaleKind;
  /** Smallest and largest finite loss. */
  readonly min: number;
  readonly max: number;
  /** Round values strictly between min and max, ascending. */
  readonly levels: readonly number[];
  /** Loss to its position, 0 at min, 1 at max; monotone, so isolines are the same on either side. */
  readonly toUnit: (loss: number) => number;
  readonly fromUnit: (unit: number) => number;
}

/** Multiples of a power of ten that count as round, from coarse to fine. */
const MANTISSAS: readonly (readonly number[])[] = [
  [1],
  [1, 3],
  [1, 2, 5],
  [1, 1.5, 2, 3, 5, 7],
  [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8],
];

/** All values of one or more grids. Array.flat takes thirty times as long. */
export function valuesOf(...grids: readonly (readonly (readonly Maybe[])[])[]): Maybe[] {
  const values: Maybe[] = [];
  for (const rows of grids) for (const row of rows) for (const value of row) values.push(value);
  return values;
}

/** null when no value is finite. A log scale needs positive losses and falls back to a linear one without them. */
export function lossScale(values: Iterable<Maybe>, kind: ScaleKind, wanted = 9): LossScale | null {
  let min = Infinity;
  let max = -Infinity;
  for (const value of values) {
    if (value === null || !Number.isFinite(value)) continue;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  if (min > max) return null;
  const used: ScaleKind = kind === 'log' && min > 0 ? 'log' : 'linear';
  const forward = used === 'log' ? Math.log10 : (x: number) => x;
  const back = used === 'log' ? (u: number) => 10 ** u : (u: number) => u;
  const low = forward(min);
  const span = forward(max) - low;
  return {
    kind: used,
    min,
    max,
    levels: used === 'log' ? logLevels(min, max, wanted) : linearLevels(min, max, wanted),
    // A flat landscape has no span: everything sits in the middle.
    toUnit: (loss) => (span > 0 ? (forward(loss) - low) / span : 0.5),
    fromUnit: (unit) => back(low + unit * span),
  };
}

/** Round values in (min, max): the set whose number is closest to the wanted one. */
export function logLevels(min: number, max: number, wanted: number): number[] {
  let best: number[] = [];
  for (const mantissas of MANTISSAS) {
    const levels: number[] = [];
    for (let power = Math.floor(Math.log10(min)); power <= Math.ceil(Math.log10(max)); power++) {
      for (const m of mantissas) {
        const level = Number((m * 10 ** power).toPrecision(6));
        if (level > min && level < max) levels.push(level);
      }
    }
    if (Math.abs(levels.length - wanted) <= Math.abs(best.length - wanted)) best = levels;
  }
  // Less than a factor of two or so: even steps are rounder than any mantissa.
  return best.length >= Math.min(5, wanted / 2) ? best : linearLevels(min, max, wanted);
}

/** Multiples of 1, 2 or 5 times a power of ten in (min, max), about as many as wanted. */
export function linearLevels(min: number, max: number, wanted: number): number[] {
  if (!(max > min)) return [];
  const raw = (max - min) / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw) ?? 10 * power;
  const levels: number[] = [];
  for (let k = Math.ceil(min / step); k * step < max; k++) {
    if (k * step > min) levels.push(Number((k * step).toPrecision(10)));
  }
  return levels;
}
