import assert from 'node:assert/strict';
import { highestRise, line } from '../../../src/analysis/line.ts';
import { largestIncrease, monotonicity } from '../../../src/analysis/monotone.ts';
import { isCancelled } from '../../../src/protocol/errors.ts';
import { gaussianRows, gaussians } from '../../fixtures/gaussian.ts';
import { average, classifier, diagonalQuadratic, type Problem } from '../../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../../fixtures/referenceEvaluator.ts';

const evaluation = { data: { split: 'train' }, mode: 'inference' } as const;

describe('line between two models', () => {
  it('has the losses and the barrier of a double well: highest rise above the chord', async () => {
    // (θ² − 1)² + θ/10 between the wells at ±1: the barrier is at t = 1/2, of height 1.
    const problem: Problem = {
      ...diagonalQuadratic([1, 1]),
      losses: (w) => [((w[0] ?? 0) ** 2 - 1) ** 2 + (w[0] ?? 0) / 10],
    };
    const evaluator = new ReferenceEvaluator(problem);
    const from = { id: '0', vector: evaluator.put('a', [-1, 3]) };
    const to = { id: 'average-1', vector: evaluator.put('b', [1, 3]) };
    const result = await line(evaluator, { from, to, points: 21, ...evaluation }, testContext());
    result.t.forEach((t, i) => {
      const w = 2 * t - 1;
      assert.ok(Math.abs(result.loss[i]! - ((w * w - 1) ** 2 + w / 10)) < 1e-12);
    });
    assert.ok(Math.abs(result.barrier! - 1) < 1e-12);
    assert.ok(Math.abs(result.length - 2) < 1e-12);
    assert.equal(result.trust[0], 'The barrier is 1.');
    const inside = await line(evaluator, { from: to, to, points: 3, ...evaluation }, testContext());
    assert.match(inside.trust[0]!, /^There is no barrier/);
    assert.deepEqual(
      [result.from, result.to, result.accuracy, result.validation],
      ['0', 'average-1', null, null],
    );
    assert.deepEqual(evaluator.held, []);
  });

  it('gives accuracy and validation, with batch-norm statistics of every point', async () => {
    const x = gaussianRows(25, 4, 1);
    const labels = x.map((row) => (row[0]! > 0 ? 0 : 1));
    const validation = { x: gaussianRows(11, 4, 2), labels: [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0] };
    const problem = classifier({
      units: [4, 5, 2],
      activation: 'tanh',
      bias: true,
      batchNorm: true,
      train: { x, labels },
      validation,
    });
    const next = gaussians(3);
    const [a, b] = [0, 1].map(() => Array.from({ length: 37 }, next));
    const evaluator = new ReferenceEvaluator(problem, { batchSize: 10 });
    // Statistics that belong to neither end: a line that used them would differ everywhere.
    const wrong = Array<number>(10).fill(5);
    const from = { id: '0', vector: evaluator.put('a', a!, wrong) };
    const to = { id: '9', vector: evaluator.put('b', b!, wrong) };
    const result = await line(evaluator, { from, to, points: 5, ...evaluation }, testContext());
    assert.equal(result.refreshedStatistics, true);
    assert.equal(result.data.samples, 25);
    assert.equal(result.validation?.samples, 11);
    for (const [i, t] of result.t.entries()) {
      const w = a!.map((v, k) => (1 - t) * v + t * b![k]!);
      const batches = [
        [0, 10],
        [10, 20],
        [20, 25],
      ] as const;
      const parts = batches.map(([s, e]) => ({ statistics: problem.statistics!(w, s, e), n: e - s }));
      const state = wrong.map((_, k) => parts.reduce((s, p) => s + (p.n / 25) * p.statistics[k]!, 0));
      const check = (split: 'train' | 'validation', n: number, loss: unknown, accuracy: unknown): void => {
        const expected = average(problem.losses(w, state, split, 0, n));
        assert.ok(Math.abs(Number(loss) - expected) < 1e-12);
        const hits = problem.predict!(w, state, split, 0, n).map((p) =>
          p.probabilities[p.label]! >= Math.max(...p.probabilities) ? 1 : 0,
        );
        assert.ok(Math.abs(Number(accuracy) - average(hits)) < 1e-12);
      };
      check('train', 25, result.loss[i], result.accuracy![i]);
      check('validation', 11, result.validation.loss[i], result.validation.accuracy![i]);
      assert.ok(result.standardError[i]! > 0);
    }
  });

  it('finds the largest rise on the way downhill, whichever end is the worse one', () => {
    const t = [0, 0.25, 0.5, 0.75, 1];
    const of = (loss: (number | null)[]) => monotonicity(t, largestIncrease(loss), 0.1);
    assert.deepEqual(of([5, 4, 3, 2, 1]), {
      downhill: 'forward',
      largestIncrease: 0,
      between: null,
      standardError: null,
      verdict: 'monotone',
    });
    // Not the largest step: a rise in two steps, from the lowest point before.
    assert.deepEqual(
      [of([5, 2, 2.5, 3, 1]).largestIncrease, of([5, 2, 2.5, 3, 1]).between],
      [1, [0.25, 0.75]],
    );
    const back = of([1, 3, 2.5, 4, 5]);
    assert.deepEqual(
      [back.downhill, back.largestIncrease, back.between, back.verdict],
      ['backward', 0.5, [0.5, 0.25], 'rises'],
    );
    assert.equal(of([5, 4, 4.1, 2, 1]).verdict, 'within-noise');
    assert.equal(of([5, null, 4, 2, 1]).verdict, 'unknown');
    assert.equal(monotonicity(t, largestIncrease([1, 1, 1, 1, 1]), null).verdict, 'monotone');
    // What rounding adds to a flat line is no rise, with an error of its own size or none.
    for (const error of [1e-17, null])
      assert.equal(monotonicity(t, largestIncrease([1, 1, 1 + 1e-9, 1, 1]), error).verdict, 'within-noise');
    assert.equal(monotonicity(t, largestIncrease([1, 1, 1.01, 1, 1]), null).verdict, 'rises');
  });

  it("has the rise's error from the differences of the same samples, on both splits", async () => {
    const data = (rows: number, seed: number) => {
      const x = gaussianRows(rows, 4, seed);
      return { x, labels: x.map((row) => (row[0]! + row[1]! + row[2]! > 0 ? 0 : 1)) };
    };
    const problem = classifier({
      units: [4, 2],
      activation: 'tanh',
      bias: false,
      train: data(200, 1),
      validation: data(160, 2),
    });
    const evaluator = new ReferenceEvaluator(problem, { batchSize: 25 });
    // From far too large weights over good ones to none at all: the loss falls, and rises again at the end.
    const a = Array<number>(8).fill(0);
    const b = [20, -20, 20, -20, 0, 0, 0, 0];
    const from = { id: '0', vector: evaluator.put('a', a) };
    const to = { id: '9', vector: evaluator.put('b', b) };
    const result = await line(evaluator, { from, to, points: 21, ...evaluation }, testContext());
    for (const [split, n, found] of [
      ['train', 200, result.monotone!],
      ['validation', 160, result.validation!.monotone!],
    ] as const) {
      assert.deepEqual([found.verdict, found.downhill, found.between![1]], ['rises', 'backward', 0]);
      const [low, high] = found.between!.map((s) =>
        problem.losses(
          a.map((v, i) => (1 - s) * v + s * b[i]!),
          [],
          split,
          0,
          n,
        ),
      );
      const differences = high!.map((l, i) => l - low![i]!);
      const m = average(differences);
      assert.ok(Math.abs(found.largestIncrease! - m) < 1e-9);
      const error = Math.sqrt(differences.reduce((s, d) => s + (d - m) ** 2, 0) / (n - 1) / n);
      assert.ok(Math.abs(found.standardError! - error) < 1e-9);
      const on = split === 'train' ? 'training' : 'validation';
      assert.ok(
        result.trust.some((s) => new RegExp(`the ${on} loss does not fall all the way: it rises by`).test(s)),
        result.trust.join(' '),
      );
    }
    const half = await line(evaluator, { from, to: from, points: 5, ...evaluation }, testContext());
    assert.equal(half.monotone!.verdict, 'monotone');
    assert.deepEqual(evaluator.held, []);
  });

  it('knows the error of its barrier from the same samples at three points', async () => {
    const [train, validation] = [gaussianRows(40, 1, 1), gaussianRows(9, 1, 2)].map((x) => ({
      x,
      labels: x.map(([v = 0]) => (v > 0 ? 0 : 1)),
    }));
    const problem = classifier({
      units: [1, 2, 2],
      activation: 'tanh',
      bias: false,
      train: train!,
      validation: validation!,
    });
    const net = [1.5, -1.2, 1, -1, -0.5, 0.5];
    const swapped = [-1.2, 1.5, -0.5, 0.5, 1, -1];
    const middle = net.map((w, i) => (w + (swapped[i] ?? 0)) / 2);
    const evaluator = new ReferenceEvaluator(problem, { batchSize: 7 });
    const from = { id: '0', vector: evaluator.put('a', net) };
    const to = { id: '1', vector: evaluator.put('b', swapped) };
    const result = await line(evaluator, { from, to, points: 5, ...evaluation }, testContext());
    const [start, between, stop] = [net, middle, swapped].map((w) => problem.losses(w, [], 'train', 0, 40));
    const rises = between!.map((l, i) => l - (start![i]! + stop![i]!) / 2);
    const variance = rises.reduce((s, r) => s + (r - average(rises)) ** 2, 0) / 39;
    assert.ok(Math.abs(result.barrier! - average(rises)) < 1e-12);
    assert.ok(Math.abs(result.barrierStandardError! - Math.sqrt(variance / 40)) < 1e-12);
    assert.match(result.trust[0]!, /^The barrier is 0\.\d+ ± 0\.\d+\.$/);
    assert.match(result.trust[1]!, /^On validation samples it is 0\.\d+ ± 0\.\d+/);
  });

  it('has no barrier below its chord, and none to state where a loss is not finite', () => {
    assert.equal(highestRise([0, 0.5, 1], [1, 0.2, 1])?.value, 0);
    assert.equal(highestRise([0, 0.25, 1], [0, 1, 1])?.value, 0.75);
    assert.equal(highestRise([0, 0.5, 1], [1, null, 1]), null);
    assert.equal(highestRise([0, 0.5, 1], [null, 1, 1]), null);
  });

  it('refuses ends that are not finite and impossible sizes; stops when cancelled', async () => {
    const evaluator = new ReferenceEvaluator(diagonalQuadratic([1, 1]));
    const from = { id: '0', vector: evaluator.put('a', [1, 1]) };
    const to = { id: '7', vector: evaluator.put('b', [NaN, 1]) };
    const input = { from, to, points: 11, ...evaluation };
    await assert.rejects(line(evaluator, input, testContext()), {
      code: 'non-finite',
      cure: /before the loss/,
    });
    await assert.rejects(line(evaluator, { ...input, points: 1 }, testContext()), { code: 'bad-input' });
    const context = testContext();
    evaluator.before = (method) => {
      if (method === 'score') context.controller.abort();
    };
    await assert.rejects(line(evaluator, { ...input, to: from }, context), isCancelled);
    assert.deepEqual(evaluator.held, []);
  });
});
