/** The gradient noise scale against its closed form, its intervals over repeats, and over the wire. */
import assert from 'node:assert/strict';
import { batchRanges, measureNoiseScale, noiseScale } from '../../../src/analysis/noiseScale.ts';
import { gaussianRows, gaussians } from '../../fixtures/gaussian.ts';
import { linearRegression } from '../../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../../fixtures/referenceEvaluator.ts';

const gramOf = (rows: readonly (readonly number[])[]): number[][] =>
  rows.map((a) => rows.map((b) => a.reduce((s, x, k) => s + x * (b[k] ?? NaN), 0)));

/** Gradients of batches of b samples whose own gradients are mean + N(0, scale²) in each coordinate. */
function draw(
  next: () => number,
  batches: number,
  b: (i: number) => number,
  mean: readonly number[],
  scale: readonly number[],
): number[][] {
  return Array.from({ length: batches }, (_, i) =>
    mean.map((mu, k) => mu + ((scale[k] ?? 0) * next()) / Math.sqrt(b(i))),
  );
}

describe('gradient noise scale', () => {
  const dimension = 40;
  const mean = Array.from({ length: dimension }, (_, k) => (k < 4 ? 0.5 : 0));
  const scale = Array.from({ length: dimension }, (_, k) => 1 / (1 + 0.1 * k));
  const signal = 4 * 0.25;
  const noise = scale.reduce((s, x) => s + x * x, 0);

  it('is exact where batches have no noise, and where they are all noise of known size', () => {
    const still = noiseScale(gramOf(Array.from({ length: 5 }, () => [3, 4])), [8, 8, 8, 8, 8]);
    assert.ok(Math.abs(still.signal - 25) < 1e-9 && Math.abs(still.noise) < 1e-9);
    assert.ok(Math.abs(still.value ?? NaN) < 1e-9 && still.interval[1] < 1e-6);
    // Orthogonal gradients share nothing: the signal is zero, the noise b·‖g‖².
    const apart = noiseScale(
      gramOf([1, 2, 3, 4].map((_, i) => [0, 0, 0, 0].map((_, k) => (i === k ? 2 : 0)))),
      [10, 10, 10, 10],
    );
    assert.deepEqual([apart.signal, apart.noise, apart.value], [0, 40, null]);
    assert.equal(apart.interval[1], Infinity);
  });

  it('is unbiased in signal and noise, also for batches of unlike size', () => {
    const next = gaussians(5);
    const sizes = [16, 16, 16, 16, 16, 16, 16, 5];
    const found = Array.from({ length: 400 }, () =>
      noiseScale(gramOf(draw(next, 8, (i) => sizes[i] ?? 1, mean, scale)), sizes),
    );
    for (const [name, truth] of [
      ['signal', signal],
      ['noise', noise],
    ] as const) {
      const values = found.map((x) => x[name]);
      const average = values.reduce((s, x) => s + x, 0) / values.length;
      const error = Math.sqrt(
        values.reduce((s, x) => s + (x - average) ** 2, 0) / (values.length - 1) / values.length,
      );
      assert.ok(Math.abs(average - truth) < 4 * error, `${name}: ${average} ± ${error} for ${truth}`);
      // The stated error is that of the repeats.
      const stated = found.reduce((s, x) => s + x[`${name}StandardError`] ** 2, 0) / found.length;
      const actual = error ** 2 * values.length;
      assert.ok(stated > 0.7 * actual && stated < 1.6 * actual, `${name}: ${stated} for ${actual}`);
    }
  });

  for (const b of [4, 64]) {
    it(`holds the truth in its 95 % interval, with batches of ${b}`, () => {
      const next = gaussians(b);
      const repeats = 300;
      let inside = 0;
      for (let r = 0; r < repeats; r++) {
        const { interval } = noiseScale(
          gramOf(draw(next, 12, () => b, mean, scale)),
          Array.from({ length: 12 }, () => b),
        );
        if (interval[0] <= noise / signal && noise / signal <= interval[1]) inside++;
      }
      assert.ok(inside / repeats >= 0.9, `${inside} of ${repeats}`);
    });
  }

  it('says so when there is no signal: a lower bound and no value that pretends', () => {
    const next = gaussians(9);
    const none = mean.map(() => 0);
    let unbounded = 0;
    for (let r = 0; r < 100; r++) {
      const found = noiseScale(
        gramOf(draw(next, 8, () => 8, none, scale)),
        Array.from({ length: 8 }, () => 8),
      );
      if (found.interval[1] === Infinity) unbounded++;
      if (found.signal <= 0) assert.equal(found.value, null);
    }
    assert.ok(unbounded >= 85, `${unbounded}`);
  });

  it('over an evaluator is that of the samples’ own gradients', async () => {
    // Linear regression: the gradient of one sample is known, and so is its covariance over those that are drawn.
    const x = gaussianRows(4096, 3, 2);
    const y = x.map((row, i) => row[0]! - row[1]! + 0.8 * gaussianRows(1, 1, 100 + i)[0]![0]!);
    const evaluator = new ReferenceEvaluator(linearRegression(x, y), { batchSize: 128 });
    const w = [0.2, 0.1, 0, 0].slice(0, evaluator.description.objective.parameterCount);
    await evaluator.load({ into: 'w', from: evaluator.put('w', w) });
    const input = { at: 'w', data: { split: 'train' }, mode: 'inference', most: 32 } as const;
    const context = testContext();
    const ranges = await batchRanges(evaluator, input, context.signal);
    assert.equal(ranges.length, 32);
    const found = await measureNoiseScale(evaluator, input, ranges, context);
    assert.deepEqual([found.batches, found.samples], [32, 4096]);
    const { problem } = evaluator;
    const single = x.map((_, i) => problem.gradient(w, [], 'train', i, i + 1));
    const middle = w.map((_, k) => single.reduce((s, g) => s + g[k]!, 0) / single.length);
    const trace = single.reduce((s, g) => s + g.reduce((t, v, k) => t + (v - middle[k]!) ** 2, 0), 0) / 4095;
    const power = middle.reduce((s, v) => s + v * v, 0);
    assert.ok(Math.abs(found.noise - trace) < 4 * found.noiseStandardError, `${found.noise} for ${trace}`);
    assert.ok(Math.abs(found.signal - power) < 4 * found.signalStandardError, `${found.signal} for ${power}`);
    assert.ok(found.interval[0] < trace / power && trace / power < found.interval[1]);
    assert.deepEqual(evaluator.held, ['w']);
  });

  it('refuses too few batches and gradients that are not finite', async () => {
    assert.throws(() => noiseScale(gramOf([[1], [2], [3]]), [1, 1, 1]), { code: 'bad-input' });
    assert.throws(() => noiseScale(gramOf([[1], [2], [3], [NaN]]), [1, 1, 1, 1]), { code: 'non-finite' });
    const evaluator = new ReferenceEvaluator(linearRegression(gaussianRows(30, 2, 1), Array(30).fill(1)), {
      batchSize: 10,
    });
    const input = { at: 'w', data: { split: 'train' }, mode: 'inference', most: 8 } as const;
    await assert.rejects(batchRanges(evaluator, input, testContext().signal), { code: 'unsupported' });
  });
});
