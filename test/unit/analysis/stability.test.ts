import assert from 'node:assert/strict';
import { Matrix } from 'ml-matrix';
import { eigenSymmetric } from '../../../src/analysis/eigen.ts';
import { stability } from '../../../src/analysis/stability.ts';
import type { OptimizerInfo } from '../../../src/protocol/run.ts';
import { gaussianRows } from '../../fixtures/gaussian.ts';
import { quadratic, type Problem } from '../../fixtures/problems.ts';
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
  // λ₁ = 9.61: the edge begins at 9, and rounding must not decide.
  [1, 3.1, 0.5, 0.1, 0.3, 0.2],
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
    assert.deepEqual(known, [4, 9.61, null, 16]);
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
      assert.ok(Math.abs(points[1]!.lambda1! - 9.61) < 1e-6);
      assert.match(trust[0]!, /preconditioned Hessian|learning rate is not known/);
    }
  });

  it('asks for a snapshot at least', async () => {
    const evaluator = new ReferenceEvaluator(quartic);
    const input = { ...evaluation, snapshots: [], optimizer: null };
    await assert.rejects(stability(evaluator, input, testContext()), { code: 'bad-input' });
  });
});

describe('stability of adaptive optimizers', () => {
  const size = 12;
  const half = new Matrix(gaussianRows(size, size, 5));
  const matrix = half.mmul(half.transpose());
  const moments = gaussianRows(1, size, 6)[0]!.map((x) => 0.04 * x ** 4);
  // One parameter has had no gradient: ε alone is its divisor.
  moments[3] = 0;
  const adam = { learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-3 };

  async function askAt(
    optimizer: OptimizerInfo,
    { step = 500, rate = 0.02, known = true, problem = quadratic(matrix.to2DArray()) } = {},
  ) {
    const evaluator = new ReferenceEvaluator(problem, { learningRate: rate });
    evaluator.current = { values: Array<number>(size).fill(0.3) };
    evaluator.secondMoment = known ? moments : null;
    evaluator.step = step;
    const vector = evaluator.put('s', Array<number>(size).fill(0.1));
    const result = await stability(
      evaluator,
      {
        ...evaluation,
        snapshots: [{ step: 7, vector, loss: null, learningRate: rate }],
        optimizer,
        tolerance: 1e-9,
        maxProducts: 200,
      },
      testContext(),
    );
    assert.deepEqual(evaluator.held, []);
    assert.equal(result.products, evaluator.calls.filter((c) => c.method === 'hvp').length);
    return { result, point: result.preconditioned, evaluator };
  }

  /** The largest eigenvalue of P^(−1/2)·(A + decay)·P^(−1/2). */
  function dense(divisor: (v: number) => number, decay = 0): number {
    const root = Matrix.diag(moments.map((v) => 1 / Math.sqrt(divisor(v))));
    const decayed = Matrix.add(matrix, Matrix.eye(size).mul(decay));
    return eigenSymmetric(root.mmul(decayed).mmul(root)).values[0]!;
  }

  const cases: [string, OptimizerInfo, number, number][] = [
    ['Adam', { name: 'Adam', config: adam }, dense((v) => Math.sqrt(v) + 1e-3), 38 / 0.02],
    [
      'Adam with L2 decay',
      { name: 'Adam', config: { ...adam, weightDecay: 0.5 } },
      dense((v) => Math.sqrt(v) + 1e-3, 0.5),
      38 / 0.02,
    ],
    [
      'AdamW',
      { name: 'AdamW', config: { ...adam, weightDecay: 0.5 } },
      dense((v) => Math.sqrt(v) + 1e-3),
      38 / 0.02 - 0.5 * 19,
    ],
    [
      'RMSProp of TensorFlow.js',
      { name: 'RMSProp', config: { epsilon: 1e-2, momentum: 0.5 } },
      dense((v) => Math.sqrt(v + 1e-2)),
      3 / 0.02,
    ],
  ];
  for (const [name, optimizer, lambda, bound] of cases) {
    it(`${name}: λ₁ of P⁻¹H is the dense one`, async () => {
      const { point, result } = await askAt(optimizer);
      assert.ok(Math.abs(point!.lambda1! / lambda - 1) < 1e-9, `${point?.lambda1} ${lambda}`);
      assert.ok(Math.abs(point!.bound! / bound - 1) < 1e-12);
      assert.ok(Math.abs(point!.ratio! / (lambda / bound) - 1) < 1e-9);
      assert.deepEqual(
        [point!.step, point!.learningRate, point!.apart, point!.converged],
        [500, 0.02, 0, true],
      );
      assert.equal(point!.correction, null);
      assert.equal(result.withoutPreconditioned, null);
      assert.match(
        result.trust[0]!,
        /^Divided by what the optimizer divides its steps by, λ₁ is .* at step 500/,
      );
      // The plain λ₁ of the snapshots stands beside it, without a bound.
      const plain = eigenSymmetric(matrix).values[0]!;
      assert.ok(Math.abs(result.points[0]!.lambda1! / plain - 1) < 1e-6);
      assert.equal(result.points[0]!.bound, null);
    });
  }

  it('gives the verdict by the rate in force', async () => {
    const lambda = dense((v) => Math.sqrt(v) + 1e-3);
    for (const [factor, verdict] of [
      [0.5, 'below'],
      [1, 'edge'],
      [2, 'above'],
    ] as const) {
      const { point } = await askAt({ name: 'Adam', config: adam }, { rate: (factor * 38) / lambda });
      assert.equal(point!.verdict, verdict);
    }
  });

  it('takes the Hessian of the loss as it was trained, whose gradients the moments are of', async () => {
    const problem = quadratic(matrix.to2DArray());
    const evaluator = new ReferenceEvaluator(problem, { learningRate: 0.02 });
    evaluator.current = { values: Array<number>(size).fill(0.3) };
    evaluator.secondMoment = moments;
    Object.assign(evaluator.description, { modes: ['inference', 'as-trained'] });
    await evaluator.load({ into: 'w', from: 'current' });
    const snapshots = [{ step: 7, vector: 'w', loss: null, learningRate: 0.02 }];
    const input = { ...evaluation, snapshots, optimizer: { name: 'Adam', config: adam } };
    const { preconditioned, trust } = await stability(evaluator, input, testContext());
    assert.equal(preconditioned!.mode, 'as-trained');
    assert.match(trust[0]!, /as it was trained/);
    const modes = evaluator.calls
      .filter((c) => c.method === 'hvp')
      .map((c) => (c.params as { how: { mode: string } }).how.mode);
    assert.deepEqual([modes[0], modes.at(-1)], ['inference', 'as-trained']);
  });

  it('says in one sentence why a process without second moments has none', async () => {
    const { result, point } = await askAt({ name: 'Adam', config: adam }, { known: false });
    assert.equal(point, null);
    assert.equal(result.withoutPreconditioned, 'The optimizer keeps no second moments.');
    assert.ok(
      result.trust.includes('The preconditioned λ₁ is not known: The optimizer keeps no second moments.'),
    );
    const other = await askAt({ name: 'Adadelta', config: {} });
    assert.match(other.result.withoutPreconditioned!, /^No bound .* Adadelta\.$/);
    const plain = await askAt({ name: 'SGD', config: {} });
    assert.deepEqual([plain.point, plain.result.withoutPreconditioned], [null, null]);
  });

  it('tells of the first steps, of training that goes on, and of what is not finite', async () => {
    const early = await askAt({ name: 'Adam', config: adam }, { step: 3 });
    assert.ok(Math.abs(early.point!.correction! - (1 - 0.9 ** 3)) < 1e-12);
    assert.ok(early.result.trust.some((t) => t.includes('times as long')));
    const bad: Problem = { ...quadratic(matrix.to2DArray()), hvp: (_w, v) => Array.from(v, () => NaN) };
    const broken = await askAt({ name: 'Adam', config: adam }, { problem: bad });
    assert.deepEqual([broken.point!.lambda1, broken.point!.verdict], [null, 'unknown']);

    const evaluator = new ReferenceEvaluator(quadratic(matrix.to2DArray()), { learningRate: 0.02 });
    evaluator.current = { values: Array<number>(size).fill(0.3) };
    evaluator.secondMoment = moments;
    const status = evaluator.status.bind(evaluator);
    let asked = 0;
    evaluator.status = async (...params) => {
      const step = 500 + 2 * asked++;
      return { ...(await status(...params)), step };
    };
    const vector = 'w';
    await evaluator.load({ into: vector, from: 'current' });
    const snapshots = [{ step: 7, vector, loss: null, learningRate: 0.02 }];
    const input = { ...evaluation, snapshots, optimizer: { name: 'Adam', config: adam } };
    const { preconditioned, trust } = await stability(evaluator, input, testContext());
    assert.equal(preconditioned!.apart, 2);
    assert.ok(trust.some((t) => t.includes('up to 2 steps')));
  });
});
