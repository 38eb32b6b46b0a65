import assert from 'node:assert/strict';
import { Matrix, QrDecomposition } from 'ml-matrix';
import { eigenSymmetric } from '../../../src/analysis/eigen.ts';
import { lanczos, type LanczosOptions, type RitzPairs } from '../../../src/analysis/lanczos.ts';
import { withVectors } from '../../../src/analysis/vectors.ts';
import { gaussianRows } from '../../fixtures/gaussian.ts';
import { diagonalQuadratic, quadratic, type Problem } from '../../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../../fixtures/referenceEvaluator.ts';

const how = { data: { split: 'train' as const }, mode: 'inference' as const, refresh: false };

async function run(
  problem: Problem,
  options: Partial<LanczosOptions> = {},
  precision: 'float32' | 'float64' = 'float64',
): Promise<RitzPairs & { most: number }> {
  const evaluator = new ReferenceEvaluator(problem, { precision });
  const size = evaluator.description.objective.parameterCount;
  await evaluator.load({ into: 'w', from: evaluator.put('w', Array<number>(size).fill(1)) });
  let most = 0;
  const result = await withVectors(evaluator, (vectors) =>
    lanczos(
      evaluator,
      vectors,
      (vector, into) => {
        most = Math.max(most, evaluator.held.length);
        return evaluator.hvp({ at: 'w', vector, into, how, method: 'auto' });
      },
      { top: 1, maxProducts: 100, tolerance: 1e-8, seed: 1, like: 'w', ...options },
      testContext(),
    ),
  );
  assert.deepEqual(evaluator.held, ['w']);
  return { ...result, most };
}

/** Q·diag(eigenvalues)·Qᵀ with a random rotation Q. */
function rotated(eigenvalues: readonly number[]): Problem {
  const n = eigenvalues.length;
  const q = new QrDecomposition(new Matrix(gaussianRows(n, n, 8))).orthogonalMatrix;
  const m = q.mmul(Matrix.diag([...eigenvalues])).mmul(q.transpose());
  return quadratic(Matrix.add(m, m.transpose()).mul(0.5).to2DArray());
}
const close = (a: number | undefined, b: number, tolerance: number): void =>
  assert.ok(a !== undefined && Math.abs(a - b) <= tolerance, `${a} is not ${b} ± ${tolerance}`);

describe('Lanczos', () => {
  it('finds the top of a known spectrum, with residuals that hold', async () => {
    const spectrum = Array.from({ length: 60 }, (_, i) => 30 * Math.exp(-i / 6) - 1);
    const { values, residuals, converged } = await run(rotated(spectrum), { top: 5 });
    assert.equal(converged, true);
    values.forEach((value, k) => {
      close(value, spectrum[k]!, 1e-6);
      assert.ok(Math.abs(value - spectrum[k]!) <= residuals[k]! + 1e-9);
    });
  });

  it('keeps its residual bound when stopped early, and says that it has not converged', async () => {
    const spectrum = Array.from({ length: 200 }, (_, i) => 1 + i / 200);
    const { values, residuals, converged, products } = await run(diagonalQuadratic(spectrum), {
      maxProducts: 4,
    });
    assert.equal(converged, false);
    assert.equal(products, 4);
    assert.ok(residuals[0]! > 1e-3);
    assert.ok(spectrum.some((l) => Math.abs(l - values[0]!) <= residuals[0]!));
  });

  it('copes with a condition number of 1e12', async () => {
    const spectrum = Array.from({ length: 40 }, (_, i) => 10 ** (6 - (12 * i) / 39));
    const { values, converged } = await run(rotated(spectrum), { top: 3 });
    assert.equal(converged, true);
    values.forEach((value, k) => close(value, spectrum[k]!, 1e-3));
  });

  it('gives the algebraically largest of a negative definite Hessian', async () => {
    const { values, converged } = await run(rotated([-5, -1, -4, -3, -2.5, -8]), { top: 2 });
    assert.equal(converged, true);
    close(values[0], -1, 1e-8);
    close(values[1], -2.5, 1e-8);
  });

  it('converges to a λ₁ of zero, where no share of |λ₁| is small enough', async () => {
    const spectrum = Array.from({ length: 300 }, (_, i) => (i === 0 ? 0 : -1 - i / 100));
    const { values, residuals, converged } = await run(diagonalQuadratic(spectrum), { tolerance: 1e-3 });
    assert.equal(converged, true);
    close(values[0], 0, 1e-5);
    assert.ok(residuals[0]! <= 1e-6 * 4);
  });

  it('finds λ₁ and the zeros of a rank-one Hessian', async () => {
    const u = [1, 2, 2, 4];
    const { values, residuals, converged } = await run(quadratic(u.map((a) => u.map((b) => a * b))), {
      top: 3,
    });
    assert.equal(converged, true);
    close(values[0], 25, 1e-9);
    close(values[1], 0, 1e-9);
    close(values[2], 0, 1e-9);
    residuals.forEach((r) => assert.ok(r < 1e-6));
  });

  it('answers 0 for a zero Hessian', async () => {
    const { values, residuals, converged } = await run(diagonalQuadratic(Array<number>(12).fill(0)), {
      top: 2,
    });
    assert.equal(converged, true);
    assert.deepEqual([...values, ...residuals], [0, 0, 0, 0]);
  });

  it('takes a single parameter, and no more eigenvalues than there are', async () => {
    const { values, converged } = await run(diagonalQuadratic([-3]), { top: 4 });
    assert.equal(converged, true);
    assert.deepEqual(values, [-3]);
  });

  it('stays within a bound on vectors by restarting, and still converges', async () => {
    const spectrum = Array.from({ length: 300 }, (_, i) => 10 / (1 + 0.02 * i));
    const free = await run(diagonalQuadratic(spectrum), { top: 2, maxProducts: 400, tolerance: 1e-6 });
    const bounded = await run(diagonalQuadratic(spectrum), {
      top: 2,
      maxProducts: 400,
      tolerance: 1e-6,
      maxBasis: 12,
    });
    assert.equal(bounded.converged, true);
    assert.ok(free.most > 30 && bounded.most <= 12 + 6 + 3, `${free.most} and ${bounded.most} vectors`);
    bounded.values.forEach((value, k) => close(value, spectrum[k]!, 1e-8));
    assert.ok(bounded.products > free.products && bounded.products < 4 * free.products);
  });

  it('reaches a thousandth in float32', async () => {
    const spectrum = Array.from({ length: 80 }, (_, i) => (i === 0 ? 50 : 10 * Math.exp(-i / 10) - 2));
    const { values, converged } = await run(rotated(spectrum), { top: 2, tolerance: 1e-3 }, 'float32');
    assert.equal(converged, true);
    close(values[0], 50, 1e-3);
    close(values[1], 10 * Math.exp(-0.1) - 2, 1e-3);
  });

  it('adds what makes products unsymmetric to the residual', async () => {
    const symmetric = [
      [4, 1, 0],
      [1, 3, 1],
      [0, 1, 1],
    ];
    const skewed = symmetric.map((row, i) => row.map((a, j) => a + (i < j ? 0.3 : i > j ? -0.3 : 0)));
    const { values, residuals } = await run(quadratic(skewed), { tolerance: 1e-12 });
    const { values: exact } = eigenSymmetric(new Matrix(symmetric));
    close(values[0], exact[0]!, 1e-9);
    assert.ok(residuals[0]! > 0.2, `residual ${residuals[0]}`);
  });

  it('starts warm: fewer products to the same residual', async () => {
    const spectrum = Array.from({ length: 400 }, (_, i) => 20 / (1 + 0.05 * i));
    const evaluator = new ReferenceEvaluator(diagonalQuadratic(spectrum));
    const start = spectrum.map((_, i) => (i === 0 ? 1 : 0.05 * Math.sin(i)));
    await evaluator.load({ into: 'w', from: evaluator.put('start', start) });
    const solve = (warm: boolean): Promise<RitzPairs> =>
      withVectors(evaluator, (vectors) =>
        lanczos(
          evaluator,
          vectors,
          (vector, into) => evaluator.hvp({ at: 'w', vector, into, how, method: 'auto' }),
          { top: 1, maxProducts: 100, tolerance: 0.01, seed: 2, like: 'w', ...(warm ? { start: 'w' } : {}) },
          testContext(),
        ),
      );
    const [cold, warm] = [await solve(false), await solve(true)];
    assert.ok(warm.converged && cold.converged);
    assert.ok(warm.products < cold.products, `${warm.products} and ${cold.products}`);
    close(warm.values[0], 20, 0.02);
  });

  it('refuses NaN', async () => {
    await assert.rejects(run(diagonalQuadratic([1, NaN, 2])), { code: 'non-finite' });
  });
});
