/**
 * The covariance of single samples' gradients, Σ, from the gradients of n batches, through Gram matrices n × n alone: for
 * batch i of b_i samples g_i has the covariance Σ/b_i, so x_i = √b_i·(g_i − ḡ) gives Σ̂ = Σ_i x_i·x_iᵀ/(n − 1), unbiased.
 */
import { Matrix } from 'ml-matrix';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { mersenne } from 'pure-rand/generator/mersenne';
import type { NoiseRank, WithError } from '../protocol/noise.ts';
import { eigenSymmetric } from './eigen.ts';
import { mean } from './moments.ts';

type Gram = readonly (readonly number[])[];

/** Share of the trace that the directions hold. */
const SHARE = 0.9;
/** Random subsets of each size. */
const SUBSETS = 20;
const FEWEST_OF_SUBSET = 3;

/**
 * How many directions the noise has. Σ̂ has n − 1 at most, so a number near that is a lower bound; the same count from half
 * and a quarter of the batches tells whether it still grows.
 *
 * @param gram of the gradients less any one vector, best their mean
 * @param samples of each batch
 */
export function noiseRank(
  gram: Gram,
  samples: readonly number[],
  parameters: number,
  seed: number,
): NoiseRank {
  const all = samples.map((_, i) => i);
  const eigenvalues = eigenvaluesOf(gram, samples, all);
  const directions = directionsFor(eigenvalues);
  const generator = mersenne(seed);
  const growth = [4, 2].flatMap((part) => {
    const size = Math.floor(samples.length / part);
    if (size < FEWEST_OF_SUBSET) return [];
    const counts = Array.from({ length: SUBSETS }, () => {
      const order = [...all];
      for (let i = 0; i < size; i++) {
        const other = uniformInt(generator, i, order.length - 1);
        [order[i], order[other]] = [order[other] ?? 0, order[i] ?? 0];
      }
      return directionsFor(eigenvaluesOf(gram, samples, order.slice(0, size)));
    });
    return [{ batches: size, directions: mean(counts) }];
  });
  const half = growth.at(-1)?.directions;
  return {
    directions,
    share: SHARE,
    limit: Math.min(parameters, samples.length - 1),
    parameters,
    growth: [...growth, { batches: samples.length, directions }],
    resolved:
      directions === parameters ||
      (half !== undefined && directions - half <= Math.max(0.5, 0.1 * directions)),
    participation: participation(gram, samples),
    eigenvalues,
  };
}

/** Of Σ̂ from some of the batches, largest first, the n − 1 that it has. */
function eigenvaluesOf(gram: Gram, samples: readonly number[], chosen: readonly number[]): number[] {
  const scaled = scaledGram(gram, samples, chosen);
  const { values } = eigenSymmetric(new Matrix(scaled).mul(1 / (chosen.length - 1)));
  return values.slice(0, -1).map((value) => Math.max(0, value));
}

/** x_i·x_j of the batches chosen, centred at their own mean. */
function scaledGram(gram: Gram, samples: readonly number[], chosen: readonly number[]): number[][] {
  const total = chosen.reduce((s, i) => s + (samples[i] ?? 0), 0);
  const weight = (i: number): number => (samples[i] ?? 0) / total;
  const entry = (i: number, j: number): number => gram[i]?.[j] ?? NaN;
  const toMean = chosen.map((i) => chosen.reduce((s, j) => s + weight(j) * entry(i, j), 0));
  const middle = chosen.reduce((s, i, k) => s + weight(i) * (toMean[k] ?? 0), 0);
  return chosen.map((i, k) =>
    chosen.map(
      (j, l) =>
        Math.sqrt((samples[i] ?? 0) * (samples[j] ?? 0)) *
        (entry(i, j) - (toMean[k] ?? 0) - (toMean[l] ?? 0) + middle),
    ),
  );
}

function directionsFor(eigenvalues: readonly number[]): number {
  const total = eigenvalues.reduce((s, x) => s + x, 0);
  if (!(total > 0)) return 0;
  let sum = 0;
  const enough = eigenvalues.findIndex((x) => (sum += x) >= SHARE * total * (1 - 1e-12));
  return enough === -1 ? eigenvalues.length : enough + 1;
}

/**
 * (tr Σ)²/tr Σ² with the U-statistic of Chen, Zhang & Zhong (2010) for tr Σ², which is unbiased whatever the distribution
 * of the gradients (where batches are of one size); its error by the jackknife, on the reciprocal.
 */
function participation(gram: Gram, samples: readonly number[]): WithError {
  const n = samples.length;
  const scaled = scaledGram(
    gram,
    samples,
    samples.map((_, i) => i),
  );
  const reciprocal = (without: number | null): number => {
    const kept = samples.flatMap((_, i) => (i === without ? [] : [i]));
    const m = kept.length;
    const rows = kept.map((i) => kept.map((j) => scaled[i]?.[j] ?? NaN));
    let [squares, pairs, own, chains] = [0, 0, 0, 0];
    rows.forEach((row, i) => {
      let sum = 0;
      row.forEach((x, j) => {
        if (i === j) own += x;
        else [squares, sum] = [squares + x * x, sum + x];
      });
      pairs += sum;
      chains += sum * sum;
    });
    chains -= squares;
    const apart = pairs * pairs - 4 * chains - 2 * squares;
    const p2 = m * (m - 1);
    const ofSquare = squares / p2 - (2 * chains) / (p2 * (m - 2)) + apart / (p2 * (m - 2) * (m - 3));
    const trace = own / m - pairs / p2;
    return ofSquare / trace ** 2;
  };
  const whole = reciprocal(null);
  if (!(whole > 0) || !Number.isFinite(whole)) return { value: null, standardError: null };
  if (n < 5) return { value: 1 / whole, standardError: null };
  const { standardError } = jackknife(n, whole, (i) => reciprocal(i));
  // A reciprocal that may be zero leaves the number without an upper end.
  if (standardError === null || whole < 2 * standardError) return { value: null, standardError: null };
  return { value: 1 / whole, standardError: standardError / whole ** 2 };
}

/** An estimate with the standard error of the delete-one jackknife. @param without the estimate without the i-th */
export function jackknife(
  n: number,
  value: number,
  without: (i: number) => number,
): { value: number; standardError: number | null } {
  const left = Array.from({ length: n }, (_, i) => without(i));
  const middle = mean(left);
  const variance = ((n - 1) / n) * left.reduce((s, x) => s + (x - middle) ** 2, 0);
  return { value, standardError: Number.isFinite(variance) ? Math.sqrt(variance) : null };
}

/**
 * Σ_i q_i/Σ_i p_i for quadratic forms q_i = x_iᵀA·x_i and p_i = x_iᵀC·x_i of the centred batches: tr(AΣ)/tr(CΣ). Without one batch
 * the others are centred anew, which takes B/(B − b_i) times its own form away.
 */
export function ratioOfForms(
  above: readonly number[],
  below: readonly number[],
  samples: readonly number[],
): { value: number; standardError: number | null } {
  const total = samples.reduce((s, b) => s + b, 0);
  const sum = (values: readonly number[]): number => values.reduce((s, x) => s + x, 0);
  const [a, b] = [sum(above), sum(below)];
  return jackknife(samples.length, a / b, (i) => {
    const factor = total / (total - (samples[i] ?? 0));
    return (a - factor * (above[i] ?? 0)) / (b - factor * (below[i] ?? 0));
  });
}
