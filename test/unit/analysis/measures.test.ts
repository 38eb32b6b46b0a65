/** Rank correlations held against closed forms and against SciPy, and what is said of few runs. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { measures, type ToldRun } from '../../../src/analysis/measures.ts';
import {
  holm,
  kendall,
  rankInterval,
  ranks,
  rankTest,
  spearman,
} from '../../../src/analysis/rankCorrelation.ts';
import type { MeasureName } from '../../../src/protocol/measures.ts';
import { gaussians, scattered } from '../../fixtures/gaussian.ts';
import { needs, referencesPath, testPython } from '../../harness/requires.ts';

const context = { signal: new AbortController().signal, progress: () => undefined };
const drawn = (n: number, seed: number): number[] => {
  const next = gaussians(scattered(seed));
  return Array.from({ length: n }, next);
};
const near = (a: number | undefined, b: number, tolerance = 1e-12): void =>
  assert.ok(a !== undefined && Math.abs(a - b) <= tolerance, `${a} is not ${b}`);

describe('rank correlation', () => {
  it('gives equal values the mean of their ranks', () => {
    assert.deepEqual(ranks([3, 1, 3, 2]), [3.5, 1, 3.5, 2]);
    assert.deepEqual(ranks([]), []);
  });

  it('is that of closed forms', () => {
    const x = [1, 2, 3, 4, 5];
    // Spearman without ties: 1 − 6Σd²/(n³ − n); Kendall: 1 − 4·(discordant pairs)/(n(n − 1)).
    near(spearman(x, [2, 1, 4, 3, 5])!, 1 - (6 * 4) / 120);
    near(kendall(x, [2, 1, 4, 3, 5])!, 1 - 8 / 20);
    near(spearman(x, [5, 4, 3, 2, 1])!, -1);
    near(kendall(x, [5, 4, 3, 2, 1])!, -1);
    // A monotone function changes nothing.
    near(spearman(x, x.map(Math.exp))!, 1);
    assert.equal(spearman(x, [1, 1, 1, 1, 1]), null);
    assert.equal(kendall([1], [2]), null);
  });

  it('has the exact p of every pairing of up to eight values', () => {
    for (const [n, pairings] of [
      [3, 6],
      [4, 24],
      [5, 120],
      [8, 40320],
    ] as const) {
      const x = drawn(n, n);
      const { spearman: rho, kendall: tau, permutations, exact } = rankTest(x, x, 1);
      assert.ok(exact && permutations === pairings);
      near(rho!.p, 2 / pairings);
      near(tau!.p, 2 / pairings);
    }
    // Of the 24 orders of four, those with a ρ of ±1 are 2 and with ±0.8 are 6: neighbours exchanged.
    near(rankTest([1, 2, 3, 4], [2, 1, 3, 4], 1).spearman!.p, 8 / 24);
    // And with one exchange τ is ±2/3: 2 + 2·3 orders.
    near(rankTest([1, 2, 3, 4], [2, 1, 3, 4], 1).kendall!.p, 8 / 24);
  });

  it('draws pairings for more, and finds what is there', () => {
    const x = drawn(12, 1);
    const test = rankTest(x, x, 1);
    assert.deepEqual([test.exact, test.permutations], [false, 5000]);
    near(test.spearman!.p, 1 / 5000);
    // The closed form of large n: √(n − 1)·ρ is nearly standard normal.
    const [a, b] = [drawn(40, 2), drawn(40, 3)];
    const { spearman: rho } = rankTest(a, b, 1);
    const z = Math.abs(rho!.value) * Math.sqrt(39);
    const normal = 2 * (1 - 0.5 * (1 + erf(z / Math.SQRT2)));
    near(rho!.p, normal, 0.03);
  });

  it('agrees with SciPy, ties included', async function () {
    needs(this, 'torch');
    needs(this, 'references');
    this.timeout(120_000);
    const cases = [6, 7, 8].flatMap((n) =>
      [1, 2, 3].map((seed) => {
        const x = drawn(n, seed);
        const y = drawn(n, 10 + seed).map((v, i) => v + x[i]!);
        // Rounded: ties in both.
        return seed === 3 ? [x.map(Math.round), y.map(Math.round)] : [x, y];
      }),
    );
    const code = `
import itertools, json, sys
import numpy as np
from scipy import stats
answers = []
for x, y in json.load(sys.stdin):
    rho, tau = stats.spearmanr(x, y).statistic, stats.kendalltau(x, y).statistic
    # SciPy's own permutation test, over every pairing.
    def p(statistic):
        test = stats.permutation_test((x,), lambda a: statistic(a, y).statistic, permutation_type="pairings", n_resamples=np.inf)
        return float(test.pvalue)
    exact = [p(stats.spearmanr), p(stats.kendalltau)] if len(x) == 6 else None
    answers.append([float(rho), float(tau), exact])
print(json.dumps(answers))
`;
    const asked = promisify(execFile)(testPython(), ['-c', code], {
      env: { ...process.env, PYTHONPATH: referencesPath() },
    });
    asked.child.stdin!.end(JSON.stringify(cases));
    const answers = JSON.parse((await asked).stdout) as [number, number, [number, number] | null][];
    cases.forEach(([x, y], k) => {
      const [rho, tau, exact] = answers[k]!;
      near(spearman(x!, y!)!, rho, 1e-9);
      near(kendall(x!, y!)!, tau, 1e-9);
      if (exact === null) return;
      // SciPy doubles the smaller tail; by the symmetry of untied ranks that is the same as both tails.
      if (k % 3 === 2) return;
      const test = rankTest(x!, y!, 1);
      near(test.spearman!.p, exact[0], 1e-9);
      near(test.kendall!.p, exact[1], 1e-9);
    });
  });

  it('has intervals that hold the truth', () => {
    const next = gaussians(5);
    const draws = 1000;
    for (const n of [5, 6, 8, 12, 20, 50]) {
      for (const r of [0, 0.5, 0.8, 0.9]) {
        // Of a bivariate normal distribution (Kruskal 1958).
        const truth = { spearman: (6 / Math.PI) * Math.asin(r / 2), kendall: (2 / Math.PI) * Math.asin(r) };
        const held = { spearman: 0, kendall: 0 };
        for (let k = 0; k < draws; k++) {
          const x = Array.from({ length: n }, next);
          const y = x.map((v) => r * v + Math.sqrt(1 - r * r) * next());
          const of = { spearman: spearman(x, y)!, kendall: kendall(x, y)! };
          for (const name of ['spearman', 'kendall'] as const) {
            const [low, high] = rankInterval(name, of[name], n)!;
            assert.ok(low <= of[name] && of[name] <= high && low >= -1 && high <= 1);
            if (low <= truth[name] && truth[name] <= high) held[name]++;
          }
        }
        for (const [name, count] of Object.entries(held)) {
          const told = `${name}: ${count} of ${draws} at n = ${n}, r = ${r}`;
          assert.ok(count >= 0.9 * draws, told);
          // Fewer values have so few correlations that one interval more or less is a step of several per cent.
          if (n >= 10) assert.ok(count <= 0.99 * draws, told);
        }
      }
    }
    assert.equal(rankInterval('spearman', 0.5, 3), null);
    assert.equal(rankInterval('kendall', 0.5, 4), null);
  });

  it('makes p larger for the number of looks (Holm 1979)', () => {
    assert.deepEqual(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02]);
    assert.deepEqual(holm([0.9, 0.8]), [1, 1]);
    assert.deepEqual(holm([]), []);
  });
});

/** Runs with these gaps and, by measure, these values. */
function runsOf(
  gaps: readonly (number | null)[],
  values: Partial<Record<MeasureName, readonly (number | null)[]>>,
  error = 0.001,
): ToldRun[] {
  return gaps.map((gap, i) => ({
    run: `run-${i}`,
    name: 'train.mjs',
    at: 100,
    gap: gap === null ? null : { value: gap, standardError: error, from: `score-${i}` },
    notes: [],
    told: Object.entries(values).flatMap(([name, list]) => {
      const value = list[i];
      return value === null || value === undefined
        ? []
        : [{ name: name as MeasureName, value, standardError: null, settings: null, from: `r-${i}` }];
    }),
  }));
}
const ask = (runs: ToldRun[], more: { leftOut?: string[]; heldOutSets?: number } = {}) =>
  measures({ runs, gap: 'loss', seed: 1, leftOut: [], heldOutSets: 1, ...more }, context);
const steps = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

describe('measures against the gap', () => {
  it('says that a few runs can tell nothing, however perfect their order', () => {
    for (const n of [0, 1, 2, 3, 4]) {
      const result = ask(runsOf(steps(n), { lambda1: steps(n) }));
      assert.ok(result.measures.every((m) => m.verdict === 'unknown'));
      assert.match(result.trust[0]!, /othing can be told/);
      assert.equal(result.known, n);
    }
    const three = ask(runsOf([0.1, 0.2, 0.3], { lambda1: [1, 2, 3] }));
    near(three.measures[0]!.spearman!.value, 1);
    near(three.measures[0]!.spearman!.p, 1 / 3);
    assert.equal(three.measures[0]!.spearman!.interval, null);
    near(three.leastP, 1 / 3);
    assert.equal(
      three.trust[0],
      'With 3 runs nothing can be told: even a perfect order comes about by chance once in 3 times.',
    );
  });

  it('finds a planted order and its direction, and not what is unrelated', () => {
    const gaps = drawn(10, 4);
    const result = ask(
      runsOf(gaps, {
        lambda1: gaps.map((g) => Math.exp(g)),
        'output-margin': gaps.map((g) => -g),
        distance: drawn(10, 9),
      }),
    );
    assert.deepEqual(
      result.measures.map((m) => [m.name, m.verdict]),
      [
        ['lambda1', 'rises'],
        ['distance', 'not-shown'],
        ['output-margin', 'falls'],
      ],
    );
    assert.match(result.trust[0]!, /^Of 3 measures over 10 runs, 2 go with the loss gap: λ₁ of the Hessian/);
    // The values stand beside the gaps, so that a picture needs nothing else.
    near(result.runs[3]!.values[0]!.value!, Math.exp(gaps[3]!));
  });

  it('is led astray by chance as seldom as it says', () => {
    const names = [
      'lambda1',
      'trace',
      'sam',
      'asam',
      'fisher-rao',
      'distance',
      'weight-norm',
      'train-loss',
    ] as const;
    let astray = 0;
    const repeats = 150;
    for (let k = 0; k < repeats; k++) {
      const values = Object.fromEntries(names.map((name, j) => [name, drawn(6, 1000 * k + j + 1)]));
      const result = ask(runsOf(drawn(6, 1000 * k + 99), values, 0));
      if (result.measures.some((m) => m.verdict === 'rises' || m.verdict === 'falls')) astray++;
    }
    // At most 5 % of 150, and three standard deviations of a binomial.
    assert.ok(astray <= 7.5 + 3 * Math.sqrt(150 * 0.05 * 0.95), `${astray} of ${repeats}`);
  });

  it('says so where so few runs could not show it among so many measures', () => {
    const gaps = drawn(5, 4);
    const result = ask(
      runsOf(gaps, { lambda1: gaps, sam: drawn(5, 1), asam: drawn(5, 2), trace: drawn(5, 3) }),
    );
    near(result.measures[0]!.spearman!.p, 1 / 60);
    near(result.measures[0]!.spearman!.adjusted, 4 / 60);
    assert.equal(result.measures[0]!.verdict, 'not-shown');
    assert.match(
      result.trust[0]!,
      /So few runs could not show it: even a perfect order has p = 0\.017, times 4/,
    );
    assert.match(result.trust[1]!, /The strongest is that of the λ₁/);
  });

  it('compares measures only where their settings are the same', () => {
    const runs = runsOf([1, 2, 3, 4], { lambda1: [1, 2, 3, 4] }).map((run, i) => ({
      ...run,
      told: [
        ...run.told,
        ...(i === 0 ? ['samRho 0.1'] : i === 3 ? ['samRho 0.1', 'samRho 0.05'] : ['samRho 0.05']).map(
          (settings) => ({
            name: 'sam' as const,
            value: settings === 'samRho 0.05' ? i : 100 * i,
            standardError: null,
            settings,
            from: null,
          }),
        ),
      ],
    }));
    const result = ask(runs);
    const sam = result.measures.find((m) => m.name === 'sam')!;
    assert.deepEqual([sam.settings, sam.runs], ['samRho 0.05', 3]);
    assert.deepEqual(
      result.runs.map((r) => r.values[1]?.value ?? null),
      [null, 1, 2, 3],
    );
    assert.ok(result.trust.some((s) => s.includes('Not known in all 4 runs: SAM sharpness (3)')));
  });

  it('says when gaps do not differ by more than their errors, and how far errors move the order', () => {
    const gaps = steps(8).map((i) => 1 + 0.01 * i);
    const noisy = ask(runsOf(gaps, { lambda1: steps(8) }, 0.1));
    assert.equal(noisy.gapsDiffer, false);
    assert.ok(noisy.trust.some((s) => s.includes('there is hardly anything to predict')));
    // Gaps redrawn with ten times their spacing keep little of their order; SD of ρ under chance is 1/√7.
    near(noisy.measures[0]!.byErrors!, 1 / Math.sqrt(7), 0.08);
    const sharp = ask(runsOf(gaps, { lambda1: steps(8) }, 0.0001));
    assert.equal(sharp.gapsDiffer, true);
    assert.ok(sharp.measures[0]!.byErrors! < 0.01);
  });

  it('tells of runs without a gap, of other data, and of constant measures', () => {
    const result = ask(runsOf([1, 2, null, 3], { lambda1: [5, 5, 5, 5] }), {
      leftOut: ['Left out: run x has no snapshots.'],
      heldOutSets: 2,
    });
    assert.equal(result.known, 3);
    assert.equal(result.measures[0]!.spearman, null);
    assert.ok(result.trust.some((s) => s.startsWith('1 run of 4 has no gap')));
    assert.ok(result.trust.some((s) => s.includes('2 different sets of held-out samples')));
    assert.ok(result.trust.includes('Left out: run x has no snapshots.'));
  });
});

/** Abramowitz & Stegun 7.1.26, to 1.5e-7. */
function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * x);
  const [a, b, c, d, e] = [0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429];
  return 1 - ((((e * t + d) * t + c) * t + b) * t + a) * t * Math.exp(-x * x);
}
