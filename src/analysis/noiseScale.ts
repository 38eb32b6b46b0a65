/**
 * The gradient noise scale of McCandlish et al. 2018 ("An Empirical Model of Large-Batch Training"), B = tr Σ / ‖∇L‖²,
 * with Σ the covariance of one sample's gradient: batches far smaller than B are mostly noise, far larger ones waste
 * samples. Estimated from the gradients of m batches at one and the same weights, through their Gram matrix alone.
 */
import jstat from 'jstat';
import { BasinError } from '../protocol/errors.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { howToEvaluate, lossAt, type Evaluation } from './model.ts';
import { positiveInterval } from './positiveInterval.ts';
import { withVectors } from './vectors.ts';

export interface NoiseScale {
  /** ‖∇L‖², unbiased: the mean of g_i·g_j over pairs of different batches. Negative where noise hides it. */
  readonly signal: number;
  readonly signalStandardError: number;
  /** tr Σ, unbiased: the mean of b_i·(‖g_i‖² − signal). */
  readonly noise: number;
  readonly noiseStandardError: number;
  /** B = noise/signal in samples; null where the signal is not above 0. */
  readonly value: number | null;
  /** Of B, to first order; null where B is. */
  readonly standardError: number | null;
  /**
   * B with 95 % confidence: {@link positiveInterval} where the signal is told from 0, else from a lower bound to Infinity by
   * Fieller's theorem (Student's t in both).
   */
  readonly interval: readonly [number, number];
  /** Gradients that it was made from. */
  readonly batches: number;
  /** Samples of all of them together. */
  readonly samples: number;
}

/** A jackknife needs the estimate without one batch, and that needs two pairs. */
export const FEWEST_BATCHES = 4;

/**
 * B from the Gram matrix of batch gradients, m × m, and the number of samples in each batch. Batches count as
 * independent draws; standard errors are those of the delete-one jackknife.
 * @throws BasinError `bad-input` for fewer than {@link FEWEST_BATCHES} batches, `non-finite`
 */
export function noiseScale(gram: readonly (readonly number[])[], samples: readonly number[]): NoiseScale {
  const m = samples.length;
  if (m < FEWEST_BATCHES || gram.length !== m) {
    throw new BasinError(
      'bad-input',
      `A noise scale needs the gradients of at least ${FEWEST_BATCHES} batches, and there are ${m}.`,
      'Train in batches, so that the run keeps several of them.',
    );
  }
  const entry = (i: number, j: number): number => gram[i]?.[j] ?? NaN;
  const all = samples.map((_, i) => i);
  const products = all.map((i) => all.reduce((s, j) => (i === j ? s : s + entry(i, j)), 0));
  const pairs = products.reduce((s, x) => s + x, 0);
  const estimate = (without: number | null): { signal: number; noise: number } => {
    const kept = without === null ? m : m - 1;
    const sum = without === null ? pairs : pairs - 2 * (products[without] ?? NaN);
    const signal = sum / (kept * (kept - 1));
    const noise = all.reduce(
      (s, i) => (i === without ? s : s + (samples[i] ?? NaN) * (entry(i, i) - signal)),
      0,
    );
    return { signal, noise: noise / kept };
  };
  const { signal, noise } = estimate(null);
  if (!Number.isFinite(signal) || !Number.isFinite(noise)) {
    throw new BasinError(
      'non-finite',
      'A gradient is NaN or infinite.',
      'Choose an earlier snapshot, or lower the learning rate.',
    );
  }
  const left = all.map((i) => estimate(i));
  const middle = {
    signal: left.reduce((s, x) => s + x.signal, 0) / m,
    noise: left.reduce((s, x) => s + x.noise, 0) / m,
  };
  const spread = (of: (x: { signal: number; noise: number }) => number): number =>
    ((m - 1) / m) * left.reduce((s, x) => s + of(x), 0);
  const varSignal = spread((x) => (x.signal - middle.signal) ** 2);
  const varNoise = spread((x) => (x.noise - middle.noise) ** 2);
  const covariance = spread((x) => (x.signal - middle.signal) * (x.noise - middle.noise));
  const value = signal > 0 ? noise / signal : null;
  const variance =
    value === null ? null : (varNoise - 2 * value * covariance + value ** 2 * varSignal) / signal ** 2;
  const standardError = variance === null ? null : Math.sqrt(Math.max(0, variance));
  const [low, high] = fieller({ signal, noise, varSignal, varNoise, covariance, degrees: m - 1 });
  const around = positiveInterval(value ?? 0, standardError ?? NaN, m - 1);
  return {
    signal,
    signalStandardError: Math.sqrt(varSignal),
    noise,
    noiseStandardError: Math.sqrt(varNoise),
    value,
    standardError,
    interval: around === null ? [low, high] : [around[0], high === Infinity ? high : around[1]],
    batches: m,
    samples: samples.reduce((s, b) => s + b, 0),
  };
}

/** All B ≥ 0 with (noise − B·signal)² ≤ t²·Var(noise − B·signal). */
function fieller(x: {
  signal: number;
  noise: number;
  varSignal: number;
  varNoise: number;
  covariance: number;
  degrees: number;
}): [number, number] {
  const t2 = jstat.studentt.inv(0.975, x.degrees) ** 2;
  // a·B² − 2·b·B + c ≤ 0
  const a = x.signal ** 2 - t2 * x.varSignal;
  const b = x.signal * x.noise - t2 * x.covariance;
  const c = x.noise ** 2 - t2 * x.varNoise;
  const root = Math.sqrt(Math.max(0, b * b - a * c));
  if (a > 0 && x.signal > 0) return [Math.max(0, (b - root) / a), Math.max(0, (b + root) / a)];
  // The signal may be zero. Then the roots lie on both sides of 0 and B is above the positive one, unless the noise may
  // be zero as well.
  return [a < 0 && c > 0 ? (b - root) / a : 0, Infinity];
}

/** Gradients kept at once take at most so many numbers inside the evaluator (512 MiB). */
const MOST_NUMBERS = 2 ** 27;

export interface BatchGradientsInput extends Evaluation {
  /** At the weights of this vector. */
  readonly at: string;
  /** At most so many batches of the split, spread evenly over it. */
  readonly most: number;
  /** Numbers that the gradients may take inside of the evaluator; default 2²⁷ (512 MiB). */
  readonly room?: number;
  /** Samples of batches as found so far, for a caller that comes back: a batch among them is not evaluated again. */
  readonly known?: Map</* batch */ number, number>;
}

/**
 * The batches of a split that a noise scale is made from, spread evenly over it, as many as are asked for and fit into
 * memory, and how many samples each has.
 * @throws BasinError `unsupported` where the run has kept too few
 */
export async function batchRanges(
  evaluator: Evaluator,
  { at, most, data, mode, room = MOST_NUMBERS, known = new Map<number, number>() }: BatchGradientsInput,
  signal: AbortSignal,
): Promise<{ readonly range: readonly [number, number]; readonly samples: number }[]> {
  const { description } = evaluator;
  const there = description[data.split]?.batches ?? 0;
  const fits = Math.floor(room / Math.max(1, description.objective.parameterCount));
  const count = Math.min(there, most, fits);
  if (count < FEWEST_BATCHES) {
    throw new BasinError(
      'unsupported',
      there < FEWEST_BATCHES
        ? `The run has kept ${there} ${data.split === 'train' ? 'training' : 'validation'} batches; a noise scale needs the gradients of ${FEWEST_BATCHES}.`
        : 'The model is too large to keep the gradients of several batches side by side.',
      there < FEWEST_BATCHES ? 'Train in smaller batches, or let the run take more steps.' : undefined,
    );
  }
  const ranges: { range: readonly [number, number]; samples: number }[] = [];
  for (let i = 0; i < count; i++) {
    const first = Math.floor((i * there) / count);
    const range = [first, first + 1] as const;
    const how = howToEvaluate(description, { data: { split: data.split, batches: range }, mode }, false);
    const samples = known.get(first) ?? (await lossAt(evaluator, at, how, signal)).samples;
    known.set(first, samples);
    ranges.push({ range, samples });
  }
  return ranges;
}

/**
 * The noise scale at one set of weights, from one gradient a batch.
 * @param ranges as {@link batchRanges} gives them
 * @throws BasinError `non-finite`, `cancelled`, and as the evaluator does
 */
export async function measureNoiseScale(
  evaluator: Evaluator,
  { at, data, mode }: Pick<BatchGradientsInput, 'at' | 'data' | 'mode'>,
  ranges: readonly { readonly range: readonly [number, number]; readonly samples: number }[],
  context: AnalysisContext,
): Promise<NoiseScale> {
  return withVectors(evaluator, async (vectors) => {
    const gradients: string[] = [];
    for (const { range } of ranges) {
      const into = vectors.name('gradient');
      const selection = { split: data.split, batches: range };
      const how = howToEvaluate(evaluator.description, { data: selection, mode }, false);
      await evaluator.gradient({ at, into, how }, context.signal);
      gradients.push(into);
      context.progress(gradients.length / ranges.length, 'gradients of batches');
    }
    const { rows } = await evaluator.gram({ vectors: gradients, origin: null }, context.signal);
    return noiseScale(
      rows,
      ranges.map((r) => r.samples),
    );
  });
}
