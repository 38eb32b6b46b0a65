/** Sentences on how far measures of flatness can be trusted. */
import type { FlatnessMeasure, FlatnessResult } from '../protocol/flatness.ts';
import { figures } from './trust.ts';

export function flatnessSentences(
  result: Pick<FlatnessResult, 'measures' | 'twin' | 'withoutTwin'> & {
    readonly refreshedStatistics: boolean;
  },
): string[] {
  const { measures, twin, withoutTwin } = result;
  const sentences: string[] = [];
  if (twin === null) {
    sentences.push(
      `${withoutTwin ?? ''} Whether these numbers depend on the scale of the weights alone has not been checked here.`.trim(),
    );
  } else {
    const judged = (verdict: string): FlatnessMeasure[] =>
      measures.filter((m) => m.twin?.verdict === verdict);
    const written = `the same function with other weights (${twin.multiplied} × ${twin.factor}, ${twin.divided} ÷ ${twin.factor})`;
    const [same, changed] = [judged('unchanged'), judged('changed')];
    if (changed.length > 0) {
      const by = changed.map((m) => `${m.name} by ${figures(m.twin?.factor ?? NaN, 3)}`);
      sentences.push(
        `For ${written} these measures change, so they cannot compare models whose weights differ in scale: ${by.join(', ')}.`,
      );
    }
    if (same.length > 0) {
      sentences.push(`For ${written} these stay within 1 %: ${same.map((m) => m.name).join(', ')}.`);
    }
    if (changed.length + same.length === 0) sentences.push(`No measure could be compared for ${written}.`);
    if (changed.some((m) => m.name === 'asam' && (m.settings.eta ?? 0) > 0)) {
      sentences.push(
        'ASAM is free of the scale at η = 0 only: weights that are small beside η count as if they were η.',
      );
    }
  }
  for (const { name, reason } of measures) {
    if (reason !== null) sentences.push(`${name} is not known: ${reason}`);
  }
  const found = measures.filter((m) => m.value !== null);
  const average = found.find((m) => m.interval !== null);
  if (average?.interval != null) {
    const [low, high] = average.interval;
    sentences.push(
      `The average case lies in ${figures(low, 3)} .. ${figures(high, 3)} with 95 % confidence (${average.settings.repeats} directions).`,
    );
  }
  if (found.some((m) => m.name === 'worst-case')) {
    sentences.push('The worst case is the largest loss that was found: a search may miss a larger one.');
  }
  if (found.some((m) => m.name === 'fisher-rao')) {
    sentences.push(
      'The Fisher–Rao norm is taken with the Gauss–Newton matrix, not by the closed form for ReLU networks without biases; the two agree there.',
    );
  }
  if (result.refreshedStatistics) {
    sentences.push(
      'Gradients hold the batch-norm statistics fixed, which the loss computes anew at every point.',
    );
  }
  return sentences;
}
