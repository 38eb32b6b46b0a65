import assert from 'node:assert/strict';
import { calibration, type CalibrationInput } from '../../../src/analysis/calibration.ts';
import { BasinError } from '../../../src/protocol/errors.ts';
import { gaussians } from '../../fixtures/gaussian.ts';
import { classifier, quadratic } from '../../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../../fixtures/referenceEvaluator.ts';

const SAMPLES = 1500;

/** One input, two classes, logits (w·x, −w·x), labels drawn with P(0) = σ(2x): calibrated at w = 1 exactly. */
function evaluator(seed: number): ReferenceEvaluator {
  const next = gaussians(seed);
  const x = Array.from({ length: SAMPLES }, () => [1.2 * next()]);
  // Φ of a Gaussian is uniform.
  const labels = x.map(([v = 0]) => (normalCdf(next()) < 1 / (1 + Math.exp(-2 * v)) ? 0 : 1));
  const data = { x, labels };
  return new ReferenceEvaluator(
    classifier({ units: [1, 2], activation: 'tanh', bias: false, train: data, validation: data }),
    { batchSize: 100 },
  );
}

/** Abramowitz & Stegun 7.1.26, to 1.5e-7. */
function normalCdf(z: number): number {
  const t = 1 / (1 + (0.3275911 * Math.abs(z)) / Math.SQRT2);
  const tail =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const erf = 1 - tail * Math.exp((-z * z) / 2);
  return z < 0 ? (1 - erf) / 2 : (1 + erf) / 2;
}

async function ask(reference: ReferenceEvaluator, w: number, more: Partial<CalibrationInput> = {}) {
  const result = await calibration(
    reference,
    {
      data: { split: 'train' },
      mode: 'inference',
      at: { id: '3', vector: reference.put('w', [w, -w]) },
      bins: 15,
      binning: 'width',
      seed: 1,
      ...more,
    },
    testContext(),
  );
  assert.deepEqual(reference.held, []);
  return result;
}

describe('calibration', () => {
  for (const binning of ['width', 'mass'] as const) {
    it(`tells a calibrated model from one that is too sure of itself, in bins of equal ${binning}`, async () => {
      const reference = evaluator(3);
      const right = await ask(reference, 1, { binning });
      assert.ok(right.error <= right.ifCalibrated.percentile95, JSON.stringify(right.ifCalibrated));
      assert.match(right.trust[0] ?? '', /taken at its word/);
      const sure = await ask(reference, 4, { binning });
      assert.ok(sure.error > 3 * sure.ifCalibrated.percentile95);
      assert.match(sure.trust[0] ?? '', /too sure of itself/);
      const unsure = await ask(reference, 0.2, { binning });
      assert.match(unsure.trust[0] ?? '', /less sure/);
      // The same answers are given at every w > 0.
      assert.equal(sure.accuracy, right.accuracy);
    });

    it(`has every sample in one bin, and the error that its definition gives, in bins of equal ${binning}`, async () => {
      const reference = evaluator(4);
      const { bins, error, maximumError, confidence } = await ask(reference, 2.5, { binning, bins: 10 });
      await reference.load({ into: 'v', from: { file: 'w' } });
      const how = { data: { split: 'train' }, mode: 'inference', refresh: false } as const;
      const samples = await reference.samples({ members: ['v'], how, inputGradient: false });
      await reference.release({ vectors: ['v'] });
      assert.equal(
        bins.reduce((n, b) => n + b.samples, 0),
        SAMPLES,
      );
      let expected = 0;
      let largest = 0;
      for (const bin of bins) {
        const inside = samples.confidence!.flatMap((c, i) =>
          c > bin.from && c <= bin.to ? [{ c, right: samples.correct![i]! }] : [],
        );
        assert.equal(inside.length, bin.samples);
        if (inside.length === 0) continue;
        const difference = Math.abs(inside.reduce((s, { c, right }) => s + right - c, 0));
        expected += difference / SAMPLES;
        largest = Math.max(largest, difference / inside.length);
      }
      assert.ok(Math.abs(error - expected) < 1e-12);
      assert.ok(Math.abs(maximumError - largest) < 1e-12);
      const mean = samples.confidence!.reduce((a, b) => a + b, 0) / SAMPLES;
      assert.ok(Math.abs(confidence - mean) < 1e-12);
    });
  }

  it('calls a calibrated model calibrated in about 95 % of draws', async () => {
    let taken = 0;
    for (let seed = 0; seed < 60; seed++) {
      const { error, ifCalibrated } = await ask(evaluator(100 + seed), 1);
      if (error <= ifCalibrated.percentile95) taken++;
    }
    // Binomial(60, 0.95): 51 or fewer once in 200.
    assert.ok(taken >= 51, `${taken} of 60`);
  });

  it('states a standard error that is the spread over draws', async () => {
    const results = [];
    for (let seed = 0; seed < 60; seed++) results.push(await ask(evaluator(300 + seed), 4));
    const errors = results.map((r) => r.error);
    const mean = errors.reduce((a, b) => a + b, 0) / errors.length;
    const spread = Math.sqrt(errors.reduce((s, e) => s + (e - mean) ** 2, 0) / (errors.length - 1));
    const stated = results.reduce((s, r) => s + r.standardError, 0) / results.length;
    assert.ok(stated / spread > 0.7 && stated / spread < 1.4, `${stated} for ${spread}`);
  });

  it('refuses a loss without classes, and predictions that are NaN', async () => {
    const line = new ReferenceEvaluator(quadratic([[2]]));
    await assert.rejects(
      ask(line, 1, { at: { id: '0', vector: line.put('one', [1]) } }),
      (e) => e instanceof BasinError && e.code === 'unsupported',
    );
    await assert.rejects(ask(evaluator(1), NaN), (e) => e instanceof BasinError && e.code === 'non-finite');
  });
});
