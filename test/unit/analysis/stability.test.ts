import assert from 'node:assert/strict';
import { stability } from '../../../src/analysis/stability.ts';
import type { Problem } from '../../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../../fixtures/referenceEvaluator.ts';

/** Σ θ_i⁴/12 on one sample: the Hessian is diag(θ_i²), so λ₁ is the largest weight's square. */
const quartic: Problem = {
  parameters: [{ name: 'theta', shape: [6], role: 'other', filterAxis: null, layer: null }],
  stateSize: 0,
  samples: (split) => (split === 'train' ? 1 : 0),
  losses: (w) => [Array.from(w).reduce((s, x) => s + x ** 4 / 12, 0)],
  gradient: (w) => Array.from(w, (x) => x ** 3 / 3),
  hvp: (w, v) => Array.from(w, (x, i) => x * x * (v[i] ?? 0)),
};
const evaluation = { data: { split: 'train' }, mode: 'inference' } as const;
const weights = [
  [1, 2, 0.5, 0.1, 0.3, 0.2],
  [1, 3, 0.5, 0.1, 0.3, 0.2],
  [1, 0.5, NaN, 0.1, 0.3, 0.2],
  [4, 3, 0.5, 0.1, 0.3, 0.2],
];

async function ask(optimizer: { name: string; config: Record<string, number> }, rates: (number | null)[]) {
  const evaluator = new ReferenceEvaluator(quartic);
  const snapshots = weights.map((w, i) => ({
    step: 10 * i,
    vector: evaluator.put(`s${i}`, w),
    loss: null,
    learningRate: rates[i] ?? null,
  }));
  const result = await stability(
    evaluator,
    { ...evaluation, snapshots, optimizer, tolerance: 1e-8 },
    testContext(),
  );
  assert.deepEqual(evaluator.held, []);
  assert.equal(result.products, evaluator.calls.filter((c) => c.method === 'hvp').length);
  return result;
}

describe('stability along a run', () => {
  it('holds λ₁ of each snapshot against the bound at the learning rate in force there', async () => {
    const { points, trust, formula } = await ask({ name: 'SGD', config: {} }, [0.1, 0.2, 0.2, 0.2]);
    const known = points.map((p) => (p.lambda1 === null ? null : Math.round(p.lambda1 * 1e6) / 1e6));
    assert.deepEqual(known, [4, 9, null, 16]);
    assert.deepEqual(
      points.map((p) => p.bound),
      [20, 10, 10, 10],
    );
    assert.deepEqual(
      points.map((p) => p.verdict),
      ['below', 'edge', 'unknown', 'above'],
    );
    // λ₁·η/2 is the ratio for gradient descent.
    assert.ok(Math.abs(points[3]!.ratio! - (16 * 0.2) / 2) < 1e-6);
    assert.equal(formula, '2/η');
    assert.ok(trust[0]!.includes('2 of 3 snapshots, first at step 10'), trust[0]);
    assert.ok(trust.some((t) => t.includes('NaN or infinite: 20')));
  });

  it('states no bound for Adam and an unknown learning rate, and says why', async () => {
    for (const optimizer of [
      { name: 'Adam', config: {} },
      { name: 'SGD', config: {} },
    ]) {
      const { points, trust } = await ask(optimizer, optimizer.name === 'Adam' ? [1, 1, 1, 1] : []);
      assert.ok(points.every((p) => p.bound === null && p.ratio === null && p.verdict === 'unknown'));
      assert.ok(Math.abs(points[1]!.lambda1! - 9) < 1e-6);
      assert.match(trust[0]!, /preconditioned Hessian|learning rate is not known/);
    }
  });

  it('asks for a snapshot at least', async () => {
    const evaluator = new ReferenceEvaluator(quartic);
    const input = { ...evaluation, snapshots: [], optimizer: null };
    await assert.rejects(stability(evaluator, input, testContext()), { code: 'bad-input' });
  });
});
