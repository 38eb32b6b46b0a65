import assert from 'node:assert/strict';
import { Matrix } from 'ml-matrix';
import { eigenSymmetric } from '../../../src/analysis/eigen.ts';
import { LiveSharpnessTracker } from '../../../src/analysis/liveSharpness.ts';
import { sharpness } from '../../../src/analysis/sharpness.ts';
import { isCancelled } from '../../../src/protocol/errors.ts';
import { gaussianRows, gaussians } from '../../fixtures/gaussian.ts';
import {
  average,
  classifier,
  diagonalQuadratic,
  linearRegression,
  softmax,
} from '../../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../../fixtures/referenceEvaluator.ts';

const evaluation = { data: { split: 'train' }, mode: 'inference' } as const;
const sgd = { name: 'SGD', config: { learningRate: 0.5 } };
const base = { top: 1, optimizer: sgd, learningRate: null, ...evaluation };

const samples = 103;
const x = gaussianRows(samples, 6, 1).map((row) => row.map((v, j) => v * (1 + j / 3)));
const y = x.map((row) => row[0]! - 2 * row[3]!);
/** (2/N)·XᵀX */
const linearHessian = (rows: number[][]): Matrix => {
  const m = new Matrix(rows);
  return m
    .transpose()
    .mmul(m)
    .mul(2 / rows.length);
};

describe('sharpness', () => {
  for (const batchSize of [103, 50, 25, 10, 1]) {
    it(`of linear regression is that of (2/N)·XᵀX, in batches of ${batchSize}`, async () => {
      const evaluator = new ReferenceEvaluator(linearRegression(x, y), { batchSize });
      const at = { id: '5', vector: evaluator.put('w', [1, 2, 3, 4, 5, 6]) };
      const result = await sharpness(evaluator, { ...base, at, top: 3, tolerance: 1e-9 }, testContext());
      const { values } = eigenSymmetric(linearHessian(x));
      result.eigenvalues.forEach((l, k) =>
        assert.ok(Math.abs(l - values[k]!) < 1e-8, `${l} and ${values[k]}`),
      );
      assert.equal(result.converged, true);
      assert.equal(result.method, 'exact');
      assert.equal(result.data.samples, samples);
      assert.equal(result.products, evaluator.calls.filter((c) => c.method === 'hvp').length);
      assert.deepEqual(evaluator.held, []);
    });
  }

  for (const batchSize of [40, 12]) {
    it(`of softmax regression is that of (1/N)·Σ(diag p − ppᵀ)⊗xxᵀ, in batches of ${batchSize}`, async () => {
      const rows = gaussianRows(40, 3, 5);
      const labels = rows.map((_, i) => i % 4);
      const train = { x: rows, labels };
      const problem = classifier({ units: [3, 4], activation: 'tanh', bias: false, train });
      const next = gaussians(6);
      const w = Array.from({ length: 12 }, next);
      const hessian = Matrix.zeros(12, 12);
      for (const row of rows) {
        const p = softmax([0, 1, 2, 3].map((c) => row.reduce((s, v, i) => s + v * w[i * 4 + c]!, 0)));
        for (let a = 0; a < 12; a++) {
          for (let b = 0; b < 12; b++) {
            const [i, c, j, d] = [Math.floor(a / 4), a % 4, Math.floor(b / 4), b % 4];
            const inner = (c === d ? p[c]! : 0) - p[c]! * p[d]!;
            hessian.set(a, b, hessian.get(a, b) + (inner * row[i]! * row[j]!) / 40);
          }
        }
      }
      const evaluator = new ReferenceEvaluator(problem, { batchSize });
      const at = { id: '5', vector: evaluator.put('w', w) };
      const result = await sharpness(evaluator, { ...base, at, top: 4, tolerance: 1e-9 }, testContext());
      const { values } = eigenSymmetric(hessian);
      result.eigenvalues.forEach((l, k) =>
        assert.ok(Math.abs(l - values[k]!) < 1e-8, `${l} and ${values[k]}`),
      );
    });
  }

  it('has the default accuracy in float32', async () => {
    const evaluator = new ReferenceEvaluator(linearRegression(x, y), { batchSize: 25, precision: 'float32' });
    const at = { id: '5', vector: evaluator.put('w', [1, 2, 3, 4, 5, 6]) };
    const result = await sharpness(evaluator, { ...base, at }, testContext());
    const exact = eigenSymmetric(linearHessian(x)).values[0]!;
    const error = Math.abs(result.eigenvalues[0]! - exact);
    assert.ok(error < 1e-5 * exact);
    assert.ok(
      error <= result.residuals[0]! && result.residuals[0]! >= 9e-7 * exact,
      'the bound allows for rounding',
    );
    const iterations = result.products - 3;
    assert.ok(result.trust[0]!.startsWith(`Converged after ${iterations} `), 'parts are no iterations');
  });

  it('is that of the model with the statistics it carries', async () => {
    const rows = gaussianRows(20, 3, 5);
    const train = { x: rows, labels: rows.map((_, i) => i % 2) };
    const problem = classifier({ units: [3, 4, 2], activation: 'tanh', bias: false, batchNorm: true, train });
    const w = gaussianRows(1, 20, 6)[0]!;
    const state = [0.3, 0, -0.2, 0.1, 2, 1, 0.5, 3];
    const columns = w.map((_, j) => {
      const unit = w.map((_, i) => (i === j ? 1 : 0));
      return problem.hvp(w, unit, state, 'train', 0, 20);
    });
    const hessian = new Matrix(columns);
    const exact = eigenSymmetric(Matrix.add(hessian, hessian.transpose()).mul(0.5)).values[0]!;
    const evaluator = new ReferenceEvaluator(problem, { batchSize: 5 });
    const at = { id: '5', vector: evaluator.put('w', w, state) };
    const result = await sharpness(evaluator, { ...base, at, tolerance: 1e-9 }, testContext());
    assert.ok(Math.abs(result.eigenvalues[0]! - exact) < 1e-8);
    assert.equal(result.refreshedStatistics, false);
  });

  it('states the standard error of its parts, computed directly', async () => {
    const evaluator = new ReferenceEvaluator(linearRegression(x, y), { batchSize: 10 });
    const at = { id: '5', vector: evaluator.put('w', [0, 0, 0, 0, 0, 0]) };
    const result = await sharpness(evaluator, { ...base, at, tolerance: 1e-10 }, testContext());
    const { values, vector } = eigenSymmetric(linearHessian(x));
    const v = vector(0);
    // Eight prefixes of at most 13, 26, … samples, in whole batches of 10.
    const ends = [10, 20, 30, 50, 60, 70, 90, 103];
    const quotient = (rows: number[][]): number =>
      (2 * rows.reduce((s, row) => s + row.reduce((t, a, i) => t + a * v[i]!, 0) ** 2, 0)) / rows.length;
    const parts = ends.map((end, i) => ({
      n: end - (ends[i - 1] ?? 0),
      q: quotient(x.slice(ends[i - 1] ?? 0, end)),
    }));
    assert.ok(Math.abs(parts.reduce((s, p) => s + (p.n * p.q) / samples, 0) - values[0]!) < 1e-9);
    const spread = parts.reduce((s, p) => s + ((p.n / samples) * (p.q - values[0]!)) ** 2, 0);
    assert.ok(Math.abs(result.standardError! - Math.sqrt((spread * 8) / 7)) < 1e-7);
  });

  it('has a standard error of the size of the real spread over data sets', async function () {
    this.timeout(20_000);
    const estimates: number[] = [];
    const errors: number[] = [];
    for (let seed = 0; seed < 60; seed++) {
      const rows = gaussianRows(400, 3, 100 + seed).map((row) => [2 * row[0]!, row[1]!, row[2]!]);
      const evaluator = new ReferenceEvaluator(linearRegression(rows, Array<number>(400).fill(0)), {
        batchSize: 20,
      });
      const at = { id: '0', vector: evaluator.put('w', [0, 0, 0]) };
      const result = await sharpness(evaluator, { ...base, at }, testContext());
      estimates.push(result.eigenvalues[0]!);
      errors.push(result.standardError!);
    }
    const mean = average(estimates);
    const spread = Math.sqrt(estimates.reduce((s, e) => s + (e - mean) ** 2, 0) / 59);
    const stated = Math.sqrt(average(errors.map((e) => e * e)));
    assert.ok(stated / spread > 0.75 && stated / spread < 1.33, `stated ${stated}, seen ${spread}`);
  });

  it('has no standard error over fewer than three batches', async () => {
    const evaluator = new ReferenceEvaluator(linearRegression(x, y), { batchSize: 60 });
    const at = { id: '5', vector: evaluator.put('w', [1, 2, 3, 4, 5, 6]) };
    const result = await sharpness(evaluator, { ...base, at }, testContext());
    assert.equal(result.standardError, null);
    assert.ok(result.trust.some((s) => s.includes('too few batches')));
  });

  it('names its verdict, its bound and its method', async () => {
    const evaluator = new ReferenceEvaluator(diagonalQuadratic([4.1, 1, -2]), { finiteDifference: 'Conv3D' });
    const at = { id: '5', vector: evaluator.put('w', [1, 1, 1]) };
    const result = await sharpness(evaluator, { ...base, at }, testContext());
    assert.deepEqual([result.stabilityBound, result.stabilityFormula, result.verdict], [4, '2/η', 'edge']);
    assert.equal(result.method, 'finite-difference');
    assert.ok(result.trust.some((s) => s.includes('finite differences of gradients (Conv3D)')));
    const adam = { name: 'Adam', config: { learningRate: 0.001 } };
    const other = await sharpness(evaluator, { ...base, at, optimizer: adam }, testContext());
    assert.deepEqual([other.stabilityBound, other.verdict], [null, 'unknown']);
    assert.ok(other.trust.some((s) => s.startsWith('No stability bound: Adam')));
  });

  it('says when it has not converged', async () => {
    const spectrum = Array.from({ length: 300 }, (_, i) => 1 + i / 300);
    const evaluator = new ReferenceEvaluator(diagonalQuadratic(spectrum));
    const at = { id: '5', vector: evaluator.put('w', spectrum) };
    const result = await sharpness(evaluator, { ...base, at, maxProducts: 3 }, testContext());
    assert.equal(result.converged, false);
    assert.match(result.trust[0]!, /^Not converged after 3 /);
  });

  it('refuses NaN weights and impossible requests; stops when cancelled', async () => {
    const evaluator = new ReferenceEvaluator(linearRegression(x, y));
    const at = { id: '5', vector: evaluator.put('w', [1, 2, 3, 4, 5, 6]) };
    await assert.rejects(sharpness(evaluator, { ...base, at, top: 0 }, testContext()), { code: 'bad-input' });
    const context = testContext();
    evaluator.before = (method) => {
      if (method === 'orthogonalise') context.controller.abort();
    };
    await assert.rejects(sharpness(evaluator, { ...base, at }, context), isCancelled);
    assert.deepEqual(evaluator.held, []);
    const rows = gaussianRows(5, 2, 1);
    const net = classifier({
      units: [2, 2],
      activation: 'tanh',
      bias: true,
      train: { x: rows, labels: [0, 1, 0, 1, 0] },
    });
    const broken = new ReferenceEvaluator(net);
    const nan = { id: '9', vector: broken.put('w', Array<number>(6).fill(NaN)) };
    await assert.rejects(sharpness(broken, { ...base, at: nan }, testContext()), { code: 'non-finite' });
    // Its Hessian is the same everywhere, so only the weights themselves can tell.
    const lost = { id: '9', vector: evaluator.put('lost', [1, NaN, 3, 4, 5, 6]) };
    evaluator.before = () => undefined;
    await assert.rejects(sharpness(evaluator, { ...base, at: lost }, testContext()), { code: 'non-finite' });
  });
});

describe('live sharpness', () => {
  it('follows λ₁ of moving weights within its products, and keeps one vector', async () => {
    const rows = gaussianRows(60, 5, 3);
    const labels = rows.map((row) => (row[0]! + row[1]! > 0 ? 1 : 0));
    const problem = classifier({
      units: [5, 8, 2],
      activation: 'tanh',
      bias: true,
      train: { x: rows, labels },
    });
    const size = 66;
    const momentum = { name: 'Momentum', config: { learningRate: 0.1, momentum: 0.9, useNesterov: false } };
    const evaluator = new ReferenceEvaluator(problem, {
      batchSize: 20,
      optimizer: momentum,
      learningRate: 0.05,
    });
    const tracker = new LiveSharpnessTracker(evaluator, { ...evaluation, products: 5 });
    const next = gaussians(4);
    let w = Array.from({ length: size }, () => 0.5 * next());
    for (let round = 0; round < 6; round++) {
      evaluator.current = { values: w };
      evaluator.step = 10 * round;
      const live = await tracker.measure(testContext());
      const columns = w.map((_, j) => {
        const unit = w.map((_, i) => (i === j ? 1 : 0));
        return problem.hvp(w, unit, [], 'train', 0, 60);
      });
      const hessian = new Matrix(columns);
      const exact = eigenSymmetric(Matrix.add(hessian, hessian.transpose()).mul(0.5)).values;
      assert.ok(Math.abs(live.lambda1 - exact[0]!) < 0.02 * exact[0]!, `${live.lambda1} and ${exact[0]}`);
      assert.ok(exact.some((l) => Math.abs(l - live.lambda1) <= live.residual * live.lambda1 + 1e-9));
      assert.ok(live.products <= (round === 0 ? 15 : 5));
      assert.deepEqual([live.step, live.samples, live.learningRate], [10 * round, 60, 0.05]);
      assert.ok(Math.abs(live.bound! - (2 + 1.8) / 0.05) < 1e-9);
      assert.ok(live.seconds > 0);
      assert.equal(evaluator.held.length, 1);
      for (let k = 0; k < 5; k++) {
        const g = problem.gradient(w, [], 'train', 0, 60);
        w = w.map((a, i) => a - 0.05 * g[i]!);
      }
    }
    await tracker.release();
    assert.deepEqual(evaluator.held, []);
  });

  it('refuses weights that have become NaN, and can go on afterwards', async () => {
    const evaluator = new ReferenceEvaluator(diagonalQuadratic([3, 1]));
    const tracker = new LiveSharpnessTracker(evaluator, evaluation);
    evaluator.current = { values: [NaN, 1] };
    await assert.rejects(tracker.measure(testContext()), { code: 'non-finite' });
    evaluator.current = { values: [2, 1] };
    const live = await tracker.measure(testContext());
    assert.ok(Math.abs(live.lambda1 - 3) < 1e-9);
    assert.equal(live.bound, null);
  });
});
