/** The covariance of gradient noise against closed forms: linear regression, whose gradients and Hessian are known. */
import assert from 'node:assert/strict';
import { Matrix } from 'ml-matrix';
import { eigenSymmetric } from '../../../src/analysis/eigen.ts';
import { gradientNoise } from '../../../src/analysis/gradientNoise.ts';
import { noiseRank, ratioOfForms } from '../../../src/analysis/noiseCovariance.ts';
import { gaussianRows, gaussians } from '../../fixtures/gaussian.ts';
import { linearRegression } from '../../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../../fixtures/referenceEvaluator.ts';

const gramOf = (rows: readonly (readonly number[])[]): number[][] =>
  rows.map((a) => rows.map((b) => a.reduce((s, x, k) => s + x * b[k]!, 0)));

/** Gradients of batches of 8 whose noise has these standard deviations, axis by axis. */
function gradients(batches: number, deviations: readonly number[], seed: number): number[][] {
  const next = gaussians(seed);
  return Array.from({ length: batches }, () => deviations.map((s) => (s * next()) / Math.sqrt(8)));
}
const eights = (n: number): number[] => Array.from({ length: n }, () => 8);

describe('covariance of gradient noise', () => {
  it('counts the directions that there are, and says that more batches would change little', () => {
    const deviations = Array.from({ length: 200 }, (_, k) => (k < 3 ? 1 : 0));
    const rank = noiseRank(gramOf(gradients(60, deviations, 1)), eights(60), 200, 1);
    assert.equal(rank.directions, 3);
    assert.equal(rank.limit, 59);
    assert.ok(rank.resolved);
    // tr Σ = 3, tr Σ² = 3: three.
    const { value, standardError } = rank.participation;
    assert.ok(Math.abs(value! - 3) < 4 * standardError!, `${value} ± ${standardError}`);
  });

  it('is a lower bound where the noise has more directions than there are batches', () => {
    const rank = noiseRank(
      gramOf(
        gradients(
          20,
          Array.from({ length: 500 }, () => 1),
          2,
        ),
      ),
      eights(20),
      500,
      1,
    );
    assert.ok(rank.directions <= 19 && rank.directions >= 14);
    assert.ok(!rank.resolved);
    assert.deepEqual(
      rank.growth.map((g) => g.batches),
      [5, 10, 20],
    );
  });

  it('has the eigenvalues of the sample covariance', () => {
    const rows = gradients(12, [3, 2, 1, 0.5], 3);
    const { eigenvalues } = noiseRank(gramOf(rows), eights(12), 4, 1);
    const mean = [0, 1, 2, 3].map((k) => rows.reduce((s, r) => s + r[k]!, 0) / 12);
    const covariance = [0, 1, 2, 3].map((a) =>
      [0, 1, 2, 3].map(
        (b) => (8 * rows.reduce((s, r) => s + (r[a]! - mean[a]!) * (r[b]! - mean[b]!), 0)) / 11,
      ),
    );
    const direct = eigenSymmetric(new Matrix(covariance)).values;
    direct.forEach((value, k) => assert.ok(Math.abs(eigenvalues[k]! - value) < 1e-9 * direct[0]!));
    assert.ok(eigenvalues.slice(4).every((value) => value < 1e-9));
  });

  it('states the participation ratio without the bias of few batches, with its error', () => {
    const deviations = Array.from({ length: 100 }, (_, k) => 1 / (1 + k));
    const square = deviations.map((s) => s * s);
    const truth = square.reduce((s, x) => s + x, 0) ** 2 / square.reduce((s, x) => s + x * x, 0);
    let inside = 0;
    const values: number[] = [];
    for (let seed = 0; seed < 200; seed++) {
      const { participation } = noiseRank(gramOf(gradients(24, deviations, 100 + seed)), eights(24), 100, 1);
      if (participation.value === null || participation.standardError === null) continue;
      values.push(participation.value);
      if (Math.abs(participation.value - truth) < 2.1 * participation.standardError) inside++;
    }
    assert.ok(values.length >= 195, String(values.length));
    assert.ok(inside >= 0.85 * values.length, `${inside} of ${values.length}`);
  });

  it('leaves one batch out as if it had not been there', () => {
    const rows = gradients(9, [2, 1, 1], 5);
    const samples = [8, 8, 8, 8, 8, 8, 8, 8, 3];
    const centredForms = (kept: readonly number[], weigh: (k: number) => number): number[] => {
      const total = kept.reduce((s, i) => s + samples[i]!, 0);
      const mean = [0, 1, 2].map((k) => kept.reduce((s, i) => s + samples[i]! * rows[i]![k]!, 0) / total);
      return kept.map(
        (i) => samples[i]! * rows[i]!.reduce((s, x, k) => s + weigh(k) * (x - mean[k]!) ** 2, 0),
      );
    };
    const all = rows.map((_, i) => i);
    const sum = (xs: readonly number[]): number => xs.reduce((s, x) => s + x, 0);
    const first = (k: number): number => (k === 0 ? 1 : 0);
    const ratio = (kept: readonly number[]): number =>
      sum(centredForms(kept, first)) / sum(centredForms(kept, () => 1));
    const { value, standardError } = ratioOfForms(
      centredForms(all, first),
      centredForms(all, () => 1),
      samples,
    );
    assert.ok(Math.abs(value - ratio(all)) < 1e-12);
    const without = all.map((i) => ratio(all.filter((j) => j !== i)));
    const middle = sum(without) / 9;
    const direct = Math.sqrt((8 / 9) * sum(without.map((x) => (x - middle) ** 2)));
    assert.ok(Math.abs(standardError! / direct - 1) < 1e-9);
  });
});

describe('gradient noise of a model', () => {
  const width = 12;
  const n = 640;
  const batchSize = 10;
  const scales = Array.from({ length: width }, (_, k) => 1 / (1 + k));
  const x = gaussianRows(n, width, 11).map((row) => row.map((v, k) => v * scales[k]!));
  const noise = gaussians(12);
  const y = x.map((row) => row.reduce((s, v) => s + v, 0) + 0.5 * noise());

  it('is that of the samples’ own gradients, its share in the top eigenvectors and Tr(HΣ) too', async () => {
    const evaluator = new ReferenceEvaluator(linearRegression(x, y), { batchSize });
    const weights = Array.from({ length: width }, (_, k) => 1 + 0.02 * (k - 5));
    evaluator.put('w', weights);
    await evaluator.load({ into: 'w', from: { file: 'w' } });
    const result = await gradientNoise(
      evaluator,
      {
        at: { id: 'w', vector: 'w' },
        data: { split: 'train' },
        mode: 'as-trained',
        batches: 64,
        top: 2,
        seed: 1,
      },
      testContext(),
    );
    // Each sample's gradient of (w·x − y)² is 2(w·x − y)x.
    const own = x.map((row, i) => {
      const error = row.reduce((s, v, k) => s + v * weights[k]!, 0) - y[i]!;
      return row.map((v) => 2 * error * v);
    });
    const mean = weights.map((_, k) => own.reduce((s, g) => s + g[k]!, 0) / n);
    const covariance = new Matrix(
      weights.map((_, a) =>
        weights.map(
          (__, b) => own.reduce((s, g) => s + (g[a]! - mean[a]!) * (g[b]! - mean[b]!), 0) / (n - 1),
        ),
      ),
    );
    const hessian = new Matrix(
      weights.map((_, a) => weights.map((__, b) => (2 / n) * x.reduce((s, row) => s + row[a]! * row[b]!, 0))),
    );
    const near = (found: number | null, error: number | null, truth: number, what: string): void =>
      assert.ok(Math.abs(found! - truth) < 4 * error!, `${what}: ${found} ± ${error} for ${truth}`);
    const { scale, rank, hessian: h } = result;
    near(scale.trace.value, scale.trace.standardError, covariance.trace(), 'tr Σ');
    near(h!.trace.value, h!.trace.standardError, hessian.mmul(covariance).trace(), 'Tr(HΣ)');
    const { values, vector } = eigenSymmetric(hessian);
    const inside = [0, 1].reduce((s, k) => {
      const v = Matrix.columnVector(vector(k));
      return s + v.transpose().mmul(covariance).mmul(v).get(0, 0);
    }, 0);
    near(h!.noise.value, h!.noise.standardError, inside / covariance.trace(), 'share of the noise');
    assert.ok(Math.abs(h!.eigenvalues[0]! / values[0]! - 1) < 1e-3);
    assert.ok(Math.abs(h!.noise.isotropic - 2 / width) < 1e-12);
    assert.ok(rank.directions < width && rank.limit === width && rank.resolved);
    assert.equal(result.batches, 64);
    assert.match(result.trust.join(' '), /noise scale is .* samples.*of 12 directions.*top 2 eigenvectors/);
  });

  it('needs four batches, leaves the Hessian out where it is not wanted, and can be cancelled', async () => {
    const few = new ReferenceEvaluator(linearRegression(x.slice(0, 30), y.slice(0, 30)), { batchSize });
    few.put('w', scales);
    await few.load({ into: 'w', from: { file: 'w' } });
    const input = {
      at: { id: 'w', vector: 'w' },
      data: { split: 'train' },
      mode: 'as-trained',
      batches: 64,
      top: 0,
      seed: 1,
    } as const;
    await assert.rejects(gradientNoise(few, input, testContext()), { code: /bad-input|unsupported/ });
    const evaluator = new ReferenceEvaluator(linearRegression(x, y), { batchSize });
    evaluator.put('w', scales);
    await evaluator.load({ into: 'w', from: { file: 'w' } });
    assert.equal((await gradientNoise(evaluator, input, testContext())).hessian, null);
    const context = testContext();
    context.controller.abort();
    await assert.rejects(gradientNoise(evaluator, input, context), { code: 'cancelled' });
  });
});
