/**
 * Which measures of a minimum go with the generalisation gap over several runs, by rank correlation (Jiang et al. 2020 and
 * Dziugaite et al. 2020 compare measures in this way). Few runs can tell little: what so many could show at all stands beside it.
 */
import jstat from 'jstat';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { mersenne } from 'pure-rand/generator/mersenne';
import { cancelled } from '../protocol/errors.ts';
import {
  measureNames,
  type GapName,
  type MeasureCorrelation,
  type MeasureName,
  type MeasuredRun,
  type MeasuresResult,
  type MeasureVerdict,
  type RankCorrelation,
  type Reading,
} from '../protocol/measures.ts';
import type { AnalysisContext } from './evaluator.ts';
import type { Draft } from './model.ts';
import { deviation } from './moments.ts';
import { holm, rankInterval, rankTest, spearman, type RankTest } from './rankCorrelation.ts';
import type { Told } from './readings.ts';
import { measuresSentences } from './trustMeasures.ts';

/** A run as its files tell it: measures may be told several times, with several settings, the newest first. */
export interface ToldRun extends Omit<MeasuredRun, 'values'> {
  readonly told: readonly Told[];
}

export interface MeasuresInput {
  readonly runs: readonly ToldRun[];
  readonly gap: GapName;
  readonly seed: number;
  /** Runs that were left out, in sentences. */
  readonly leftOut: readonly string[];
  /** How many different sets of held-out samples the gaps were taken on. */
  readonly heldOutSets: number;
}

const FEWEST_RUNS = 3;
const SIGNIFICANT = 0.05;
const REDRAWN = 400;

/** @throws BasinError `cancelled` */
export function measures(input: MeasuresInput, context: AnalysisContext): Draft<MeasuresResult> {
  const chosen = measureNames
    .map((name) => ({ name, settings: commonSettings(input.runs, name) }))
    .filter(({ name }) => input.runs.some(({ told }) => told.some((t) => t.name === name)));
  const runs = input.runs.map(({ told, ...run }): MeasuredRun => ({
    ...run,
    values: chosen.map(({ name, settings }) => {
      const found = told.find((t) => t.name === name && t.settings === settings);
      if (found === undefined) return null;
      return { value: found.value, standardError: found.standardError, from: found.from };
    }),
  }));
  const known = runs.filter(({ gap }) => typeof gap?.value === 'number').length;
  const tested = chosen.map(({ name, settings }, k) => {
    if (context.signal.aborted) throw cancelled();
    context.progress(k / chosen.length, `measure ${k + 1} of ${chosen.length}`);
    const pairs = runs.flatMap(({ gap, values }): Pair[] => {
      const value = values[k];
      return isKnown(gap) && isKnown(value) ? [{ gap, value }] : [];
    });
    const test =
      pairs.length < FEWEST_RUNS
        ? null
        : rankTest(
            pairs.map((p) => p.value.value),
            pairs.map((p) => p.gap.value),
            input.seed,
          );
    return { name, settings, pairs, test };
  });
  const adjusted = (of: 'spearman' | 'kendall'): (number | null)[] => {
    const told = tested.flatMap(({ test }, k) => (test?.[of] == null ? [] : [{ k, p: test[of].p }]));
    const larger = holm(told.map(({ p }) => p));
    return tested.map((_, k) => larger[told.findIndex((t) => t.k === k)] ?? null);
  };
  const [adjustedRho, adjustedTau] = [adjusted('spearman'), adjusted('kendall')];
  const body = {
    kind: 'measures' as const,
    data: null,
    gap: input.gap,
    runs,
    measures: tested.map(({ name, settings, pairs, test }, k): MeasureCorrelation => {
      const rho = correlation('spearman', test, pairs.length, adjustedRho[k] ?? null);
      return {
        name,
        settings,
        runs: pairs.length,
        spearman: rho,
        kendall: correlation('kendall', test, pairs.length, adjustedTau[k] ?? null),
        byErrors: rho === null ? null : movedByErrors(pairs, input.seed),
        permutations: test?.permutations ?? 0,
        exact: test?.exact ?? true,
        verdict: verdictOf(rho, pairs.length),
      };
    }),
    known,
    leastP: leastP(known),
    gapsDiffer: gapsDiffer(runs.flatMap(({ gap }) => (isKnown(gap) ? [gap] : []))),
    leftOut: input.leftOut,
  };
  return {
    ...body,
    refreshedStatistics: false,
    trust: measuresSentences(body, input.heldOutSets),
  };
}

/** The least p of a permutation test of so many values without ties: of n! pairings, the order and its reverse. */
export function leastP(n: number): number {
  let pairings = 1;
  for (let k = 2; k <= n && pairings < 1e12; k++) pairings *= k;
  return Math.min(1, 2 / pairings);
}

interface Known extends Reading {
  readonly value: number;
}
interface Pair {
  readonly gap: Known;
  readonly value: Known;
}
const isKnown = (reading: Reading | null | undefined): reading is Known => typeof reading?.value === 'number';

/** The settings under which most runs have the measure; of equally many, those that come first. */
function commonSettings(runs: readonly ToldRun[], name: MeasureName): string | null {
  const counts = new Map<string | null, number>();
  for (const { told } of runs) {
    const settings = new Set(told.filter((t) => t.name === name).map((t) => t.settings));
    for (const each of settings) counts.set(each, (counts.get(each) ?? 0) + 1);
  }
  return [...counts].reduce<[string | null, number]>((a, b) => (b[1] > a[1] ? b : a), [null, 0])[0];
}

function correlation(
  of: 'spearman' | 'kendall',
  test: RankTest | null,
  n: number,
  adjusted: number | null,
): RankCorrelation | null {
  const told = test?.[of] ?? null;
  if (told === null) return null;
  return { value: told.value, interval: rankInterval(of, told.value, n), p: told.p, adjusted: adjusted ?? 1 };
}

function verdictOf(rho: RankCorrelation | null, n: number): MeasureVerdict {
  if (rho === null || leastP(n) > SIGNIFICANT) return 'unknown';
  if (rho.adjusted > SIGNIFICANT) return 'not-shown';
  return rho.value > 0 ? 'rises' : 'falls';
}

/** The standard deviation of ρ when each number is drawn again with its own error; null where no error is known. */
function movedByErrors(pairs: readonly Pair[], seed: number): number | null {
  const some = pairs.some(({ gap, value }) => (gap.standardError ?? 0) > 0 || (value.standardError ?? 0) > 0);
  if (!some) return null;
  const generator = mersenne(seed);
  const redrawn = ({ value, standardError }: Known): number =>
    // Half a step from 0, whose quantile is −∞.
    value + (standardError ?? 0) * jstat.normal.inv(uniformFloat64(generator) + 2 ** -54, 0, 1);
  const values: number[] = [];
  for (let k = 0; k < REDRAWN; k++) {
    const rho = spearman(
      pairs.map((p) => redrawn(p.value)),
      pairs.map((p) => redrawn(p.gap)),
    );
    if (rho !== null) values.push(rho);
  }
  return values.length < 2 ? null : deviation(values);
}

/** Cochran's Q: whether the gaps scatter by more than their standard errors. */
function gapsDiffer(gaps: readonly Known[]): boolean | null {
  const weights = gaps.map(({ standardError }) => (standardError ?? 0) ** -2);
  if (gaps.length < 2 || !weights.every(Number.isFinite)) return null;
  const total = weights.reduce((s, w) => s + w, 0);
  const centre = gaps.reduce((s, g, i) => s + g.value * (weights[i] ?? 0), 0) / total;
  const q = gaps.reduce((s, g, i) => s + (g.value - centre) ** 2 * (weights[i] ?? 0), 0);
  return q > jstat.chisquare.inv(1 - SIGNIFICANT, gaps.length - 1);
}
