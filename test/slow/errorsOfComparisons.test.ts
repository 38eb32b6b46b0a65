/**
 * Stated errors of what compares models, and of what is read off a path: over 200 draws the truth lies within the
 * 95 % quantile of the standard error 90 to 99 % of the time.
 */
import jstat from 'jstat';
import { measureBarriers } from '../../src/analysis/barrier.ts';
import { circling } from '../../src/analysis/circling.ts';
import { contour } from '../../src/analysis/contour.ts';
import { ensemble } from '../../src/analysis/ensemble.ts';
import { line } from '../../src/analysis/line.ts';
import { rocArea } from '../../src/analysis/uncertainty.ts';
import { withVectors } from '../../src/analysis/vectors.ts';
import { Coverage, REPEATS, type Interval } from '../fixtures/coverage.ts';
import {
  draw,
  expected,
  lossAt,
  lossOf,
  sigmoid,
  twoClasses,
  weights,
  type Drawn,
} from '../fixtures/drawnClasses.ts';
import { gaussians, scattered } from '../fixtures/gaussian.ts';
import { classifier } from '../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../fixtures/referenceEvaluator.ts';
import { step } from '../fixtures/runs.ts';

const mode = 'inference' as const;
const evaluation = { data: { split: 'train' }, mode } as const;
const Z = 1.96;

/** What is stated, as an interval; where it is not, one that holds nothing. */
const within = (
  stated: { readonly value: number | null; readonly standardError?: number | null } | null | undefined,
  quantile = Z,
): Interval => {
  const { value, standardError } = stated ?? {};
  if (value == null || standardError == null) return [NaN, NaN];
  return [value - quantile * standardError, value + quantile * standardError];
};

/** Two hidden tanh units without biases: the margin is Σ a·tanh(w·x). */
interface Net {
  readonly w: readonly [number, number];
  readonly a: readonly [number, number];
}
const flat = ({ w, a }: Net): number[] => [...w, a[0] / 2, -a[0] / 2, a[1] / 2, -a[1] / 2];
const hidden = (train: Drawn, validation: Drawn) =>
  classifier({ units: [1, 2, 2], activation: 'tanh', bias: false, train, validation });
const net: Net = { w: [1.5, -1.2], a: [2, -1] };
/** The same function with its units the other way round. */
const swapped: Net = { w: [-1.2, 1.5], a: [-1, 2] };
const early: Net = { w: [0.4, -0.2], a: [0.3, 0.3] };
/** So sure of itself that the loss rises again before it. */
const sure: Net = { w: [-1.2, 1.5], a: [-1.6, 3.2] };

/** Expected loss on the line between two nets. */
function expectedOn(from: Net, to: Net, t: number): number {
  const mix = (a: number, b: number): number => (1 - t) * a + t * b;
  const w = [0, 1].map((i) => mix(from.w[i]!, to.w[i]!));
  const a = [0, 1].map((i) => mix(from.a[i]!, to.a[i]!));
  return expected(lossOf((x) => a[0]! * Math.tanh(w[0]! * x) + a[1]! * Math.tanh(w[1]! * x)));
}

describe('standard errors of comparisons', function () {
  this.timeout(600_000);

  for (const [name, from, to] of [
    ['a net and its permuted twin', net, swapped],
    ['an early net and one that is too sure of itself', early, sure],
  ] as const) {
    it(`of the barrier and the largest rise between ${name}`, async () => {
      const points = 5;
      const t = Array.from({ length: points }, (_, i) => i / (points - 1));
      const truth = t.map((s) => expectedOn(from, to, s));
      const barrier = Math.max(...truth.map((l, i) => l - (1 - t[i]!) * truth[0]! - t[i]! * truth.at(-1)!));
      const rise = Math.max(...truth.map((l, i) => l - Math.min(...truth.slice(0, i + 1))));
      const covered = new Coverage();
      for (let seed = 1; seed <= REPEATS; seed++) {
        const evaluator = new ReferenceEvaluator(hidden(draw(300, seed), draw(200, 7000 + seed)), {
          batchSize: 50,
        });
        const ends = {
          from: { id: '0', vector: evaluator.put('a', flat(from)) },
          to: { id: '1', vector: evaluator.put('b', flat(to)) },
        };
        const found = await line(evaluator, { ...ends, points, ...evaluation }, testContext());
        const held = found.validation!;
        // Where there is none, none is stated.
        if (barrier > 0) {
          covered.look(
            'barrier',
            within({ value: found.barrier, standardError: found.barrierStandardError ?? null }),
            barrier,
          );
          covered.look(
            'barrier, held out',
            within({ value: held.barrier ?? null, standardError: held.barrierStandardError ?? null }),
            barrier,
          );
          const barriers = await withVectors(evaluator, (vectors) =>
            measureBarriers(evaluator, vectors, [{ ...ends, t: t.slice(1, -1) }], mode, testContext()),
          );
          const highest = barriers!.highest!;
          covered.look(
            'barrier before averaging',
            within({ value: highest.height, standardError: highest.standardError }),
            barrier,
          );
        }
        // Downhill is the way that the samples say: between ends of equal loss that is either.
        const { largestIncrease, standardError } = found.monotone!;
        covered.look('rise', within({ value: largestIncrease, standardError }), rise);
      }
      covered.assert();
    });
  }

  it('of what members of an ensemble differ in, of its loss by count, and of what selecting gains', async () => {
    // Margins 2(w·x + b), which change sign at different places.
    const members = [
      { w: 0.3, b: 0.1 },
      { w: 1, b: -0.4 },
      { w: 3, b: 0.6 },
      { w: 1, b: 0 },
    ];
    type Member = (typeof members)[number];
    const margin =
      ({ w, b }: Member) =>
      (x: number): number =>
        2 * (w * x + b);
    const probability = (x: number, of: Member): number => sigmoid(margin(of)(x));
    const pairs = members.flatMap((a, i) => members.slice(i + 1).map((b) => [a, b] as const));
    const overPairs = (value: (x: number, a: Member, b: Member) => number): number =>
      expected((x) => pairs.reduce((s, [a, b]) => s + value(x, a, b), 0) / pairs.length);
    const lossOfMean =
      (of: readonly Member[]) =>
      (x: number, label: 0 | 1): number => {
        const p = of.reduce((s, m) => s + probability(x, m), 0) / of.length;
        return -Math.log(label === 0 ? p : 1 - p);
      };
    const distance = overPairs((x, a, b) => Math.abs(probability(x, a) - probability(x, b)));
    const disagreement = overPairs((x, a, b) => (margin(a)(x) > 0 === margin(b)(x) > 0 ? 0 : 1));
    const losses = members.map((_, i) => expected(lossOfMean(members.slice(0, i + 1))));
    const [, , last, best] = members.map((m) => expected(lossOf(margin(m))));
    const covered = new Coverage();
    for (let seed = 1; seed <= REPEATS; seed++) {
      const [train, validation] = [draw(60, seed), draw(300, 9000 + seed)];
      const problem = classifier({ units: [1, 2], activation: 'tanh', bias: true, train, validation });
      const evaluator = new ReferenceEvaluator(problem);
      const of = members.map(({ w, b }, i) => ({
        id: String(i),
        vector: evaluator.put(String(i), [w, -w, b, -b]),
      }));
      const input = { last: { step: 2, vector: '2', loss: null }, mode, model: 'ensemble-1' } as const;
      const { diversity, byCount } = await ensemble(evaluator, { ...input, members: of }, testContext());
      covered.look('distance', within(diversity!.distance), distance);
      covered.look('disagreement', within(diversity!.disagreement), disagreement);
      byCount!.forEach(({ loss, standardError }, i) =>
        covered.look(`loss of ${i + 1}`, within({ value: loss, standardError }), losses[i]!),
      );
      // Far better than the others, so that every half of the samples selects it.
      const chosen = await ensemble(evaluator, { ...input, members: of, select: 1 }, testContext());
      covered.look('gain', within(chosen.selection!.expectedGain), last! - best!);
    }
    covered.assert();
  });

  for (const [apart, wrong] of [
    [0.5, 60],
    [1, 30],
    [2, 30],
    [2, 200],
  ] as const) {
    it(`of the area that tells right from wrong, ${apart} deviations apart, ${wrong} wrong`, () => {
      const truth = jstat.normal.cdf(apart / Math.SQRT2, 0, 1);
      const covered = new Coverage();
      for (let seed = 1; seed <= REPEATS; seed++) {
        const next = gaussians(scattered(seed));
        const below = Array.from({ length: 300 }, next);
        const above = Array.from({ length: wrong }, () => apart + next());
        covered.look('area', within(rocArea(below, above)), truth);
      }
      covered.assert();
    });
  }

  it('of the loss over a plane', async () => {
    const covered = new Coverage();
    for (let seed = 1; seed <= REPEATS; seed++) {
      const evaluator = new ReferenceEvaluator(twoClasses(draw(300, seed)), { batchSize: 50 });
      const snapshots = [0.8, 1, 1.2].map((w, i) => ({
        step: i,
        vector: evaluator.put(`${i}`, weights(w)),
        loss: null,
      }));
      const input = {
        snapshots,
        plane: 'random' as const,
        at: { id: '2', vector: snapshots[2]!.vector },
        size: 5,
        span: 0.1,
        ...evaluation,
      };
      const found = await contour(evaluator, input, testContext());
      covered.look(
        'centre',
        within({ value: found.centre.loss, standardError: found.standardError }),
        expected(lossAt(1.2)),
      );
    }
    covered.assert();
  });

  // A flat one is only told where its change lies within its error.
  for (const slope of [1, 3]) {
    it(`of the change of the loss along a path, ${-slope} over all of it`, async () => {
      // Of eight blocks a line takes two degrees of freedom.
      const quantile: number = jstat.studentt.inv(0.975, 6);
      const covered = new Coverage();
      const length = 1600;
      const pull = 0.05;
      for (let seed = 1; seed <= REPEATS; seed++) {
        const next = gaussians(scattered(seed));
        let theta = Array.from({ length: 10 }, () => (0.1 * next()) / Math.sqrt(2 * pull));
        const points: number[][] = [];
        const steps = Array.from({ length }, (_, t) => {
          points.push(theta);
          const loss = 1 - (slope * t) / length + 0.5 * theta.reduce((s, x) => s + x * x, 0) + 0.1 * next();
          theta = theta.map((x) => (1 - pull) * x + 0.1 * next());
          return step(t, { loss });
        });
        const records = async function* () {
          await Promise.resolve();
          for (const [t, values] of points.entries()) yield { step: t, values };
        };
        const { stretch } = await circling({ dimension: 10, records }, steps, new AbortController().signal);
        const { change, standardError } = stretch!.loss!;
        const truth = (-slope * (stretch!.to - stretch!.from)) / length;
        covered.look('change', within({ value: change, standardError }, quantile), truth);
      }
      covered.assert();
    });
  }
});
