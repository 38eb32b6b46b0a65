import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ParameterInfo } from '../../../src/protocol/run.ts';
import { saveVector, VectorFile, type Layout } from '../../../src/probe/tfjs/vectorFile.ts';
import { dot, norm, Vectors } from '../../../src/probe/tfjs/vectors.ts';
import { numbers, relative } from './recording.ts';

const never = (): boolean => false;
const parameter = (
  name: string,
  shape: number[],
  role: ParameterInfo['role'],
  filterAxis: number | null,
): ParameterInfo => ({
  name,
  shape,
  role,
  filterAxis,
  layer: null,
});
const layout: Layout = {
  parameters: [
    parameter('conv/kernel', [3, 3, 2, 5], 'kernel', 3),
    parameter('conv/bias', [5], 'bias', null),
    parameter('norm/gamma', [5], 'norm', null),
    parameter('up/kernel', [2, 2, 4, 5], 'kernel', 2),
    parameter('big/kernel', [300, 301], 'kernel', 1),
  ],
  state: [
    { name: 'norm/mean', shape: [5], dtype: 'float32' },
    { name: 'count', shape: [], dtype: 'int32' },
  ],
  parameterCount: 90 + 5 + 5 + 80 + 300 * 301,
};
const n = layout.parameterCount;
const state = (seed: number): [Float32Array, Int32Array] => [numbers(5, seed), Int32Array.of(seed)];

describe('Vectors', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'basin-'));
  });
  afterEach(() => {
    rmSync(directory, { recursive: true });
  });
  const file = (name: string): string => join(directory, `${name}.safetensors`);

  it('come back from their file as they were, beside and renamed', () => {
    const values = numbers(n, 1);
    const bytes = saveVector(file('a'), layout, { values, state: state(2) }, { step: '7' });
    assert.equal(readFileSync(file('a')).length, bytes);
    assert.deepEqual(readdirSync(directory), ['a.safetensors']);
    const f = VectorFile.open(file('a'), layout);
    assert.deepEqual(f.values(), values);
    assert.deepEqual(f.state(), state(2));
    const block = new Float32Array(200);
    f.readBlock(50, block);
    assert.deepEqual(block, values.slice(50, 250));
    f.close();
  });

  it('are refused when the file is torn, missing, or another model’s', () => {
    saveVector(file('a'), layout, { values: numbers(n, 1), state: state(1) }, {});
    const other: Layout = {
      ...layout,
      parameters: [...layout.parameters.slice(0, 4), parameter('big/kernel', [301, 300], 'kernel', 1)],
    };
    assert.throws(() => VectorFile.open(file('a'), other), { code: 'bad-input', message: /big\/kernel/ });
    const renamed: Layout = {
      ...layout,
      parameters: [parameter('conv2/kernel', [3, 3, 2, 5], 'kernel', 3), ...layout.parameters.slice(1)],
    };
    assert.throws(() => VectorFile.open(file('a'), renamed), {
      code: 'bad-input',
      message: /no tensor "conv2\/kernel"/,
    });
    truncateSync(file('a'), 1000);
    assert.throws(() => VectorFile.open(file('a'), layout), { code: 'corrupt-run' });
    writeFileSync(file('b'), Buffer.alloc(64, 0xff));
    assert.throws(() => VectorFile.open(file('b'), layout), { code: 'corrupt-run' });
    writeFileSync(file('c'), '');
    assert.throws(() => VectorFile.open(file('c'), layout), { code: 'corrupt-run' });
    assert.throws(() => VectorFile.open(file('none'), layout), { code: 'not-found' });
    const vectors = new Vectors(layout);
    assert.throws(() => vectors.get('θ'), { code: 'not-found' });
  });

  it('combine in memory and from files, with their state', () => {
    const vectors = new Vectors(layout);
    vectors.set('a', { values: numbers(n, 1), state: state(1) });
    saveVector(file('b'), layout, { values: numbers(n, 2), state: state(2) }, {});
    const terms = [
      { coefficient: 0.25, vector: 'a' },
      { coefficient: -2, vector: { file: file('b') } },
    ];
    const expected = Float32Array.from(numbers(n, 1), (x, i) => 0.25 * x - 2 * numbers2[i]!);
    assert.equal(vectors.combine('c', terms, 'combine', never), norm(vectors.get('c').values));
    assert.ok(relative(vectors.get('c').values, expected) < 1e-7);
    const [mean, count] = vectors.get('c').state!;
    assert.ok(
      relative(
        mean!,
        state(1)[0].map((x, i) => 0.25 * x - 2 * state(2)[0][i]!),
      ) < 1e-6,
    );
    assert.deepEqual(count, Int32Array.of(1), 'a counter is not averaged');
    vectors.combine('c', terms, { file: file('b') }, never);
    assert.deepEqual(vectors.get('c').state, state(2));
    vectors.combine('a', [{ coefficient: 3, vector: 'a' }], null, never);
    assert.ok(
      relative(
        vectors.get('a').values,
        numbers(n, 1).map((x) => 3 * x),
      ) < 1e-7,
    );
    assert.equal(vectors.get('a').state, null);
    assert.throws(() => vectors.combine('c', [{ coefficient: 1, vector: 'a' }], 'combine', never), {
      code: 'bad-input',
    });
    assert.throws(() => vectors.combine('c', terms, null, () => true), { code: 'cancelled' });
    assert.equal(vectors.release(['a', 'nobody']), 1);
  });
  const numbers2 = numbers(n, 2);

  it('give the Gram matrix of differences from an origin, streamed', () => {
    const vectors = new Vectors(layout);
    const seeds = [1, 2, 3, 4, 5];
    const operands = seeds.map((seed) => {
      if (seed % 2 === 0) {
        vectors.set(`v${seed}`, { values: numbers(n, seed), state: null });
        return `v${seed}`;
      }
      saveVector(file(`v${seed}`), layout, { values: numbers(n, seed), state: null }, {});
      return { file: file(`v${seed}`) };
    });
    for (const origin of [null, operands[0]!, operands[1]!]) {
      const base = origin === null ? new Float32Array(n) : numbers(n, origin === operands[0] ? 1 : 2);
      const rows = vectors.gram(operands, origin, never);
      seeds.forEach((a, i) => {
        seeds.forEach((b, j) => {
          const [x, y] = [numbers(n, a), numbers(n, b)];
          let expected = 0;
          for (let k = 0; k < n; k++) expected += (x[k]! - base[k]!) * (y[k]! - base[k]!);
          assert.ok(Math.abs(rows[i]![j]! - expected) <= 1e-9 * n, `${i}, ${j}`);
        });
      });
    }
  });

  it('accumulate dot products in float64', () => {
    const ones = new Float32Array(2 ** 25 + 1).fill(1);
    assert.equal(dot(ones, ones), 2 ** 25 + 1, 'a float32 sum stops at 2²⁴');
  });

  describe('drawn at random', () => {
    const slices = (values: Float32Array): Float32Array[] => {
      let at = 0;
      return layout.parameters.map((p) => values.subarray(at, (at += p.shape.reduce((a, b) => a * b))));
    };
    const draw = (
      normalisation: 'filter' | 'layer' | 'none',
      include = { bias: false, norm: false },
      seed = 5,
    ): Float32Array[] => {
      const vectors = new Vectors(layout);
      vectors.set('θ', { values: numbers(n, 1), state: null });
      vectors.random('d', seed, 'θ', normalisation, include);
      return slices(vectors.get('d').values);
    };
    const theta = slices(numbers(n, 1));

    it('have standard normal moments', () => {
      const [, , , , big] = draw('none');
      const m = big!.reduce((s, x) => s + x, 0) / big!.length;
      const moment = (k: number): number => big!.reduce((s, x) => s + (x - m) ** k, 0) / big!.length;
      assert.ok(Math.abs(m) < 0.015);
      assert.ok(Math.abs(moment(2) - 1) < 0.02);
      assert.ok(Math.abs(moment(4) - 3) < 0.15);
    });

    it('have each filter’s norm, on the axis that the layout names', () => {
      const d = draw('filter');
      const unit = (v: Float32Array, shape: number[], axis: number, u: number): number => {
        const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
        return Math.sqrt(
          v.reduce((s, x, i) => (Math.floor(i / inner) % shape[axis]! === u ? s + x * x : s), 0),
        );
      };
      for (const [i, axis] of [
        [0, 3],
        [3, 2],
        [4, 1],
      ] as const) {
        const { shape } = layout.parameters[i]!;
        for (let u = 0; u < Math.min(5, shape[axis]!); u++) {
          const expected = unit(theta[i]!, shape, axis, u);
          assert.ok(Math.abs(unit(d[i]!, shape, axis, u) - expected) < 1e-5 * expected);
        }
      }
      assert.ok(d[1]!.every((x) => x === 0) && d[2]!.every((x) => x === 0), 'biases and norms stay');
    });

    it('take biases and norms as a whole when these are included, and layers as a whole when asked', () => {
      const filter = draw('filter', { bias: true, norm: true });
      const layer = draw('layer', { bias: true, norm: false });
      for (const i of [1, 2]) assert.ok(Math.abs(norm(filter[i]!) - norm(theta[i]!)) < 1e-6);
      for (const i of [0, 1, 3, 4])
        assert.ok(Math.abs(norm(layer[i]!) - norm(theta[i]!)) < 1e-4 * norm(theta[i]!));
      assert.ok(layer[2]!.every((x) => x === 0));
    });

    it('depend on the seed and on the parameter’s name alone', () => {
      assert.deepEqual(draw('none'), draw('none'));
      assert.notDeepEqual(draw('none', undefined, 6), draw('none'));
      const alone: Layout = { parameters: [layout.parameters[3]!], state: [], parameterCount: 80 };
      const vectors = new Vectors(alone);
      vectors.set('θ', { values: new Float32Array(80), state: null });
      vectors.random('d', 5, 'θ', 'none', { bias: true, norm: true });
      assert.deepEqual(vectors.get('d').values, draw('none')[3]);
    });
  });

  it('are made orthogonal to an orthonormal basis, to rounding', () => {
    const vectors = new Vectors(layout);
    const unit = (values: Float32Array): Float32Array => {
      const length = norm(values);
      return values.map((x) => x / length);
    };
    vectors.set('q1', { values: unit(numbers(n, 1)), state: null });
    vectors.set('q2', { values: numbers(n, 2), state: null });
    vectors.orthogonalise('q2', ['q1']);
    vectors.set('q2', { values: unit(vectors.get('q2').values), state: null });
    const q1 = vectors.get('q1').values;
    // Almost inside of the span, where one pass is not enough.
    const values = Float32Array.from(numbers(n, 3), (x, i) => 100 * q1[i]! + 1e-4 * x);
    vectors.set('v', { values, state: null });
    const { coefficients, norm: length } = vectors.orthogonalise('v', ['q1', 'q2']);
    assert.ok(Math.abs(coefficients[0]! - 100) < 0.01);
    for (const q of ['q1', 'q2'])
      assert.ok(Math.abs(dot(vectors.get('v').values, vectors.get(q).values)) < 1e-7 * Math.max(1, length));
  });

  it('are restricted to parameters by name', () => {
    const vectors = new Vectors(layout);
    const values = numbers(n, 3);
    vectors.set('a', { values, state: state(1) });
    const length = vectors.restrict('a', 'r', ['norm/gamma', 'conv/kernel']);
    const wanted = values.map((x, i) => (i < 90 || (i >= 95 && i < 100) ? x : 0));
    assert.deepEqual(vectors.get('r'), { values: wanted, state: null });
    assert.equal(length, norm(wanted));
    assert.deepEqual(vectors.get('a').values, numbers(n, 3), 'what it was taken of stays');
    assert.throws(() => vectors.restrict('a', 'r', ['conv/kernel', 'no']), {
      code: 'bad-input',
      message: /"no"/,
    });
    vectors.restrict('a', 'a', []);
    assert.equal(norm(vectors.get('a').values), 0);
  });

  it('are normalised in place as random directions are after their draw', () => {
    const vectors = new Vectors(layout);
    vectors.set('θ', { values: numbers(n, 3), state: null });
    for (const normalisation of ['filter', 'layer', 'none'] as const) {
      for (const include of [
        { bias: false, norm: false },
        { bias: true, norm: false },
      ]) {
        vectors.random('wanted', 5, 'θ', normalisation, include);
        vectors.random('d', 5, 'θ', 'none', { bias: true, norm: true });
        const length = vectors.normalise('d', 'θ', normalisation, include);
        assert.ok(relative(vectors.get('d').values, vectors.get('wanted').values) < 1e-7);
        assert.equal(length, norm(vectors.get('d').values));
      }
    }
    vectors.set('zero', { values: new Float32Array(n), state: null });
    assert.equal(vectors.normalise('zero', 'θ', 'filter', { bias: true, norm: true }), 0);
  });

  it('take elementwise functions, in place as well', () => {
    const vectors = new Vectors(layout);
    const [a, b] = [numbers(n, 3), numbers(n, 4).map((x, i) => (i % 3 === 0 ? 0 : x))];
    a[1] = NaN;
    vectors.set('a', { values: a, state: state(1) });
    vectors.set('b', { values: b, state: null });
    const cases = [
      ['product', ['a', 'b'], (x: number, y: number) => x * y],
      ['quotient', ['a', 'b'], (x: number, y: number) => (y === 0 ? 0 : x / y)],
      [
        'clip',
        ['a', 'b'],
        (x: number, y: number) => (x > Math.abs(y) ? Math.abs(y) : x < -Math.abs(y) ? -Math.abs(y) : x),
      ],
      ['absolute', ['a'], Math.abs],
      ['root', ['a'], (x: number) => Math.sqrt(Math.abs(x))],
      ['sign', ['a'], Math.sign],
      ['add', ['a'], (x: number) => x + 0.25],
    ] as const;
    for (const [name, of, f] of cases) {
      vectors.elementwise('into', name, of, 0.25);
      const { values } = vectors.get('into');
      values.forEach((x, i) =>
        assert.ok(Object.is(x, Math.fround(f(a[i]!, b[i]!))) || x === f(a[i]!, b[i]!), `${name} ${i}`),
      );
    }
    vectors.elementwise('b', 'product', ['b', 'b'], undefined);
    assert.deepEqual(
      vectors.get('b').values,
      b.map((x) => x * x),
    );
    for (const [name, of, constant] of [
      ['product', ['a'], 1],
      ['root', ['a', 'b'], 1],
      ['add', ['a'], undefined],
      ['toString', ['a'], 1],
      ['sign', [], 1],
    ] as const) {
      assert.throws(
        () => vectors.elementwise('x', name as 'sign', of, constant),
        { code: 'bad-input' },
        name,
      );
    }
  });
});
