/** Predictions of several models on the same samples: put together, compared with each other, and held against the targets. */
import { BasinError } from '../protocol/errors.ts';
import type { Combination, Predictions } from '../protocol/evaluator.ts';
import type { Diversity, PairDistance } from '../protocol/ensembles.ts';
import { finite } from './finite.ts';
import { deviation, mean } from './moments.ts';

/** One model's rows: probabilities of classes (with their logarithms), or values. */
export interface Rows {
  readonly kind: 'classes' | 'values';
  readonly samples: number;
  readonly width: number;
  /** samples × width: log-probabilities, or values. */
  readonly values: Float64Array;
  readonly targets: readonly number[];
}

/** @returns null where the evaluator cannot tell them as one row a sample */
export function toRows({ kind, samples, width, values, targets }: Predictions): Rows | null {
  return kind === null ? null : { kind, samples, width, values: Float64Array.from(values), targets };
}

/** What `combine` stands for where it is left out. @throws BasinError `bad-input` for one that does not fit */
export function combinationFor(kind: Rows['kind'], combine: Combination | undefined): Combination {
  const usual = kind === 'classes' ? 'probability' : 'mean';
  if (combine === undefined || (combine === 'mean') === (kind === 'values')) return combine ?? usual;
  throw new BasinError(
    'bad-input',
    `This model predicts ${kind}, which cannot be combined by ${combine}.`,
    `Leave it out, or combine by ${kind === 'classes' ? 'probability or logit' : 'mean'}.`,
  );
}

/** A sum over members that grows one at a time, from which the ensemble of any number is read. */
export class Ensemble {
  private sum: Float64Array | null = null;
  private count = 0;

  constructor(private readonly combine: Combination) {}

  /** A copy with one more. */
  with(member: Rows): Ensemble {
    const grown = new Ensemble(this.combine);
    const { values } = member;
    const sum = this.sum === null ? new Float64Array(values.length) : this.sum.slice();
    const asProbability = this.combine === 'probability';
    for (let i = 0; i < sum.length; i++) {
      const x = values[i] ?? NaN;
      sum[i] = (sum[i] ?? 0) + (asProbability ? Math.exp(x) : x);
    }
    grown.sum = sum;
    grown.count = this.count + 1;
    return grown;
  }

  /** The combined prediction in the form of its members. @param like any member */
  rows(like: Rows): Rows {
    const { width } = like;
    const values = Float64Array.from(this.sum ?? [], (x) => x / this.count);
    if (this.combine === 'probability')
      for (let i = 0; i < values.length; i++) values[i] = Math.log(values[i] ?? NaN);
    // The geometric mean does not sum to one by itself.
    if (this.combine === 'logit')
      for (let begin = 0; begin < values.length; begin += width)
        normaliseLogs(values.subarray(begin, begin + width));
    return { ...like, values };
  }
}

/** The ensemble of all. @throws BasinError `bad-input` for none */
export function together(members: readonly Rows[], combine: Combination): Rows {
  const [first] = members;
  if (first === undefined) throw new BasinError('bad-input', 'An ensemble needs members.');
  return members.reduce((all, one) => all.with(one), new Ensemble(combine)).rows(first);
}

/** Log loss of each sample, or the squared error of its values (their mean). */
export function lossesOf({ kind, samples, width, values, targets }: Rows): number[] {
  return Array.from({ length: samples }, (_, i) => {
    if (kind === 'classes') return -(values[i * width + (targets[i] ?? 0)] ?? NaN);
    let sum = 0;
    for (let k = i * width; k < (i + 1) * width; k++)
      sum += ((values[k] ?? NaN) - (targets[k] ?? NaN)) ** 2 / width;
    return sum;
  });
}

/** The class that is answered for each sample. */
export function answersOf({ samples, width, values }: Rows): number[] {
  return Array.from({ length: samples }, (_, i) => {
    let best = 0;
    for (let k = 1; k < width; k++)
      if ((values[i * width + k] ?? NaN) > (values[i * width + best] ?? NaN)) best = k;
    return best;
  });
}

/** Share of right answers; null without classes. */
export function accuracyOf(rows: Rows): number | null {
  if (rows.kind === 'values') return null;
  return mean(answersOf(rows).map((a, i) => (a === rows.targets[i] ? 1 : 0)));
}

/** Pairwise disagreement and distance in function space. @param names of the members, in their order */
export function diversityOf(members: readonly Rows[], names: readonly string[]): Diversity {
  const [first] = members;
  const classes = first?.kind === 'classes';
  const answers = classes ? members.map(answersOf) : [];
  const points = members.map(({ values }) => (classes ? values.map(Math.exp) : values));
  const samples = first?.samples ?? 0;
  const sums = { disagreement: Array<number>(samples).fill(0), distance: Array<number>(samples).fill(0) };
  const pairs: PairDistance[] = [];
  for (let a = 0; a < members.length; a++) {
    for (let b = a + 1; b < members.length; b++) {
      const apart = distances(points[a] ?? [], points[b] ?? [], samples, classes);
      const differ = (answers[a] ?? []).map((answer, i) => (answer === answers[b]?.[i] ? 0 : 1));
      apart.forEach((d, i) => (sums.distance[i] = (sums.distance[i] ?? 0) + d));
      differ.forEach((d, i) => (sums.disagreement[i] = (sums.disagreement[i] ?? 0) + d));
      pairs.push({
        a: names[a] ?? '',
        b: names[b] ?? '',
        disagreement: classes ? mean(differ) : null,
        distance: finite(mean(apart)),
      });
    }
  }
  const overPairs = (values: readonly number[]): Diversity['distance'] => {
    const each = values.map((v) => v / pairs.length);
    const value = mean(each);
    if (!Number.isFinite(value) || each.length < 2) return null;
    return { value, standardError: deviation(each) / Math.sqrt(each.length) };
  };
  return {
    measure: classes ? 'total-variation' : 'euclidean',
    pairs,
    disagreement: classes ? overPairs(sums.disagreement) : null,
    distance: overPairs(sums.distance),
  };
}

/** Entropy of each sample's predicted distribution, in nats. */
export function entropiesOf({ samples, width, values }: Rows): number[] {
  return Array.from({ length: samples }, (_, i) => {
    let sum = 0;
    for (let k = i * width; k < (i + 1) * width; k++) {
      const log = values[k] ?? NaN;
      // A probability of 0 adds nothing.
      if (log !== -Infinity) sum -= Math.exp(log) * log;
    }
    return sum;
  });
}

/** Total variation, or the Euclidean distance, of each sample's rows. */
function distances(a: ArrayLike<number>, b: ArrayLike<number>, samples: number, classes: boolean): number[] {
  const width = a.length / samples;
  return Array.from({ length: samples }, (_, i) => {
    let sum = 0;
    for (let k = i * width; k < (i + 1) * width; k++) {
      const d = (a[k] ?? NaN) - (b[k] ?? NaN);
      sum += classes ? Math.abs(d) / 2 : d * d;
    }
    return classes ? sum : Math.sqrt(sum);
  });
}

/** In place: log-scores less the logarithm of the sum of their exponentials. */
function normaliseLogs(row: Float64Array): void {
  const top = Math.max(...row);
  const total = top + Math.log(row.reduce((s, x) => s + Math.exp(x - top), 0));
  for (let k = 0; k < row.length; k++) row[k] = (row[k] ?? NaN) - total;
}
