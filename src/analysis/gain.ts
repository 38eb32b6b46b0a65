/** Paired differences of losses, and whether they are worth anyone's trouble. */
import type { Gain, SweepVerdict } from '../protocol/gain.ts';
import { deviation, mean } from './moments.ts';

/**
 * Share of the baseline's loss that a gain has to reach: paired differences are told from noise long before they are
 * worth anyone's trouble.
 */
const WORTH_IT = 0.01;

/** loss(baseline) − loss(other), or any other value of each, sample for sample; null where either is unknown. */
export function pairedDifferences(
  baseline: readonly number[] | null,
  other: readonly number[] | null,
): number[] | null {
  return baseline === null || other === null ? null : baseline.map((l, i) => l - (other[i] ?? NaN));
}

/** Their mean and its standard error; null for fewer than two, or where one is not finite. */
export function gainOf(differences: readonly number[] | null): Gain | null {
  if (differences === null || differences.length < 2 || !differences.every(Number.isFinite)) return null;
  return { value: mean(differences), standardError: deviation(differences) / Math.sqrt(differences.length) };
}

/** A gain is more than twice its standard error and more than 1 % of the baseline's loss. */
export function verdictOf(expected: Gain | null, baseline: number | null): SweepVerdict {
  if (expected === null) return 'unknown';
  const least = WORTH_IT * Math.abs(baseline ?? 0);
  return expected.value > Math.max(2 * expected.standardError, least) ? 'gain' : 'no-gain';
}

/** Every second value: those at even places for fold 0, at odd ones for fold 1. */
export const ofFold = (values: readonly number[], fold: number): number[] =>
  values.filter((_, i) => i % 2 === fold);
