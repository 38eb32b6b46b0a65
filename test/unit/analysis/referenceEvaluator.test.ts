/** The reference that analyses are tested against must itself be right: derivatives against finite differences. */
import assert from 'node:assert/strict';
import { gaussianRows, gaussians } from '../../fixtures/gaussian.ts';
import { classifier, linearRegression, softmax, type Problem } from '../../fixtures/problems.ts';
import { ReferenceEvaluator } from '../../fixtures/referenceEvaluator.ts';

const x = gaussianRows(9, 4, 1);
const labels = [0, 1, 2, 0, 1, 2, 0, 1, 2];
const net = (activation: 'relu' | 'tanh', batchNorm: boolean): Problem =>
  classifier({ units: [4, 5, 4, 3], activation, bias: true, batchNorm, train: { x, labels } });
const problems: Record<string, Problem> = {
  'linear regression': linearRegression(x, labels),
  'softmax regression': classifier({ units: [4, 3], activation: 'tanh', bias: false, train: { x, labels } }),
  'tanh net': net('tanh', false),
  'tanh net with batch norm': net('tanh', true),
  'ReLU net': net('relu', false),
};

describe('reference problems', () => {
  for (const [name, problem] of Object.entries(problems)) {
    it(`${name}: gradient and Hessian-vector product are the derivatives of the loss`, () => {
      const size = problem.parameters.reduce((s, p) => s + p.shape.reduce((a, b) => a * b, 1), 0);
      const next = gaussians(3);
      const w = Array.from({ length: size }, next);
      const v = Array.from({ length: size }, next);
      const state = Array.from({ length: problem.stateSize }, (_, i) =>
        i < problem.stateSize / 2 ? 0.1 : 0.7,
      );
      const loss = (at: number[]): number =>
        problem.losses(at, state, 'train', 0, 9).reduce((s, l) => s + l, 0) / 9;
      const gradient = (at: number[]): number[] => problem.gradient(at, state, 'train', 0, 9);
      const h = 1e-5;
      const moved = (sign: number): number[] => w.map((a, i) => a + sign * h * (v[i] ?? 0));
      const slope = gradient(w).reduce((s, g, i) => s + g * (v[i] ?? 0), 0);
      const numericSlope = (loss(moved(1)) - loss(moved(-1))) / (2 * h);
      assert.ok(
        Math.abs(slope - numericSlope) < 1e-7 * (1 + Math.abs(slope)),
        `${slope} and ${numericSlope}`,
      );
      const [up, down] = [gradient(moved(1)), gradient(moved(-1))];
      problem.hvp(w, v, state, 'train', 0, 9).forEach((value, i) => {
        const numeric = ((up[i] ?? 0) - (down[i] ?? 0)) / (2 * h);
        assert.ok(
          Math.abs(value - numeric) < 1e-6 * (1 + Math.abs(value)),
          `entry ${i}: ${value} and ${numeric}`,
        );
      });
    });
  }
});

const sizeOf = (problem: Problem): number =>
  problem.parameters.reduce((s, p) => s + p.shape.reduce((a, b) => a * b, 1), 0);
const logitsOf = (problem: Problem, w: number[], state: number[], i: number): readonly number[] =>
  problem.predict!(w, state, 'train', i, i + 1)[0]!.logits!;
const closeTo = (a: number, b: number, tolerance: number, what = ''): void => {
  assert.ok(Math.abs(a - b) <= tolerance * (1 + Math.abs(b)), `${what}: ${a} and ${b}`);
};

describe('reference problems: predictions', () => {
  for (const name of Object.keys(problems).filter((n) => problems[n]!.predict !== undefined)) {
    const problem = problems[name]!;
    const next = gaussians(5);
    const w = Array.from({ length: sizeOf(problem) }, next);
    const v = w.map(next);
    const state = Array.from({ length: problem.stateSize }, () => 0.6);

    it(`${name}: Gauss–Newton is JᵀH_L·J with J by differences of the logits`, () => {
      const h = 1e-6;
      const moved = (i: number, s: number): number[] => w.map((a, k) => (k === i ? a + s * h : a));
      const truth = w.map(() => 0);
      for (let n = 0; n < 9; n++) {
        const jacobian = w.map((_, i) => {
          const [up, down] = [1, -1].map((s) => logitsOf(problem, moved(i, s), state, n));
          return up!.map((z, k) => (z - down![k]!) / (2 * h));
        });
        const p = softmax(logitsOf(problem, w, state, n));
        const along = p.map((_, k) => jacobian.reduce((s, row, i) => s + row[k]! * v[i]!, 0));
        const mean = p.reduce((s, q, k) => s + q * along[k]!, 0);
        jacobian.forEach((row, i) => {
          truth[i]! += row.reduce((s, d, k) => s + (d * p[k]! * (along[k]! - mean)) / 9, 0);
        });
      }
      problem.gaussNewton!(w, v, state, 'train', 0, 9).forEach((x, i) => closeTo(x, truth[i]!, 1e-6));
    });
  }

  it("the margin's gradient with respect to the input", () => {
    const options = { units: [4, 5, 4, 3], activation: 'tanh', bias: true } as const;
    const at = (rows: number[][]): Problem => classifier({ ...options, train: { x: rows, labels } });
    const plain = at(x);
    const weights = Array.from({ length: sizeOf(plain) }, gaussians(8));
    const margin = (row: number[], i: number): number => {
      const z = logitsOf(at([row]), weights, [], 0);
      return z[labels[i]!]! - Math.max(...z.filter((_, k) => k !== labels[i]));
    };
    plain.marginGradients!(weights, [], 'train', 0, 9).forEach((g, i) => {
      g.forEach((value, j) => {
        const row = (s: number): number[] => x[i]!.map((a, k) => (k === j ? a + s * 1e-6 : a));
        const moved = (s: number): number => margin(row(s), i);
        closeTo(value, (moved(1) - moved(-1)) / 2e-6, 1e-6, `sample ${i}`);
      });
    });
  });
});

describe('reference evaluator', () => {
  const how = { data: { split: 'train' }, mode: 'inference', refresh: false } as const;
  const problem = problems['tanh net with batch norm']!;
  const weights = Array.from({ length: sizeOf(problem) }, gaussians(2));

  const opened = async (batchSize = 2): Promise<ReferenceEvaluator> => {
    const evaluator = new ReferenceEvaluator(problem, { batchSize });
    evaluator.put('w', weights, Array<number>(problem.stateSize).fill(0.5));
    await evaluator.load({ into: 'w', from: { file: 'w' } });
    return evaluator;
  };
  const read = async (evaluator: ReferenceEvaluator, vector: string): Promise<number[]> => {
    await evaluator.save({ vector, file: 'read', metadata: {} });
    return Array.from(evaluator.files.get('read')!.values);
  };

  it('a range of batches is those batches, at statistics of the whole split', async () => {
    const evaluator = await opened();
    for (const refresh of [false, true]) {
      let sum = 0;
      for (let b = 0; b < 5; b++) {
        const { loss } = await evaluator.gradient({
          at: 'w',
          into: 'g',
          how: { ...how, refresh, data: { split: 'train', samples: 1, batches: [b, b + 1] } },
        });
        sum += (loss * (b < 4 ? 2 : 1)) / 9;
      }
      const whole = await evaluator.gradient({ at: 'w', into: 'g', how: { ...how, refresh } });
      closeTo(sum, whole.loss, 1e-12);
    }
    for (const batches of [
      [0, 6],
      [2, 2],
      [-1, 2],
      [0.5, 2],
    ] as [number, number][]) {
      await assert.rejects(
        evaluator.gradient({ at: 'w', into: 'g', how: { ...how, data: { split: 'train', batches } } }),
        { code: 'bad-input' },
      );
    }
  });

  it('restrict, elementwise, normalise', async () => {
    const evaluator = await opened();
    const kept = ['dense_1/bias', 'dense_0/kernel'];
    await evaluator.restrict({ vector: 'w', into: 'r', parameters: kept });
    const r = await read(evaluator, 'r');
    let begin = 0;
    for (const p of problem.parameters) {
      const end = begin + p.shape.reduce((a, b) => a * b, 1);
      for (let i = begin; i < end; i++) assert.equal(r[i], kept.includes(p.name) ? weights[i] : 0);
      begin = end;
    }
    await assert.rejects(evaluator.restrict({ vector: 'w', into: 'r', parameters: ['no'] }), {
      code: 'bad-input',
    });
    const apply = async (name: string, of: string[], constant?: number): Promise<number[]> => {
      await evaluator.elementwise({
        into: 'e',
        function: name as 'add',
        of,
        ...(constant === undefined ? {} : { constant }),
      });
      return read(evaluator, 'e');
    };
    assert.deepEqual(
      await apply('product', ['w', 'r']),
      r.map((x, i) => x * weights[i]!),
    );
    assert.deepEqual(
      await apply('quotient', ['w', 'r']),
      r.map((x) => (x === 0 ? 0 : 1)),
    );
    assert.deepEqual(
      await apply('root', ['w']),
      weights.map((x) => Math.sqrt(Math.abs(x))),
    );
    assert.deepEqual(
      await apply('add', ['w'], 2),
      weights.map((x) => x + 2),
    );
    // A bound of zero leaves zero, of either sign.
    (await apply('clip', ['w', 'r'])).forEach((x, i) => assert.ok(x === r[i]));
    (await apply('clip', ['r', 'w'])).forEach((x, i) => assert.ok(x === r[i]));
    assert.deepEqual(await apply('sign', ['w']), weights.map(Math.sign));
    assert.deepEqual(await apply('absolute', ['w']), weights.map(Math.abs));
    await assert.rejects(apply('product', ['w']), { code: 'bad-input' });
    await assert.rejects(apply('add', ['w']), { code: 'bad-input' });

    for (const normalisation of ['filter', 'layer', 'none'] as const) {
      const include = { bias: normalisation === 'layer', norm: false };
      const options = { like: 'w', normalisation, include };
      await evaluator.random({ into: 'd', seed: 4, ...options });
      const wanted = await read(evaluator, 'd');
      await evaluator.random({
        ...options,
        into: 'd',
        seed: 4,
        normalisation: 'none',
        include: { bias: true, norm: true },
      });
      await evaluator.normalise({ vector: 'd', ...options });
      assert.deepEqual(await read(evaluator, 'd'), wanted);
    }
  });

  it('samples: their mean loss and accuracy are the score, of one model and of an ensemble', async () => {
    const evaluator = await opened();
    await evaluator.random({
      into: 'd',
      seed: 1,
      like: 'w',
      normalisation: 'layer',
      include: { bias: true, norm: true },
    });
    await evaluator.combine({
      into: 'v',
      terms: [
        { coefficient: 1, vector: 'w' },
        { coefficient: 0.5, vector: 'd' },
      ],
      state: 'w',
    });
    for (const members of [['w'], ['w', 'v']]) {
      const s = await evaluator.samples({ members, how, inputGradient: members.length === 1 });
      const score = await evaluator.score({ members, how });
      const mean = (xs: readonly number[]): number => xs.reduce((a, b) => a + b, 0) / xs.length;
      closeTo(mean(s.loss!), score.loss, 1e-12);
      assert.equal(mean(s.correct!), score.accuracy);
      s.margin!.forEach((m, i) => assert.equal(m > 0, s.correct![i] === 1));
      s.confidence!.forEach((c) => assert.ok(c >= 1 / 3 && c <= 1));
      assert.equal(s.inputGradientNorm?.length, members.length === 1 ? 9 : undefined);
    }
  });

  it("load: the optimizer's second moments, or why there are none", async () => {
    const evaluator = await opened();
    await assert.rejects(evaluator.load({ into: 'v', from: 'second-moment' }), { code: 'unsupported' });
    evaluator.secondMoment = weights.map((a) => a * a);
    await evaluator.load({ into: 'v', from: 'second-moment' });
    assert.deepEqual(
      await read(evaluator, 'v'),
      weights.map((a) => a * a),
    );
  });
});
