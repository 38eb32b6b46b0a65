import assert from 'node:assert/strict';
import { Matrix } from 'ml-matrix';
import { eigenSymmetric } from '../../../src/analysis/eigen.ts';
import { spectrum, type SpectrumInput } from '../../../src/analysis/spectrum.ts';
import { gaussianRows } from '../../fixtures/gaussian.ts';
import { classifier, diagonalQuadratic, linearRegression, quadratic } from '../../fixtures/problems.ts';
import { ReferenceEvaluator, testContext, type ReferenceOptions } from '../../fixtures/referenceEvaluator.ts';
import type { Problem } from '../../fixtures/problems.ts';

const nothing = { top: 0, bottom: 0, trace: false, density: false, perLayer: false } as const;
const evaluation = { data: { split: 'train' }, mode: 'inference', matrix: 'hessian' } as const;

async function ask(
  problem: Problem,
  wanted: Partial<SpectrumInput>,
  options: ReferenceOptions = {},
  w?: number[],
) {
  const evaluator = new ReferenceEvaluator(problem, options);
  const count = evaluator.description.objective.parameterCount;
  const at = { id: '5', vector: evaluator.put('w', w ?? Array<number>(count).fill(0.5)) };
  const result = await spectrum(evaluator, { ...nothing, ...evaluation, at, ...wanted }, testContext());
  assert.deepEqual(evaluator.held, [], 'every vector is released');
  assert.equal(result.products, evaluator.calls.filter((c) => c.method === 'hvp').length);
  return { result, block: result.blocks[0]!, evaluator };
}
const near = (a: number, b: number, error = 1e-7): void =>
  assert.ok(Math.abs(a - b) <= error, `${a} and ${b} differ by more than ${error}`);

/** QᵀDQ with a random orthogonal Q. */
function withEigenvalues(values: readonly number[], seed = 3): number[][] {
  const n = values.length;
  const m = new Matrix(gaussianRows(n, n, seed));
  const q = new Matrix(eigenVectors(Matrix.add(m, m.transpose())));
  return q
    .mmul(Matrix.diag([...values]))
    .mmul(q.transpose())
    .to2DArray();
}
function eigenVectors(m: Matrix): number[][] {
  const { vector } = eigenSymmetric(m);
  return Array.from({ length: m.rows }, (_, i) => Array.from({ length: m.rows }, (_, k) => vector(k)[i]!));
}

describe('spectrum', () => {
  const rows = gaussianRows(60, 5, 2);
  const train = { x: rows, labels: rows.map((_, i) => i % 3) };
  const net = classifier({ units: [5, 6, 3], activation: 'tanh', bias: true, train });
  const size = 5 * 6 + 6 + 6 * 3 + 3;
  const weights = gaussianRows(1, size, 9)[0]!;
  const columns = weights.map((_, j) =>
    net.hvp(
      weights,
      weights.map((_, i) => (i === j ? 1 : 0)),
      [],
      'train',
      0,
      60,
    ),
  );
  const hessian = new Matrix(columns);
  const symmetric = Matrix.add(hessian, hessian.transpose()).mul(0.5);
  const exact = eigenSymmetric(symmetric).values;

  for (const batchSize of [60, 12, 7]) {
    it(`has both ends and the trace of a network's Hessian, in batches of ${batchSize}`, async () => {
      const wanted = { top: 5, bottom: 3, trace: true, tolerance: 1e-8 };
      const { block, result } = await ask(net, wanted, { batchSize }, weights);
      block.largest!.values.forEach((l, k) => near(l, exact[k]!, 1e-7));
      block.smallest!.values.forEach((l, k) => near(l, exact.at(-1 - k)!, 1e-7));
      assert.ok(block.smallest!.values[0]! < 0, 'the Hessian is indefinite');
      const trace = symmetric.trace();
      near(block.trace!.value, trace, 4 * block.trace!.standardError);
      assert.ok(block.trace!.standardError > 0 && block.trace!.samples >= 20);
      assert.equal(result.data.samples, 60);
    });
  }

  it('does not change with the batches that the data is cut into: eigenvalues, trace, density', async () => {
    const found = [];
    for (const batchSize of [60, 12, 6, 7]) {
      const wanted = { top: 3, bottom: 1, trace: true, density: true, tolerance: 1e-9, seed: 4 };
      const { block } = await ask(net, wanted, { batchSize }, weights);
      const { x, density } = block.density!;
      found.push([...block.largest!.values, ...block.smallest!.values, block.trace!.value, ...x, ...density]);
    }
    const [whole, ...cut] = found;
    for (const other of cut) {
      assert.equal(other.length, whole!.length);
      other.forEach((value, k) => near(value, whole![k]!, 1e-6 * Math.max(1, exact[0]!)));
    }
  });

  it('lists multiple eigenvalues as often as they occur', async () => {
    const values = [7, 7, 7, 5, 5, ...Array.from({ length: 35 }, (_, i) => 3 - i / 10), -2, -2, -2];
    const { block } = await ask(quadratic(withEigenvalues(values)), { top: 5, bottom: 4, tolerance: 1e-7 });
    [7, 7, 7, 5, 5].forEach((l, k) => near(block.largest!.values[k]!, l, 1e-5));
    [-2, -2, -2].forEach((l, k) => near(block.smallest!.values[k]!, l, 1e-5));
    near(block.smallest!.values[3]!, 3 - 3.4, 1e-5);
    assert.ok(block.largest!.converged && block.smallest!.converged);
  });

  const cases: [string, number[]][] = [
    ['ill-conditioned', Array.from({ length: 40 }, (_, i) => 10 ** (6 - i / 4))],
    ['negative-definite', Array.from({ length: 40 }, (_, i) => -1 - i)],
    ['rank-one', [4, ...Array<number>(39).fill(0)]],
    ['zero', Array<number>(40).fill(0)],
    ['identity', Array<number>(40).fill(1)],
    ['one-parameter', [-3]],
  ];
  for (const precision of ['float32', 'float64'] as const) {
    for (const [name, values] of cases) {
      it(`is right for a Hessian that is ${name}, in ${precision}`, async () => {
        const matrix = values.length === 1 ? [values] : withEigenvalues(values);
        const wanted = { top: 3, bottom: 2, trace: true, density: true };
        const { block } = await ask(quadratic(matrix), wanted, { precision });
        const sorted = [...values].sort((a, b) => b - a);
        const size = Math.max(...values.map(Math.abs));
        for (const [end, truth] of [
          [block.largest!, sorted],
          [block.smallest!, [...sorted].reverse()],
        ] as const) {
          assert.ok(end.converged);
          end.values.forEach((l, k) => {
            const residual = end.residuals[k]!;
            // A residual that is wide enough would hold any number.
            assert.ok(residual <= 1e-2 * size, `known to ${residual}`);
            assert.ok(Math.abs(l - truth[k]!) <= 3 * residual + 1e-5 * size, `${l}, ${truth[k]}`);
          });
        }
        const trace = values.reduce((s, x) => s + x, 0);
        near(block.trace!.value, trace, 4 * block.trace!.standardError + 1e-5 * size);
        const { x, density } = block.density!;
        near(
          density.reduce((s, d) => s + d * (x[1]! - x[0]!), 0),
          1,
          1e-3,
        );
      });
    }
  }

  it('trace: the truth lies within the stated 95 % interval in 90 to 99 % of 200 repeats, however early it stops', async function () {
    this.timeout(120_000);
    const values = Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? -1 : 2) * 0.93 ** i);
    const problem = quadratic(withEigenvalues(values));
    const truth = values.reduce((s, x) => s + x, 0);
    for (const traceTolerance of [0.03, 0.3]) {
      let inside = 0;
      const samples = new Set<number>();
      for (let seed = 0; seed < 200; seed++) {
        const { block } = await ask(problem, { trace: true, seed: 17 * seed, traceTolerance });
        const [low, high] = block.trace!.interval;
        if (low <= truth && truth <= high) inside++;
        samples.add(block.trace!.samples);
      }
      assert.ok(inside >= 180 && inside <= 198, `${inside} of 200 at ${traceTolerance}`);
      assert.ok(Math.min(...samples) >= 20);
    }
  });

  it('density: matches the smoothed histogram of the exact eigenvalues within its standard error', async () => {
    const values = Array.from({ length: 80 }, (_, i) => (i < 70 ? i / 70 : 3 + i / 10));
    const wanted = { density: true, probes: 40, steps: 40 };
    const { block } = await ask(quadratic(withEigenvalues(values)), wanted);
    const { x, density, standardError, bandwidth } = block.density!;
    let within = 0;
    x.forEach((t, i) => {
      const truth =
        values.reduce((s, l) => s + Math.exp(-0.5 * ((t - l) / bandwidth) ** 2), 0) /
        (values.length * bandwidth * Math.sqrt(2 * Math.PI));
      if (Math.abs(density[i]! - truth) <= 2.5 * standardError[i]! + 0.02) within++;
    });
    assert.ok(within >= 0.9 * x.length, `${within} of ${x.length}`);
  });

  it('of one layer and of chosen parameters is that of the diagonal block', async function () {
    const wanted = { top: 3, bottom: 2, trace: true, perLayer: true, tolerance: 1e-9 };
    const { result } = await ask(net, wanted, { batchSize: 20 }, weights);
    assert.equal(result.blocks.length, 5);
    let begin = 0;
    for (const [i, p] of net.parameters.entries()) {
      const end = begin + p.shape.reduce((a, b) => a * b, 1);
      const block = result.blocks[i + 1]!;
      assert.deepEqual([block.name, block.dimension], [p.name, end - begin]);
      const sub = symmetric.subMatrix(begin, end - 1, begin, end - 1);
      const { values } = eigenSymmetric(sub);
      block.largest!.values.forEach((l, k) => near(l, values[k]!, 1e-7));
      block.smallest!.values.forEach((l, k) => near(l, values.at(-1 - k)!, 1e-7));
      near(block.trace!.value, sub.trace(), 4 * block.trace!.standardError + 1e-9);
      begin = end;
    }
    const chosen = await ask(net, { top: 1, parameters: ['dense_1/bias', 'dense_1/kernel'] }, {}, weights);
    const last = symmetric.subMatrix(36, size - 1, 36, size - 1);
    near(chosen.block.largest!.values[0]!, eigenSymmetric(last).values[0]!, 1e-3);
    assert.equal(chosen.block.name, 'chosen');
  });

  it('refuses weights that are NaN, parameters that are not there and nothing asked for', async () => {
    const problem = linearRegression(gaussianRows(20, 4, 1), Array<number>(20).fill(1));
    await assert.rejects(ask(problem, { top: 1 }, {}, [1, NaN, 0, 0]), { code: 'non-finite' });
    await assert.rejects(ask(problem, { top: 1, parameters: ['v'] }), { code: 'bad-input' });
    await assert.rejects(ask(problem, { top: 1, parameters: [] }), { code: 'bad-input' });
    await assert.rejects(ask(problem, {}), { code: 'bad-input' });
    await assert.rejects(ask(problem, { top: 21 }), { code: 'bad-input' });
    await assert.rejects(ask(problem, { trace: true, traceTolerance: 0 }), { code: 'bad-input' });
  });

  it('of one sample and of unused parameters is right', async () => {
    const { block } = await ask(linearRegression([[3, 0, 4]], [1]), { top: 3, bottom: 1, trace: true });
    block.largest!.values.forEach((l, k) => near(l, [50, 0, 0][k]!, 1e-6));
    near(block.trace!.value, 50, 1e-3);
    const unused = await ask(diagonalQuadratic([2, 0, 0, 1]), { top: 4 });
    unused.block.largest!.values.forEach((l, k) => near(l, [2, 1, 0, 0][k]!, 1e-6));
  });
});
