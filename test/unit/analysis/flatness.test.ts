import assert from 'node:assert/strict';
import { flatness, type FlatnessInput } from '../../../src/analysis/flatness.ts';
import {
  flatnessDefaults,
  flatnessMeasureNames,
  type FlatnessMeasureName,
  type FlatnessSettings,
} from '../../../src/protocol/flatness.ts';
import { gaussianRows, gaussians } from '../../fixtures/gaussian.ts';
import { classifier, linearRegression, quadratic, type Problem } from '../../fixtures/problems.ts';
import { ReferenceEvaluator, testContext, type ReferenceOptions } from '../../fixtures/referenceEvaluator.ts';

const evaluation = { data: { split: 'train' }, mode: 'inference' } as const;

interface Asking {
  readonly measures?: readonly FlatnessMeasureName[];
  readonly settings?: Partial<FlatnessSettings>;
  readonly twin?: boolean;
  readonly options?: ReferenceOptions;
}

function prepare(
  problem: Problem,
  weights: readonly number[],
  { measures, settings, twin, options }: Asking,
) {
  const evaluator = new ReferenceEvaluator(problem, options);
  const input: FlatnessInput = {
    ...evaluation,
    at: { id: '7', vector: evaluator.put('w', weights) },
    measures: measures ?? flatnessMeasureNames,
    settings: { ...flatnessDefaults, ...settings },
    twin: twin ?? false,
  };
  return { evaluator, input };
}

async function ask(problem: Problem, weights: readonly number[], asking: Asking) {
  const { evaluator, input } = prepare(problem, weights, asking);
  const context = testContext();
  const result = await flatness(evaluator, input, context);
  assert.deepEqual(evaluator.held, [], 'every vector is released');
  assert.ok(
    context.fractions.every((f, i) => f >= (context.fractions[i - 1] ?? 0) && f <= 1),
    'progress grows to 1 at most',
  );
  const points = evaluator.calls.reduce(
    (n, { method, params }) =>
      n + (method === 'loss' ? (params as { coefficients: unknown[] }).coefficients.length : 0),
    0,
  );
  const calls = (method: string): number => evaluator.calls.filter((c) => c.method === method).length;
  const spent = (what: 'losses' | 'gradients' | 'products'): number =>
    result.measures.reduce((n, m) => n + m.evaluations[what], 0);
  assert.equal(spent('gradients'), calls('gradient'));
  const refused = result.measures.some((m) => m.reason?.includes('predictions that can be seen'));
  assert.equal(spent('products'), refused ? 0 : calls('hvp'));
  // The model's own loss, and the twin's search, belong to no measure.
  if (asking.twin !== true) assert.equal(spent('losses') + 1, points);
  return { result, of: (name: FlatnessMeasureName) => result.measures.find((m) => m.name === name)! };
}
const near = (a: number | null | undefined, b: number, relative = 1e-9): void =>
  assert.ok(
    a !== null && a !== undefined && Math.abs(a - b) <= relative * Math.max(1e-12, Math.abs(b)),
    `${a} and ${b}`,
  );

const times = (matrix: readonly (readonly number[])[], v: readonly number[]): number[] =>
  matrix.map((row) => row.reduce((s, a, j) => s + a * v[j]!, 0));
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((s, x, i) => s + x * b[i]!, 0);
const value = (matrix: readonly (readonly number[])[], v: readonly number[]): number =>
  dot(v, times(matrix, v)) / 2;
const plus = (a: readonly number[], b: readonly number[]): number[] => a.map((x, i) => x + b[i]!);

/** A symmetric matrix, indefinite. */
function symmetric(n: number, seed: number): number[][] {
  const m = gaussianRows(n, n, seed);
  return m.map((row, i) => row.map((a, j) => a + m[j]![i]!));
}

const matrices: [string, number[][]][] = [
  [
    'convex',
    [
      [3, 1],
      [1, 2],
    ],
  ],
  [
    'long and narrow',
    [
      [50, -4],
      [-4, 0.6],
    ],
  ],
  [
    'a saddle',
    [
      [2, 0.7],
      [0.7, -1.5],
    ],
  ],
  [
    'concave, its top in the box',
    [
      [-2, 0.3],
      [0.3, -1],
    ],
  ],
];

describe('flatness', () => {
  describe('worst case in a box', () => {
    for (const [name, matrix] of matrices) {
      for (const weights of [
        [0.4, -0.3],
        [-0.05, 0.6],
      ]) {
        it(`is the brute-force maximum where the loss is ${name}, from ${weights.join(', ')}`, async () => {
          const epsilon = 0.5;
          const { of } = await ask(quadratic(matrix), weights, {
            measures: ['worst-case'],
            settings: { epsilon, starts: 12, steps: 60 },
          });
          const [a, b] = weights.map((w) => epsilon * (Math.abs(w) + 1)) as [number, number];
          let largest = -Infinity;
          const points = 400;
          for (let i = 0; i <= points; i++) {
            for (let j = 0; j <= points; j++) {
              const beside = [a * ((2 * i) / points - 1), b * ((2 * j) / points - 1)];
              largest = Math.max(largest, value(matrix, plus(weights, beside)));
            }
          }
          const loss = value(matrix, weights);
          near(of('worst-case').value, (100 * (largest - loss)) / (1 + loss), 1e-3);
          assert.equal(of('worst-case').paper, 'Keskar et al. 2017');
        });
      }
    }

    it('has no value where the loss is −1 or less, or not finite in the box', async () => {
      const low = await ask(quadratic([[-8]]), [1], { measures: ['worst-case'] });
      assert.equal(low.of('worst-case').value, null);
      assert.match(low.of('worst-case').reason!, /−1 or less/);
      const logarithm: Problem = {
        ...quadratic([[1]]),
        losses: (w) => [-Math.log(w[0]!)],
        gradient: (w) => [-1 / w[0]!],
      };
      const { of, result } = await ask(logarithm, [0.5], {
        measures: ['worst-case', 'sam', 'average-case'],
        settings: { epsilon: 1, samRho: 2, sigma: 3 },
      });
      for (const name of ['worst-case', 'sam', 'average-case'] as const) {
        assert.equal(of(name).value, null, name);
        assert.match(of(name).reason!, /NaN or infinite/, name);
      }
      assert.equal(result.trust.filter((t) => t.includes('is not known')).length, 3);
    });
  });

  describe('sharpness in a ball', () => {
    const matrix = symmetric(5, 4);
    const weights = [0.3, -1.2, 0.7, 2, -0.4];
    const slope = times(matrix, weights);
    const rho = 0.3;

    it('SAM is one step of ρ up the gradient', async () => {
      const { of } = await ask(quadratic(matrix), weights, { measures: ['sam'], settings: { samRho: rho } });
      const norm = Math.sqrt(dot(slope, slope));
      near(of('sam').value, rho * norm + (rho * rho * dot(slope, times(matrix, slope))) / (2 * norm * norm));
      assert.deepEqual(of('sam').evaluations, { losses: 1, gradients: 1, products: 0 });
      assert.deepEqual(of('sam').settings, { samRho: rho, ascentSteps: 1 });
    });

    for (const eta of [0, 0.01, 0.5]) {
      it(`ASAM steps by ρT²g/‖Tg‖ with η = ${eta}`, async () => {
        const settings = { asamRho: rho, eta };
        const { of } = await ask(quadratic(matrix), weights, { measures: ['asam'], settings });
        const scale = weights.map((w) => Math.abs(w) + eta);
        const scaled = slope.map((g, i) => g * scale[i]!);
        const norm = Math.sqrt(dot(scaled, scaled));
        const step = scaled.map((g, i) => (rho * g * scale[i]!) / norm);
        near(of('asam').value, value(matrix, plus(weights, step)) - value(matrix, weights));
      });
    }

    it('many steps find the largest rise in the ball', async () => {
      for (const [, plane] of matrices) {
        const from = [0.4, -0.3];
        const settings = { samRho: 0.2, asamRho: 0.4, eta: 0.1, ascentSteps: 300 };
        const { of } = await ask(quadratic(plane), from, { measures: ['sam', 'asam'], settings });
        const brute = (radius: number, scale: readonly number[]): number => {
          let largest = -Infinity;
          for (let k = 0; k < 20_000; k++) {
            const angle = (2 * Math.PI * k) / 20_000;
            const beside = [Math.cos(angle), Math.sin(angle)].map((x, i) => radius * x * scale[i]!);
            largest = Math.max(largest, value(plane, plus(from, beside)));
          }
          return largest - value(plane, from);
        };
        near(of('sam').value, brute(0.2, [1, 1]), 1e-4);
        near(of('asam').value, brute(0.4, [0.5, 0.4]), 1e-4);
      }
    });

    it('has no value where the gradient is zero', async () => {
      const { of } = await ask(quadratic(matrix), [0, 0, 0, 0, 0], { measures: ['sam', 'asam'] });
      for (const name of ['sam', 'asam'] as const) assert.match(of(name).reason!, /gradient is zero/);
    });
  });

  describe('average over filter-normalised directions', () => {
    // A kernel of 4 inputs and 3 units, and a bias that stays where it is.
    const matrix = symmetric(15, 6).map((row, i) => row.map((a, j) => a + (i === j ? 6 : 0)));
    const problem: Problem = {
      ...quadratic(matrix),
      parameters: [
        { name: 'kernel', shape: [4, 3], role: 'kernel', filterAxis: 1, layer: 'dense' },
        { name: 'bias', shape: [3], role: 'bias', filterAxis: null, layer: 'dense' },
      ],
    };
    const next = gaussians(8);
    const weights = Array.from({ length: 15 }, next);
    const sigma = 0.2;
    // d is uniform on the sphere of the unit's norm: E dᵢ² = ‖unit‖²/4, and different entries are uncorrelated.
    let exact = 0;
    for (let unit = 0; unit < 3; unit++) {
      const members = [0, 1, 2, 3].map((i) => 3 * i + unit);
      const squared = members.reduce((s, i) => s + weights[i]! ** 2, 0);
      exact += (sigma * sigma * squared * members.reduce((s, i) => s + matrix[i]![i]!, 0)) / (2 * 4);
    }

    it('has ½σ²Σ‖unit‖²/n·tr H of the unit inside its 95 % interval as often as it says', async () => {
      let inside = 0;
      const trials = 200;
      for (let seed = 1; seed <= trials; seed++) {
        const settings = { sigma, repeats: 12, seed: 77 * seed };
        const { of } = await ask(problem, weights, { measures: ['average-case'], settings });
        const { interval, value: mean, standardError } = of('average-case');
        const [low, high] = interval!;
        assert.ok(low < mean! && mean! < high && standardError! > 0);
        if (low <= exact && exact <= high) inside++;
      }
      assert.ok(inside >= 0.9 * trials && inside <= 0.99 * trials, `${inside} of ${trials}`);
    });

    it('is near it with many directions', async () => {
      const settings = { sigma, repeats: 4000 };
      const { of } = await ask(problem, weights, { measures: ['average-case'], settings });
      const { value: mean, standardError, evaluations } = of('average-case');
      assert.ok(standardError! < 0.02 * exact);
      assert.ok(Math.abs(mean! - exact) < 4 * standardError!, `${mean} ± ${standardError}, ${exact}`);
      assert.equal(evaluations.losses, 8000);
    });

    it('moves biases where a model has nothing else', async () => {
      const only: Problem = {
        ...quadratic([[2]]),
        parameters: [{ name: 'bias', shape: [1], role: 'bias', filterAxis: null, layer: null }],
      };
      const { of } = await ask(only, [3], { measures: ['average-case'], settings: { sigma } });
      near(of('average-case').value, (2 * (sigma * 3) ** 2) / 2);
      const zero = await ask(only, [0], { measures: ['average-case'] });
      assert.match(zero.of('average-case').reason!, /is zero/);
    });
  });

  const rows = gaussianRows(40, 4, 2);
  const train = { x: rows, labels: rows.map((_, i) => i % 3) };

  describe('Fisher–Rao norm', () => {
    for (const [layers, units] of [
      [2, [4, 6, 3]],
      [3, [4, 6, 5, 3]],
    ] as const) {
      it(`is L²·E Var_p(logits) for a ReLU network of ${layers} layers without biases`, async () => {
        const net = classifier({ units, activation: 'relu', bias: false, train });
        const count = net.parameters.reduce((n, p) => n + p.shape[0]! * p.shape[1]!, 0);
        const weights = gaussianRows(1, count, 5)[0]!.map((w) => w / 2);
        const { of } = await ask(net, weights, { measures: ['fisher-rao'], options: { batchSize: 7 } });
        const predicted = net.predict!(weights, [], 'train', 0, 40);
        const variance = predicted.map(({ logits = [], probabilities }) => {
          const mean = dot(probabilities, logits);
          return probabilities.reduce((s, p, k) => s + p * (logits[k]! - mean) ** 2, 0);
        });
        near(of('fisher-rao').value, (layers ** 2 * variance.reduce((s, v) => s + v, 0)) / 40);
        assert.deepEqual(of('fisher-rao').evaluations, { losses: 0, gradients: 0, products: 1 });
      });
    }

    it('has no value where the loss is piecewise linear in the predictions', async () => {
      const straight: Problem = {
        ...linearRegression(rows, train.labels),
        gaussNewton: (w) => Array.from(w, () => 0),
      };
      const { of } = await ask(straight, [1, 2, 3, 4], { measures: ['fisher-rao'] });
      assert.equal(of('fisher-rao').value, null);
      assert.match(of('fisher-rao').reason!, /piecewise linear/);
    });

    it('has no value, and says why, where the loss shows no predictions', async () => {
      const { of, result } = await ask(quadratic([[1]]), [2], { measures: ['fisher-rao', 'sam'] });
      assert.equal(of('fisher-rao').value, null);
      assert.match(of('fisher-rao').reason!, /predictions/);
      assert.ok(of('sam').value !== null);
      assert.ok(result.trust.some((t) => t.startsWith('fisher-rao is not known')));
    });
  });

  describe('rescaled twin', () => {
    const units = [4, 6, 3];
    const size = 4 * 6 + 6 + 6 * 3 + 3;
    const weights = gaussianRows(1, size, 9)[0]!.map((w) => w / 2);
    const relu = classifier({ units, activation: 'relu', bias: true, train });
    const settings = { steps: 60, starts: 1, repeats: 6 };

    it('tells which measures a ReLU network changes by writing the same function otherwise', async () => {
      const asking = { settings: { ...settings, eta: 0 }, twin: true } as const;
      const { result, of } = await ask(relu, weights, asking);
      assert.deepEqual(
        [result.twin?.multiplied, result.twin?.divided, result.twin?.factor, result.withoutTwin],
        ['dense_0/kernel', 'dense_1/kernel', 10, null],
      );
      assert.ok(result.twin!.relativeDifference <= 1e-5);
      for (const name of ['asam', 'average-case', 'fisher-rao'] as const) {
        assert.equal(of(name).twin!.verdict, 'unchanged', name);
        near(of(name).twin!.factor, 1, 1e-6);
      }
      for (const name of ['worst-case', 'sam'] as const) {
        assert.equal(of(name).twin!.verdict, 'changed', name);
      }
      // Each is the measure of the twin's own weights.
      const twin = weights.map((w, i) => (i < 30 ? 10 * w : i < 48 ? w / 10 : w));
      const alone = await ask(relu, twin, { settings: { ...settings, eta: 0 } });
      for (const m of result.measures) near(m.twin!.value, alone.of(m.name).value!, 1e-6);
      assert.match(result.trust[0]!, /cannot compare models.*worst-case by .*sam by /);
      assert.match(result.trust[1]!, /within 1 %: asam, average-case, fisher-rao/);
    });

    it('shows that η > 0 ties ASAM to the scale', async () => {
      const { of, result } = await ask(relu, weights, { settings: { ...settings, eta: 0.3 }, twin: true });
      assert.equal(of('asam').twin!.verdict, 'changed');
      assert.ok(result.trust.some((t) => t.includes('η = 0 only')));
    });

    it('is not there for tanh, for one layer and where none was asked for', async () => {
      const tanh = classifier({ units, activation: 'tanh', bias: true, train });
      const bent = await ask(tanh, weights, { settings, twin: true });
      assert.equal(bent.result.twin, null);
      assert.match(bent.result.withoutTwin!, /^None of 1 pair of successive layers/);
      assert.ok(bent.result.measures.every((m) => m.twin === null));
      assert.ok(bent.result.trust[0]!.includes('None of 1 pair'));
      const single = await ask(linearRegression(rows, train.labels), [1, 2, 3, 4], { settings, twin: true });
      assert.match(single.result.withoutTwin!, /no two successive layers/);
      const plain = await ask(relu, weights, { settings });
      assert.match(plain.result.withoutTwin!, /asked for/);
    });

    it('skips a pair that does not keep the loss for one that does', async () => {
      const deep = classifier({ units: [4, 6, 6, 3], activation: 'relu', bias: true, train });
      const count = deep.parameters.reduce((n, p) => n + p.shape.reduce((a, b) => a * b, 1), 0);
      const start = gaussianRows(1, count, 3)[0]!.map((w) => w / 2);
      // A penalty on the first layer's weights alone: the second pair keeps it.
      const penalised: Problem = {
        ...deep,
        losses: (w, ...rest) =>
          deep
            .losses(w, ...rest)
            .map((l) => l + Array.from(w).reduce((s, x, i) => s + (i < 24 ? (x * x) / 10 : 0), 0)),
      };
      const measures = ['average-case'] as const;
      const { result } = await ask(penalised, start, { measures, settings, twin: true });
      assert.deepEqual([result.twin?.multiplied, result.twin?.divided], ['dense_1/kernel', 'dense_2/kernel']);
    });
  });

  it('stops where it is asked to, and leaves nothing behind', async () => {
    const net = classifier({ units: [4, 6, 3], activation: 'relu', bias: true, train });
    const weights = gaussianRows(1, 51, 9)[0]!;
    for (const method of ['gradient', 'loss', 'elementwise', 'random', 'hvp', 'restrict'] as const) {
      const { evaluator, input } = prepare(net, weights, { twin: true });
      const context = testContext();
      evaluator.before = (asked) => {
        if (asked === method) context.controller.abort();
      };
      await assert.rejects(flatness(evaluator, input, context), { code: 'cancelled' }, method);
      assert.ok(evaluator.calls.length > 0);
    }
  });

  it('refuses settings that mean nothing, and models that are not finite', async () => {
    for (const settings of [
      { epsilon: 0 },
      { samRho: -1 },
      { asamRho: NaN },
      { eta: -0.1 },
      { sigma: Infinity },
      { repeats: 1 },
      { steps: 1.5 },
      { starts: 0 },
      { ascentSteps: 0 },
      { seed: -1 },
    ]) {
      await assert.rejects(ask(quadratic([[1]]), [1], { settings }), { code: 'bad-input' });
    }
    await assert.rejects(ask(quadratic([[1]]), [1], { measures: [] }), { code: 'bad-input' });
    await assert.rejects(ask(quadratic([[1]]), [NaN], {}), { code: 'non-finite' });
    const broken: Problem = { ...quadratic([[1]]), losses: () => [Infinity] };
    await assert.rejects(ask(broken, [1], {}), { code: 'non-finite', message: /loss of model 7/ });
  });
});
