/** Averages and scores. */
import assert from 'node:assert/strict';
import { average, chooseMembers } from '../../../src/analysis/average.ts';
import { score } from '../../../src/analysis/score.ts';
import { isCancelled } from '../../../src/protocol/errors.ts';
import { gaussianRows, gaussians } from '../../fixtures/gaussian.ts';
import { average as mean, classifier, diagonalQuadratic } from '../../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../../fixtures/referenceEvaluator.ts';

const x = gaussianRows(25, 4, 1);
const labels = x.map((row) => (row[0]! > 0 ? 0 : 1));
const validation = {
  x: gaussianRows(40, 4, 2),
  labels: gaussianRows(40, 4, 2).map((row) => (row[0]! > 0 ? 0 : 1)),
};
const options = {
  units: [4, 5, 2],
  activation: 'tanh',
  bias: true,
  train: { x, labels },
  validation,
} as const;
const normed = classifier({ ...options, batchNorm: true });
const next = gaussians(3);
const weights = Array.from({ length: 8 }, () => Array.from({ length: 37 }, next));
const states = weights.map((w) => normed.statistics!(w, 0, 25));
const mode = 'inference' as const;
const model = { id: 'average-1', file: 'models/average-1.safetensors', metadata: { made: 'here' } };

function setUp(problem = normed, batchSize = 10) {
  const evaluator = new ReferenceEvaluator(problem, { batchSize });
  const snapshots = weights.map((w, i) => ({
    step: 10 * i,
    vector: evaluator.put(`step-${10 * i}`, w, problem.stateSize > 0 ? states[i]! : []),
    loss: null,
  }));
  return { evaluator, snapshots };
}

describe('average of snapshots', () => {
  it('equals the direct computation: mean weights, statistics weighted by sample, losses', async () => {
    const { evaluator, snapshots } = setUp();
    const window = { from: 30, to: 70, stride: 2 };
    const result = await average(evaluator, { snapshots, window, mode, model }, testContext());
    assert.deepEqual(result.members, [30, 50, 70]);
    const expected = weights[0]!.map((_, k) => (weights[3]![k]! + weights[5]![k]! + weights[7]![k]!) / 3);
    const saved = evaluator.files.get(model.file)!;
    expected.forEach((w, k) => assert.ok(Math.abs(w - saved.values[k]!) < 1e-14));
    // The last batch has 5 samples and counts half as much as the two of 10.
    const parts = [
      [0, 10],
      [10, 20],
      [20, 25],
    ].map(([s, e]) => normed.statistics!(expected, s!, e!));
    const state = parts[0]!.map((_, k) => 0.4 * parts[0]![k]! + 0.4 * parts[1]![k]! + 0.2 * parts[2]![k]!);
    state.forEach((s, k) => assert.ok(Math.abs(s - saved.state![k]!) < 1e-12));
    assert.equal(result.refreshedStatistics, true);
    const loss = (w: number[], s: number[], split: 'train' | 'validation', n: number): number =>
      mean(normed.losses(w, s, split, 0, n));
    assert.ok(Math.abs(result.score.train.loss! - loss(expected, state, 'train', 25)) < 1e-12);
    assert.ok(Math.abs(result.score.validation!.loss! - loss(expected, state, 'validation', 40)) < 1e-12);
    // The baseline keeps the statistics it was trained with.
    assert.equal(result.baseline.step, 70);
    assert.ok(
      Math.abs(result.baseline.validation!.loss! - loss(weights[7]!, states[7]!, 'validation', 40)) < 1e-12,
    );
    assert.deepEqual(result.data, { split: 'validation', samples: 40 });
    assert.match(
      result.trust[0]!,
      /^Average of 3 snapshots: validation accuracy is (better|worse) by .* standard error/,
    );
    assert.ok(result.calibrationError! > 0 && result.baseline.calibrationError! > 0);
    assert.match(
      result.trust[1]!,
      /^Its expected calibration error is 0\.\d+, that of snapshot 70 0\.\d+\.$/,
    );
    assert.deepEqual(evaluator.held, []);
  });

  it('averages state that cannot be computed anew', async () => {
    const { statistics, ...frozen } = normed;
    assert.ok(statistics);
    const { evaluator, snapshots } = setUp(frozen);
    const input = { snapshots, window: { from: 60 }, mode, model };
    const result = await average(evaluator, input, testContext());
    assert.equal(result.refreshedStatistics, false);
    const saved = evaluator.files.get(model.file)!.state!;
    states[6]!.forEach((s, k) => assert.ok(Math.abs((s + states[7]![k]!) / 2 - saved[k]!) < 1e-14));
  });

  it('SWA on a quadratic: the average of n independent iterates has 1/n of their excess loss', async () => {
    const dimension = 400;
    let [averaged, single] = [0, 0];
    for (let repeat = 0; repeat < 20; repeat++) {
      const evaluator = new ReferenceEvaluator(diagonalQuadratic(Array<number>(dimension).fill(1)));
      const snapshots = gaussianRows(20, dimension, 50 + repeat).map((w, i) => ({
        step: i,
        vector: evaluator.put(`${i}`, w),
        loss: null,
      }));
      const result = await average(evaluator, { snapshots, window: { from: 0 }, mode, model }, testContext());
      averaged += result.score.train.loss!;
      const losses = await Promise.all(
        snapshots.map((s) => score(evaluator, { at: { id: '', vector: s.vector }, mode }, testContext())),
      );
      single += mean(losses.map((r) => r.score.train.loss!));
      assert.equal(result.score.validation, null);
      assert.ok(result.trust.some((s) => s.includes('says nothing about new samples')));
    }
    assert.ok(Math.abs(averaged / single - 0.05) < 0.0025, `${averaged / single}`);
  });

  it('takes the last quarter by default, and counts its stride back from the last', () => {
    const { snapshots } = setUp();
    const steps = (window: Parameters<typeof chooseMembers>[1]): number[] =>
      chooseMembers(snapshots, window).map((s) => s.step);
    assert.deepEqual(steps({}), [60, 70]);
    assert.deepEqual(steps({ from: 20, stride: 3 }), [40, 70]);
    assert.deepEqual(steps({ from: 20, to: 45 }), [20, 30, 40]);
    assert.deepEqual(steps({ to: 40 }), [30, 40]);
    assert.throws(() => steps({ from: 65 }), { code: 'bad-input', message: /there is 1/, cure: /--from/ });
    assert.throws(() => steps({ from: 71 }), { code: 'bad-input', message: /there are none/ });
    assert.throws(() => steps({ stride: 0 }), { code: 'bad-input' });
    assert.throws(() => chooseMembers([], {}), { code: 'bad-input' });
  });

  it('refuses members that are not finite; stops when cancelled', async () => {
    const { evaluator, snapshots } = setUp();
    evaluator.put(
      'step-60',
      weights[6]!.map(() => Infinity),
      states[6],
    );
    const input = { snapshots, window: {}, mode, model };
    await assert.rejects(average(evaluator, input, testContext()), { code: 'non-finite', cure: /--to/ });
    const context = testContext();
    evaluator.before = (method) => {
      if (method === 'refreshStatistics') context.controller.abort();
    };
    await assert.rejects(
      average(evaluator, { ...input, window: { from: 30, to: 50 } }, context),
      isCancelled,
    );
    assert.deepEqual(evaluator.held, []);
    assert.equal(evaluator.files.has(model.file), false);
  });
});

describe('score', () => {
  it('uses the statistics the model carries, on both splits', async () => {
    const { evaluator, snapshots } = setUp();
    const at = { id: '20', vector: snapshots[2]!.vector };
    const result = await score(evaluator, { at, mode, samples: 20 }, testContext());
    assert.deepEqual([result.score.train.samples, result.score.validation!.samples], [20, 20]);
    const own = mean(normed.losses(weights[2]!, states[2]!, 'validation', 0, 20));
    assert.ok(Math.abs(result.score.validation!.loss! - own) < 1e-12);
    assert.match(result.trust[0]!, /^Accuracy [\d.]+ % ± [\d.]+ % on 20 validation samples\.$/);
  });

  it('of a model with NaN weights is null, not a failure', async () => {
    const { evaluator } = setUp();
    const at = { id: '20', vector: evaluator.put('nan', Array<number>(37).fill(NaN), states[0]) };
    const result = await score(evaluator, { at, mode }, testContext());
    assert.equal(result.score.train.loss, null);
  });
});
