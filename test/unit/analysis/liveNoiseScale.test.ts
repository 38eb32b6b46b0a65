/** The noise scale of a run that trains: against a closed form, over weights that move and data that grow. */
import assert from 'node:assert/strict';
import { LiveNoiseScaleMeter } from '../../../src/analysis/liveNoiseScale.ts';
import { decodeNumber } from '../../../src/protocol/run.ts';
import { gaussianRows } from '../../fixtures/gaussian.ts';
import { linearRegression } from '../../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../../fixtures/referenceEvaluator.ts';

describe('live noise scale', () => {
  const [d, sigma] = [6, 0.7];
  const truth = Array.from({ length: d }, (_, k) => (k % 2 === 0 ? 0.5 : -0.3));
  const rows = gaussianRows(2048, d + 1, 11);
  const x = rows.map((row) => row.slice(0, d));
  const y = rows.map((row, i) => x[i]!.reduce((s, v, k) => s + v * truth[k]!, 0) + sigma * row[d]!);
  const evaluator = (batchSize: number) =>
    new ReferenceEvaluator(linearRegression(x, y), { batchSize, learningRate: 0.05 });
  const evaluation = { data: { split: 'train' }, mode: 'inference' } as const;

  /**
   * x ~ N(0, I), y = x·w* + σε, δ = w − w*: g = 2x(x·δ − σε) has the mean 2δ and tr Σ = 4((d + 1)‖δ‖² + dσ²), by the
   * fourth moments of the normal distribution.
   */
  const closedForm = (w: readonly number[]): { signal: number; noise: number; value: number } => {
    const delta = w.reduce((s, v, k) => s + (v - truth[k]!) ** 2, 0);
    const [signal, noise] = [4 * delta, 4 * ((d + 1) * delta + d * sigma ** 2)];
    return { signal, noise, value: noise / signal };
  };

  for (const batchSize of [16, 64]) {
    it(`is that of linear regression, as the weights go to the minimum, with batches of ${batchSize}`, async () => {
      const live = evaluator(batchSize);
      const meter = new LiveNoiseScaleMeter(evaluation);
      let w = Array<number>(d).fill(0);
      for (const step of [0, 10, 20]) {
        live.step = step;
        live.current = { values: w };
        const found = await meter.measure(live, { batches: 32, batchSize }, testContext());
        const exact = closedForm(w);
        assert.deepEqual([found.step, found.batches, found.samples], [step, 32, 32 * batchSize]);
        for (const name of ['signal', 'noise'] as const) {
          const [value, error] = [decodeNumber(found[name]), decodeNumber(found[`${name}StandardError`])];
          assert.ok(Math.abs(value - exact[name]) < 4 * error, `${name} at ${step}: ${value} ± ${error}`);
          // The error is worth something: noise is known to a quarter.
          if (name === 'noise') assert.ok(error < 0.25 * exact.noise);
        }
        const [low, high] = found.interval.map(decodeNumber) as [number, number];
        assert.ok(low > 0.3 * exact.value && low < exact.value && exact.value < high, `${low} to ${high}`);
        for (let k = 0; k < 10; k++) {
          const g = live.problem.gradient(w, [], 'train', 0, x.length);
          w = w.map((v, i) => v - 0.02 * g[i]!);
        }
      }
      // Nothing of it stays in the training process.
      assert.deepEqual(live.held, []);
    });
  }

  it('evaluates a batch for its number of samples once, and takes a growing set', async () => {
    const meter = new LiveNoiseScaleMeter(evaluation);
    const young = new ReferenceEvaluator(linearRegression(x.slice(0, 128), y.slice(0, 128)), {
      batchSize: 32,
      learningRate: 0.05,
    });
    young.current = { values: Array<number>(d).fill(0) };
    assert.equal((await meter.measure(young, { batches: 16, batchSize: 32 }, testContext())).batches, 4);
    const grown = evaluator(32);
    grown.current = { values: Array<number>(d).fill(0) };
    const first = await meter.measure(grown, { batches: 16, batchSize: 32 }, testContext());
    const calls = grown.calls.filter(({ method }) => method === 'loss').length;
    await meter.measure(grown, { batches: 16, batchSize: 32 }, testContext());
    assert.equal(first.batches, 16);
    assert.equal(grown.calls.filter(({ method }) => method === 'loss').length, calls);
  });

  it('refuses weights that are NaN, and too few batches', async () => {
    const live = evaluator(1024);
    const meter = new LiveNoiseScaleMeter(evaluation);
    live.current = { values: Array<number>(d).fill(0) };
    const input = { batches: 16, batchSize: 1024 };
    await assert.rejects(meter.measure(live, input, testContext()), { code: 'unsupported' });
    live.current = { values: Array<number>(d).fill(NaN) };
    await assert.rejects(meter.measure(live, input, testContext()), { code: 'non-finite' });
    assert.deepEqual(live.held, []);
  });
});
