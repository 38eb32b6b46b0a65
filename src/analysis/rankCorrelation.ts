/** Rank correlations of two lists: Spearman's ρ and Kendall's τ-b, their permutation tests and intervals. */
import jstat from 'jstat';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { mersenne } from 'pure-rand/generator/mersenne';
import { mean } from './moments.ts';

/** Up to here every permutation is looked at: 8! = 40320. */
const MOST_EXACT = 8;
const SAMPLED = 4999;
/** Values that differ by rounding alone are equally extreme. */
const ROUNDING = 1e-9;

export interface RankTest {
  /** null where one of the lists is constant, or has fewer than two values. */
  readonly spearman: { readonly value: number; readonly p: number } | null;
  readonly kendall: { readonly value: number; readonly p: number } | null;
  /** Permutations that p counts; every one where `exact`. */
  readonly permutations: number;
  readonly exact: boolean;
}

/** Ranks from 1; equal values share the mean of theirs. */
export function ranks(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
  const result = Array<number>(values.length).fill(0);
  for (let from = 0; from < order.length;) {
    let to = from;
    while (to + 1 < order.length && values[order[to + 1] ?? 0] === values[order[from] ?? 0]) to++;
    for (let k = from; k <= to; k++) result[order[k] ?? 0] = (from + to) / 2 + 1;
    from = to + 1;
  }
  return result;
}

/** Pearson's correlation of the ranks; null where a list is constant. */
export function spearman(x: readonly number[], y: readonly number[]): number | null {
  const [a, b] = [centred(ranks(x)), centred(ranks(y))];
  const scale = Math.sqrt(product(a, a) * product(b, b));
  return scale > 0 ? product(a, b) / scale : null;
}

/** τ-b: concordant less discordant pairs, over the geometric mean of the pairs that are not tied in x and in y. */
export function kendall(x: readonly number[], y: readonly number[]): number | null {
  const [a, b] = [signs(x), signs(y)];
  const scale = Math.sqrt(product(a, a) * product(b, b));
  return scale > 0 ? product(a, b) / scale : null;
}

/**
 * Both correlations with two-sided p: the share of pairings of the two lists whose correlation is as far from 0, of every one
 * for up to 8 values, else of 4999 drawn at random (the pairing itself counted in). The least that p can be is 2/n!.
 */
export function rankTest(x: readonly number[], y: readonly number[], seed: number): RankTest {
  const n = x.length;
  const [rho, tau] = [spearman(x, y), kendall(x, y)];
  const exact = n <= MOST_EXACT;
  if (rho === null || tau === null) return { spearman: null, kendall: null, permutations: 0, exact };
  const [a, b] = [centred(ranks(x)), centred(ranks(y))];
  const signX = squareOf(x);
  const signY = squareOf(y);
  const order = Array.from({ length: n }, (_, i) => i);
  const [rhoSeen, tauSeen] = [Math.abs(paired(a, b, order)), Math.abs(concordance(signX, signY, order))];
  let [count, asRho, asTau] = [0, 0, 0];
  const look = (): void => {
    count++;
    if (Math.abs(paired(a, b, order)) >= rhoSeen - ROUNDING * (1 + rhoSeen)) asRho++;
    if (Math.abs(concordance(signX, signY, order)) >= tauSeen - ROUNDING) asTau++;
  };
  if (exact) {
    everyOrder(order, look);
  } else {
    look();
    const generator = mersenne(seed);
    for (let k = 0; k < SAMPLED; k++) {
      for (let i = n - 1; i > 0; i--) {
        const j = uniformInt(generator, 0, i);
        [order[i], order[j]] = [order[j] ?? 0, order[i] ?? 0];
      }
      look();
    }
  }
  return {
    spearman: { value: rho, p: asRho / count },
    kendall: { value: tau, p: asTau / count },
    permutations: count,
    exact,
  };
}

/**
 * 95 %, by Fisher's z with the standard errors of Bonett & Wright (2000). A perfect order of a few values does not make the
 * correlation of all certain, so z is taken half a transposition short of it, for Kendall, whose error is less normal, a whole
 * one, and Student's t with n − 1 degrees of freedom in place of the normal quantile. Of fewer than ten values a
 * correlation is one of so few that no interval holds the truth just 95 % of the time: there it does so more often.
 * @returns null for too few values: fewer than four, for Kendall five
 */
export function rankInterval(
  of: 'spearman' | 'kendall',
  value: number,
  n: number,
): readonly [number, number] | null {
  const degrees = of === 'spearman' ? n - 3 : n - 4;
  if (degrees < 1) return null;
  const most = 1 - (of === 'spearman' ? 6 / (n ** 3 - n) : 4 / (n * (n - 1)));
  const inside = Math.min(most, Math.max(-most, value));
  const error = Math.sqrt((of === 'spearman' ? 1 + inside ** 2 / 2 : 0.437) / degrees);
  const z = Math.atanh(inside);
  const half = (of === 'spearman' ? 1.96 : jstat.studentt.inv(0.975, n - 1)) * error;
  const [low, high] = [Math.tanh(z - half), Math.tanh(z + half)];
  return [Math.min(low, value), Math.max(high, value)];
}

/** p-values made larger for having looked at several (Holm 1979), in the order given. */
export function holm(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
  const adjusted = Array<number>(values.length).fill(1);
  let largest = 0;
  order.forEach((index, k) => {
    largest = Math.max(largest, Math.min(1, (values.length - k) * (values[index] ?? 1)));
    adjusted[index] = largest;
  });
  return adjusted;
}

const centred = (values: readonly number[]): number[] => {
  const m = mean(values);
  return values.map((value) => value - m);
};

const product = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((s, value, i) => s + value * (b[i] ?? 0), 0);

/** The sign of each difference of two values, pair by pair. */
function signs(values: readonly number[]): number[] {
  return values.flatMap((value, i) => values.slice(i + 1).map((other) => Math.sign(other - value)));
}

/** The same as an antisymmetric matrix, by row. */
function squareOf(values: readonly number[]): Int8Array {
  const n = values.length;
  return Int8Array.from({ length: n * n }, (_, k) =>
    Math.sign((values[k % n] ?? 0) - (values[Math.floor(k / n)] ?? 0)),
  );
}

function paired(a: readonly number[], b: readonly number[], order: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[order[i] ?? 0] ?? 0);
  return sum;
}

function concordance(x: Int8Array, y: Int8Array, order: readonly number[]): number {
  const n = order.length;
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const row = (order[i] ?? 0) * n;
    for (let j = i + 1; j < n; j++) sum += (x[i * n + j] ?? 0) * (y[row + (order[j] ?? 0)] ?? 0);
  }
  return sum;
}

/** Calls `look` with every order of the list, in place (Heap's algorithm). */
function everyOrder(order: number[], look: () => void): void {
  const permute = (size: number): void => {
    if (size <= 1) return look();
    for (let i = 0; i < size; i++) {
      permute(size - 1);
      if (i === size - 1) continue;
      const other = size % 2 === 0 ? i : 0;
      [order[other], order[size - 1]] = [order[size - 1] ?? 0, order[other] ?? 0];
    }
  };
  permute(order.length);
}
