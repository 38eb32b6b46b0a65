/**
 * The hidden units of one network in the order of another's: weight matching (Ainsworth, Hayase & Srinivasa, "Git
 * Re-Basin", 2023, algorithm 1). Layer by layer the permutation that maximises ⟨θ_A, π(θ_B)⟩ with those of the other layers
 * held still, which is a linear assignment problem; again until no layer changes. Each change raises the product, so it ends.
 */
import { linearSumAssignment } from 'linear-sum-assignment';
import { Matrix } from 'ml-matrix';
import type { HiddenUnits, UnitAxis } from './hiddenUnits.ts';

/** Values of one model by tensor, flat. */
export type Tensors = ReadonlyMap</* tensor name */ string, Float32Array>;

/** A gain below this share of the product is rounding: two units alike would change places for ever. */
const ROUNDING = 1e-12;
const MOST_ROUNDS = 100;

export interface Matching {
  /** `b` with its units in the order of `a`; tensors without hidden units are `b`'s own. */
  readonly matched: Map<string, Float32Array>;
  /** Of each group: the unit of `b` that stands in the place of each of `a`'s. */
  readonly orders: readonly (readonly number[])[];
  /** Times that all layers were gone through; the last one changed nothing. */
  readonly rounds: number;
}

/**
 * From the order that is there, and from each layer's best order by what comes into it alone, in the order of the layers,
 * which finds a permuted copy whatever comes after; the better of the two ends.
 * @param b of the same shapes as `a`; left as it is
 */
export function weightMatching(a: Tensors, b: Tensors, groups: readonly HiddenUnits[]): Matching {
  const [there, forward] = [start(b, groups), start(b, groups)];
  for (const [k, group] of groups.entries()) {
    const inwards = { ...group, axes: group.axes.slice(0, -1) };
    take(forward, groups, k, assignment(similarities(a, forward.matched, inwards)));
  }
  const [first, second] = [climb(a, there, groups), climb(a, forward, groups)];
  return first.product > second.product ? first : second;
}

interface Climbing {
  readonly matched: Map<string, Float32Array>;
  readonly orders: number[][];
}

const start = (b: Tensors, groups: readonly HiddenUnits[]): Climbing => ({
  matched: new Map(b),
  orders: groups.map(({ units }) => Array.from({ length: units }, (_, i) => i)),
});

function take(
  { matched, orders }: Climbing,
  groups: readonly HiddenUnits[],
  k: number,
  order: readonly number[],
): void {
  for (const axis of groups[k]?.axes ?? []) reorder(matched, axis, order);
  const before = orders[k] ?? [];
  orders[k] = order.map((j) => before[j] ?? j);
}

function climb(
  a: Tensors,
  from: Climbing,
  groups: readonly HiddenUnits[],
): Matching & { readonly product: number } {
  let rounds = 0;
  for (let changed = true; changed && rounds < MOST_ROUNDS; rounds++) {
    changed = false;
    for (const [k, group] of groups.entries()) {
      const similarity = similarities(a, from.matched, group);
      const order = assignment(similarity);
      const gain = order.reduce((s, j, i) => s + similarity.get(i, j) - similarity.get(i, i), 0);
      const scale = order.reduce((s, j, i) => s + Math.abs(similarity.get(i, j)), 0);
      if (!(gain > ROUNDING * scale)) continue;
      changed = true;
      take(from, groups, k, order);
    }
  }
  let product = 0;
  for (const name of new Set(
    groups.flatMap(({ axes }) => axes.filter((x) => !x.statistics).map((x) => x.tensor)),
  )) {
    const [left, right] = [a.get(name), from.matched.get(name)];
    left?.forEach((value, i) => (product += value * (right?.[i] ?? 0)));
  }
  return { ...from, rounds, product };
}

/** A copy of a model with the units of one group in another order: unit `order[i]` comes to stand at i. */
export function permuted(
  of: Tensors,
  { axes }: HiddenUnits,
  order: readonly number[],
): Map<string, Float32Array> {
  const copy = new Map(of);
  for (const axis of axes) reorder(copy, axis, order);
  return copy;
}

/** The columns whose sum over the rows is largest, one a row, none twice. */
export function assignment(similarity: Matrix): number[] {
  return [...linearSumAssignment(similarity, { maximaze: true }).rowAssignments];
}

/** Row i, column j: the product of all of a's weights at unit i with b's at unit j. */
function similarities(a: Tensors, b: Tensors, { units, axes }: HiddenUnits): Matrix {
  const sums = Matrix.zeros(units, units);
  for (const axis of axes) {
    // Running statistics are moved with their units, but are on a scale of their own.
    if (axis.statistics) continue;
    const [left, right] = [a.get(axis.tensor), b.get(axis.tensor)];
    if (left === undefined || right === undefined) continue;
    sums.add(rows(left, axis).mmul(rows(right, axis).transpose()));
  }
  return sums;
}

/** A tensor as a matrix with one row a unit. */
function rows(values: Float32Array, { before, units, after }: UnitAxis): Matrix {
  const matrix = Matrix.zeros(units, before * after);
  for (let outer = 0; outer < before; outer++) {
    for (let unit = 0; unit < units; unit++) {
      const from = (outer * units + unit) * after;
      for (let inner = 0; inner < after; inner++) {
        matrix.set(unit, outer * after + inner, values[from + inner] ?? NaN);
      }
    }
  }
  return matrix;
}

/** Puts a copy of the tensor, in the new order, into the place of it. */
function reorder(of: Map<string, Float32Array>, axis: UnitAxis, order: readonly number[]): void {
  const values = of.get(axis.tensor);
  if (values === undefined) return;
  const { before, units, after } = axis;
  const moved = new Float32Array(values.length);
  for (let outer = 0; outer < before; outer++) {
    order.forEach((from, to) => {
      const begin = (outer * units + from) * after;
      moved.set(values.subarray(begin, begin + after), (outer * units + to) * after);
    });
  }
  of.set(axis.tensor, moved);
}
