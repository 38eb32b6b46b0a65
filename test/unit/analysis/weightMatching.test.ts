/** Weight matching against a network's own permuted copy, and assignments against every permutation. */
import assert from 'node:assert/strict';
import { Matrix } from 'ml-matrix';
import { hiddenUnits } from '../../../src/analysis/hiddenUnits.ts';
import { line } from '../../../src/analysis/line.ts';
import { matchUnits } from '../../../src/analysis/matchUnits.ts';
import { assignment, weightMatching } from '../../../src/analysis/weightMatching.ts';
import type { Operand } from '../../../src/protocol/evaluator.ts';
import type { ParameterInfo } from '../../../src/protocol/run.ts';
import { gaussianRows, gaussians } from '../../fixtures/gaussian.ts';
import { classifier, type Problem } from '../../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../../fixtures/referenceEvaluator.ts';

const UNITS = [5, 9, 7, 3];
const ORDERS = [
  [3, 8, 1, 0, 6, 2, 7, 5, 4],
  [6, 2, 0, 5, 1, 4, 3],
];
const x = gaussianRows(60, UNITS[0]!, 4);
const netOf = (labels: number[]): Problem =>
  classifier({ units: UNITS, activation: 'relu', bias: true, train: { x, labels } });
const count = netOf([]).parameters.reduce((n, p) => n + p.shape.reduce((a, b) => a * b, 1), 0);
const weights = Array.from({ length: count }, gaussians(9)).map((v) => Math.fround(0.7 * v));
// Labels that these weights give: the loss is low at them, and higher between them and their copy.
const byLabel = [0, 1, 2].map((label) => netOf(x.map(() => label)).losses(weights, [], 'train', 0, x.length));
const labels = x.map((_, i) => [0, 1, 2].reduce((a, b) => (byLabel[b]![i]! < byLabel[a]![i]! ? b : a)));
const train = { x, labels };
const net = netOf(labels);

/** By tensor, as a file has them. */
const tensorsOf = (problem: Problem, w: readonly number[]): Map<string, Float32Array> => {
  let from = 0;
  return new Map(
    problem.parameters.map(({ name, shape }) => {
      const size = shape.reduce((a, b) => a * b, 1);
      from += size;
      return [name, Float32Array.from(w.slice(from - size, from))];
    }),
  );
};
const flat = (tensors: ReadonlyMap<string, Float32Array>): number[] =>
  [...tensors.values()].flatMap((t) => [...t]);

/** The same function with its hidden units in another order, by the definition. */
function shuffled(w: readonly number[]): number[] {
  const tensors = tensorsOf(net, w);
  const identity = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
  const orders = [identity(UNITS[0]!), ...ORDERS, identity(UNITS.at(-1)!)];
  return orders.slice(1).flatMap((out, l) => {
    const into = orders[l]!;
    const kernel = tensors.get(`dense_${l}/kernel`)!;
    const bias = tensors.get(`dense_${l}/bias`)!;
    return [...into.flatMap((i) => out.map((j) => kernel[i * out.length + j]!)), ...out.map((j) => bias[j]!)];
  });
}

const evaluation = { data: { split: 'train' }, mode: 'inference' } as const;
const match = (problem: Problem, from: readonly number[], to: readonly number[]) => {
  const evaluator = new ReferenceEvaluator(problem);
  const toModel = { id: 'b', vector: evaluator.put('b', to) };
  let kept = 0;
  const keep = (values: ReadonlyMap<string, Float32Array>): Promise<Operand> =>
    Promise.resolve(evaluator.put(`kept-${kept++}`, flat(values)));
  const input = { ...evaluation, from: tensorsOf(problem, from), to: tensorsOf(problem, to), toModel, keep };
  return { evaluator, toModel, answer: matchUnits(evaluator, input, testContext()) };
};

describe('weight matching', () => {
  it('assigns as the best of all permutations does', () => {
    const permutations = (items: readonly number[]): number[][] =>
      items.length < 2
        ? [[...items]]
        : items.flatMap((one) => permutations(items.filter((o) => o !== one)).map((rest) => [one, ...rest]));
    for (let seed = 1; seed <= 30; seed++) {
      const rows = gaussianRows(6, 6, seed);
      const sum = (order: readonly number[]): number => order.reduce((s, j, i) => s + rows[i]![j]!, 0);
      const found = assignment(new Matrix(rows));
      assert.deepEqual([...found].sort(), [0, 1, 2, 3, 4, 5]);
      const best = Math.max(...permutations([0, 1, 2, 3, 4, 5]).map(sum));
      assert.ok(Math.abs(sum(found) - best) < 1e-12, `seed ${seed}: ${sum(found)}, ${best}`);
    }
  });

  it('recovers a permuted copy exactly, so that no barrier is left on the line', async () => {
    const copy = shuffled(weights);
    const { evaluator, toModel, answer } = match(net, weights, copy);
    const { model, told } = await answer;
    assert.deepEqual(told.layers, [
      { layer: 'dense_0/kernel', units: 9, moved: 9 },
      { layer: 'dense_1/kernel', units: 7, moved: 7 },
    ]);
    assert.deepEqual(told.leftOut, []);
    const from = { id: 'a', vector: evaluator.put('a', weights) };
    const input = { from, points: 11, ...evaluation };
    const plain = await line(evaluator, { ...input, to: toModel }, testContext());
    assert.ok(Math.abs(plain.loss[0]! - plain.loss.at(-1)!) < 1e-12, 'the copy is the same function');
    assert.ok(plain.barrier! > 0.1 && plain.length > 1, `${plain.barrier} over ${plain.length}`);
    const after = await line(evaluator, { ...input, to: model, matched: told }, testContext());
    assert.equal(after.length, 0);
    assert.ok(after.barrier! < 1e-14, `${after.barrier}`);
    assert.ok(after.trust.some((s) => s.includes('16 of 16 hidden units of b, in 2 layers, were put')));
  });

  it('undoes noise as well, and never lessens the product', () => {
    const next = gaussians(3);
    const noisy = shuffled(weights).map((v) => v + 0.05 * next());
    const { groups } = hiddenUnits({ parameters: [...net.parameters], state: [] });
    const { orders } = weightMatching(tensorsOf(net, weights), tensorsOf(net, noisy), groups);
    ORDERS.forEach((order, l) => {
      // What was taken from `from` is put back there.
      assert.deepEqual(
        orders[l],
        order.map((_, unit) => order.indexOf(unit)),
      );
    });
    const other = Array.from({ length: count }, gaussians(77));
    const product = (a: readonly number[], b: readonly number[]): number =>
      a.reduce((s, v, i) => s + v * b[i]!, 0);
    const { matched } = weightMatching(tensorsOf(net, weights), tensorsOf(net, other), groups);
    assert.ok(product(weights, flat(matched)) > product(weights, other));
  });

  it('refuses what has no hidden units, and a layer whose units are not free', async () => {
    const regression = classifier({ units: [UNITS[0]!, 3], activation: 'relu', bias: true, train });
    await assert.rejects(match(regression, weights.slice(0, 18), weights.slice(18, 36)).answer, {
      code: 'unsupported',
      message: /one layer alone/,
    });
    // A penalty that looks at the first unit by itself: in another order it is another loss.
    const odd: Problem = {
      ...net,
      losses: (w, ...rest) => net.losses(w, ...rest).map((l) => l + w[0]! ** 2),
    };
    const { told } = await match(odd, weights, shuffled(weights)).answer;
    assert.deepEqual(
      told.layers.map(({ layer }) => layer),
      ['dense_1/kernel'],
    );
    assert.deepEqual(told.leftOut, [
      { layer: 'dense_0/kernel', reason: 'in another order its units give another loss' },
    ]);
  });

  it('follows channels through a flattened picture as either framework lays it out, and says what it cannot follow', () => {
    const p = (
      name: string,
      shape: number[],
      filterAxis: number | null,
      role: ParameterInfo['role'] = 'kernel',
    ) => ({
      name,
      shape,
      filterAxis,
      role,
      layer: name.split(/[/.]/)[0]!,
    });
    const tf = hiddenUnits({
      parameters: [
        p('c/k', [3, 3, 1, 4], 3),
        p('n/gamma', [4], null, 'norm'),
        p('d/k', [36 * 4, 6], 1),
        p('e/k', [5, 2], 1),
      ],
      state: [{ name: 'n/moving_mean', shape: [4], dtype: 'float32' }],
    });
    assert.deepEqual(tf.groups, [
      {
        layer: 'c',
        units: 4,
        axes: [
          { tensor: 'c/k', before: 9, units: 4, after: 1 },
          { tensor: 'n/gamma', before: 1, units: 4, after: 1 },
          { tensor: 'n/moving_mean', before: 1, units: 4, after: 1, statistics: true },
          { tensor: 'd/k', before: 36, units: 4, after: 6 },
        ],
      },
    ]);
    assert.deepEqual(tf.leftOut, [{ layer: 'd', reason: 'its 6 units are no inputs of e' }]);
    const torch = hiddenUnits({
      parameters: [p('c.w', [4, 1, 3, 3], 0), p('c.b', [4], null, 'bias'), p('d.w', [6, 4 * 36], 0)],
      state: [],
    });
    assert.deepEqual(torch.groups[0]!.axes, [
      { tensor: 'c.w', before: 1, units: 4, after: 9 },
      { tensor: 'c.b', before: 1, units: 4, after: 1 },
      { tensor: 'd.w', before: 6, units: 4, after: 36 },
    ]);
  });
});
