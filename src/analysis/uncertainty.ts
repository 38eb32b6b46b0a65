/** Uncertainty of each answer of several models together, and how it relates to being wrong. */
import type { Uncertainty, UncertaintyMeasure } from '../protocol/uncertainty.ts';
import { deviation, mean } from './moments.ts';
import { answersOf, entropiesOf, together, type Rows } from './predictions.ts';

const QUANTILES = [0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1];
const SHARES = [0.5, 0.7, 0.8, 0.9, 1];

/**
 * @param members predictions of each on the same samples
 * @returns null for fewer than two members or samples, and where a prediction is not finite
 */
export function uncertaintyOf(members: readonly Rows[]): Uncertainty | null {
  const [first] = members;
  if (first === undefined || members.length < 2 || first.samples < 2) return null;
  if (first.kind === 'values') {
    const measure = measureOf('deviation', valueDeviations(members), null);
    return measure === null ? null : { samples: first.samples, measures: [measure], kept: null };
  }
  const mixed = together(members, 'probability');
  const answers = answersOf(mixed);
  const wrong = answers.map((a, i) => a !== first.targets[i]);
  const entropy = entropiesOf(mixed);
  const own = members.map(entropiesOf);
  // Rounding may leave a difference of nothing below zero.
  const information = entropy.map((h, i) => Math.max(0, h - mean(own.map((each) => each[i] ?? NaN))));
  const spread = answers.map((a, i) =>
    populationDeviation(members.map(({ values, width }) => Math.exp(values[i * width + a] ?? NaN))),
  );
  const measures = [
    measureOf('predictive-entropy', entropy, wrong),
    measureOf('mutual-information', information, wrong),
    measureOf('deviation', spread, wrong),
  ].filter((m) => m !== null);
  if (measures.length < 3) return null;
  return { samples: first.samples, measures, kept: keptOf(entropy, wrong) };
}

/** Root of the variance over members, meaned over a sample's values. */
function valueDeviations(members: readonly Rows[]): number[] {
  const { samples, width } = members[0] as Rows;
  return Array.from({ length: samples }, (_, i) => {
    const variances = Array.from(
      { length: width },
      (_v, k) => populationDeviation(members.map((m) => m.values[i * width + k] ?? NaN)) ** 2,
    );
    return Math.sqrt(mean(variances));
  });
}

function measureOf(
  name: UncertaintyMeasure['name'],
  values: readonly number[],
  wrong: readonly boolean[] | null,
): UncertaintyMeasure | null {
  if (!values.every(Number.isFinite)) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const of = (is: boolean): number[] => values.filter((_, i) => wrong?.[i] === is);
  const [rights, wrongs] = [of(false), of(true)];
  return {
    name,
    quantiles: QUANTILES.map((q) => sorted[Math.round(q * (sorted.length - 1))] ?? NaN),
    mean: mean(values),
    standardError: deviation(values) / Math.sqrt(values.length),
    right: rights.length > 0 ? mean(rights) : null,
    wrong: wrongs.length > 0 ? mean(wrongs) : null,
    tellsWrong: rocArea(rights, wrongs),
  };
}

/** Chance that one of `above` is larger than one of `below`, ties counted half; null without either. */
export function rocArea(
  below: readonly number[],
  above: readonly number[],
): { value: number; standardError: number } | null {
  const [n, m] = [below.length, above.length];
  if (n === 0 || m === 0) return null;
  // By ranks (Mann & Whitney): ties have the mean of their places.
  const all = [...below.map((v) => ({ v, up: false })), ...above.map((v) => ({ v, up: true }))].sort(
    (a, b) => a.v - b.v,
  );
  let ranks = 0;
  for (let i = 0; i < all.length;) {
    let end = i;
    while (end < all.length && all[end]?.v === all[i]?.v) end++;
    for (let k = i; k < end; k++) if (all[k]?.up === true) ranks += (i + 1 + end) / 2;
    i = end;
  }
  const value = (ranks - (m * (m + 1)) / 2) / (n * m);
  const [q1, q2] = [value / (2 - value), (2 * value ** 2) / (1 + value)];
  const variance =
    (value * (1 - value) + (m - 1) * (q1 - value ** 2) + (n - 1) * (q2 - value ** 2)) / (n * m);
  return { value, standardError: Math.sqrt(Math.max(0, variance)) };
}

function keptOf(entropy: readonly number[], wrong: readonly boolean[]): Uncertainty['kept'] {
  const order = entropy.map((h, i) => ({ h, right: wrong[i] === true ? 0 : 1 })).sort((a, b) => a.h - b.h);
  return SHARES.map((share) => {
    const kept = order.slice(0, Math.max(1, Math.round(share * order.length)));
    return { share, accuracy: mean(kept.map((k) => k.right)) };
  });
}

/** By n: the spread of these members themselves. */
function populationDeviation(values: readonly number[]): number {
  const m = mean(values);
  return Math.sqrt(mean(values.map((v) => (v - m) ** 2)));
}
