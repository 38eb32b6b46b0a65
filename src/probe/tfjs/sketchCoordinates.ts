/** Which coordinates of the weights the sketch samples: the same for the same layout, in every process. */
import { SKETCH_MAX_DIMENSION } from '../../protocol/sketch.ts';
import type { Coordinates } from './weightReader.ts';

export interface SketchPlan {
  readonly dimension: number;
  /** √(n/m): keeps squared distances in expectation. */
  readonly scale: number;
  readonly coordinates: Coordinates;
}

/**
 * Stratified: the flat vector is cut into m equal stretches and one coordinate is drawn from each, so that every layer
 * is seen in proportion to its size.
 *
 * @param sizes number of elements of each parameter
 */
export function planSketch(sizes: readonly number[]): SketchPlan {
  const n = sizes.reduce((a, b) => a + b, 0);
  const m = Math.min(n, SKETCH_MAX_DIMENSION);
  const chosen: number[][] = sizes.map(() => []);
  let tensor = 0;
  let start = 0;
  for (let i = 0; i < m; i++) {
    const from = Math.floor((i * n) / m);
    const to = Math.floor(((i + 1) * n) / m);
    const flat = from + Math.floor(hashToUnit(i) * (to - from));
    while (flat >= start + (sizes[tensor] ?? Infinity)) start += sizes[tensor++] ?? 0;
    chosen[tensor]?.push(flat - start);
  }
  const parts = chosen.flatMap((indices, i) =>
    indices.length === 0 ? [] : [{ tensor: i, indices: Int32Array.from(indices) }],
  );
  return { dimension: m, scale: Math.sqrt(n / m), coordinates: { count: m, parts } };
}

/** A fixed hash of an integer to [0, 1) (the finaliser of MurmurHash3): no random stream is touched. */
function hashToUnit(i: number): number {
  let h = Math.imul(i + 1, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}
