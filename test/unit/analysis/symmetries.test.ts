/**
 * Symmetries of a network that leave its function alone, and what the estimates have to say of them: units in another
 * order, and a unit that stands there twice (Fukumizu & Amari 2000, Brea et al. 2019).
 */
import assert from 'node:assert/strict';
import { Matrix } from 'ml-matrix';
import { contour } from '../../../src/analysis/contour.ts';
import { eigenSymmetric } from '../../../src/analysis/eigen.ts';
import { flatness } from '../../../src/analysis/flatness.ts';
import { line } from '../../../src/analysis/line.ts';
import { margins } from '../../../src/analysis/margins.ts';
import { score } from '../../../src/analysis/score.ts';
import { spectrum } from '../../../src/analysis/spectrum.ts';
import { flatnessDefaults } from '../../../src/protocol/flatness.ts';
import { gaussianRows } from '../../fixtures/gaussian.ts';
import { classifier, type Problem } from '../../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../../fixtures/referenceEvaluator.ts';

const INPUTS = 2;
const CLASSES = 2;
const REPEATS = 10;
// A few points, each of them in both classes, so that the loss has its minimum at finite weights.
const points = gaussianRows(12, INPUTS, 11);
const x = points.flatMap((point) => Array<number[]>(REPEATS).fill(point));
const labels = points.flatMap(([a = 0, b = 0]) => {
  const z = Math.tanh(1.5 * a + b) - 1.2 * Math.tanh(a - 1.5 * b) + 1.1 * Math.tanh(1.2 * b - a / 2);
  const ones = REPEATS / (1 + Math.exp(-2 * z));
  return Array.from({ length: REPEATS }, (_, i) => (i + 0.5 < ones ? 0 : 1));
});
const samples = x.length;
const train = { x, labels };
const netOf = (hidden: number): Problem =>
  classifier({ units: [INPUTS, hidden, CLASSES], activation: 'tanh', bias: false, train, validation: train });
const lossOf = (net: Problem, w: readonly number[]): number =>
  net.losses(w, [], 'train', 0, samples).reduce((s, l) => s + l, 0) / samples;
const gradientOf = (net: Problem, w: readonly number[]): number[] => net.gradient(w, [], 'train', 0, samples);
const norm = (v: readonly number[]): number => Math.hypot(...v);

function hessianOf(net: Problem, w: readonly number[]): Matrix {
  const unit = (j: number): number[] => w.map((_, i) => (i === j ? 1 : 0));
  const rows = new Matrix(w.map((_, j) => net.hvp(w, unit(j), [], 'train', 0, samples)));
  return Matrix.add(rows, rows.transpose()).mul(0.5);
}

/** Gradient descent, then steps of g/|λ| along each eigenvector, halved until the loss falls: never onto a saddle. */
function converge(net: Problem, from: readonly number[], steps = 300): number[] {
  let w = [...from];
  for (let step = 0; step < steps; step++) {
    const gradient = gradientOf(net, w);
    w = w.map((v, i) => v - 0.5 * gradient[i]!);
  }
  for (let step = 0; step < 60 && norm(gradientOf(net, w)) > 1e-13; step++) {
    const gradient = gradientOf(net, w);
    const { values, vector } = eigenSymmetric(hessianOf(net, w));
    const move = w.map(() => 0);
    values.forEach((value, k) => {
      if (Math.abs(value) < 1e-9 * values[0]!) return;
      const v = vector(k);
      const along = v.reduce((s, c, i) => s + c * gradient[i]!, 0) / Math.abs(value);
      v.forEach((c, i) => (move[i]! -= along * c));
    });
    const moved = (t: number): number[] => w.map((v, i) => v + t * move[i]!);
    let t = Math.min(1, 1 / norm(move));
    while (t > 1e-6 && lossOf(net, moved(t)) > lossOf(net, w)) t /= 2;
    w = moved(t);
  }
  return w;
}

/** The same function with hidden units in another order. */
function permuted(w: readonly number[], order: readonly number[]): number[] {
  const hidden = order.length;
  const first = Array.from({ length: INPUTS }, (_, i) => order.map((unit) => w[i * hidden + unit]!)).flat();
  const second = order.flatMap((unit) =>
    Array.from({ length: CLASSES }, (_, c) => w[INPUTS * hidden + unit * CLASSES + c]!),
  );
  return [...first, ...second];
}

/** The last unit twice, with the outgoing weights `out` and what is left of its own. */
function duplicated(w: readonly number[], hidden: number, out: readonly number[]): number[] {
  const first = Array.from({ length: INPUTS }, (_, i) => {
    const row = w.slice(i * hidden, (i + 1) * hidden);
    return [...row, row.at(-1)!];
  }).flat();
  const second = w.slice(INPUTS * hidden);
  const own = second.slice(-CLASSES);
  return [...first, ...second.slice(0, -CLASSES), ...out, ...own.map((v, c) => v - out[c]!)];
}

const evaluation = { data: { split: 'train' }, mode: 'inference' } as const;
const lineBetween = (net: Problem, from: readonly number[], to: readonly number[], points = 21) => {
  const evaluator = new ReferenceEvaluator(net, { batchSize: 16 });
  const [a, b] = [
    { id: 'a', vector: evaluator.put('a', from) },
    { id: 'b', vector: evaluator.put('b', to) },
  ];
  return line(evaluator, { from: a, to: b, points, ...evaluation }, testContext());
};

describe('units in another order', () => {
  const HIDDEN = 4;
  const net = netOf(HIDDEN);
  const trained = converge(net, gaussianRows(1, (INPUTS + CLASSES) * HIDDEN, 21)[0]!);
  const copy = permuted(trained, [2, 0, 3, 1]);

  it('are the same function, with the same curvature, flatness and margins', async () => {
    const measured = [];
    for (const w of [trained, copy]) {
      const evaluator = new ReferenceEvaluator(net, { batchSize: 16 });
      const at = { id: '0', vector: evaluator.put('w', w) };
      const wanted = { top: 4, bottom: 2, trace: false, density: false, perLayer: false, tolerance: 1e-9 };
      const input = { ...wanted, ...evaluation, at, matrix: 'hessian' as const };
      const [block] = (await spectrum(evaluator, input, testContext())).blocks;
      const { measures } = await flatness(
        evaluator,
        {
          ...evaluation,
          at,
          measures: ['sam', 'asam', 'fisher-rao'],
          settings: { ...flatnessDefaults, seed: 1 },
          twin: false,
        },
        testContext(),
      );
      const { train } = (await score(evaluator, { at, mode: 'inference' }, testContext())).score;
      const margin = (await margins(evaluator, { at, mode: 'inference' }, testContext())).train;
      measured.push([
        ...block!.largest!.values,
        ...block!.smallest!.values,
        ...measures.map((m) => m.value!),
        ...[train.loss, train.accuracy, margin.output.mean, margin.input!.mean].map(Number),
      ]);
    }
    const [one, other] = measured as [number[], number[]];
    assert.equal(one.length, 13);
    one.forEach((value, k) => {
      assert.ok(Number.isFinite(value));
      assert.ok(
        Math.abs(value - other[k]!) <= 1e-7 * Math.max(1, Math.abs(value)),
        `${k}: ${value}, ${other[k]}`,
      );
    });
  });

  it('have a barrier between them, whose ends have the same loss', async () => {
    const { loss, barrier, validation } = await lineBetween(net, trained, copy);
    assert.ok(Math.abs(loss[0]! - loss.at(-1)!) < 1e-12);
    const between = (t: number): number[] => trained.map((v, i) => v + t * (copy[i]! - v));
    const highest = Math.max(...Array.from({ length: 21 }, (_, k) => lossOf(net, between(k / 20))));
    assert.ok(Math.abs(barrier! - (highest - loss[0]!)) < 1e-12, `${barrier}, ${highest - loss[0]!}`);
    assert.ok(barrier! > 0.1, `barrier ${barrier}`);
    assert.ok(Math.abs(validation!.loss[0]! - validation!.loss.at(-1)!) < 1e-12);
  });
});

describe('a unit that stands there twice', () => {
  const HIDDEN = 2;
  const small = netOf(HIDDEN);
  const large = netOf(HIDDEN + 1);
  const start = gaussianRows(1, (INPUTS + CLASSES) * HIDDEN, 22)[0]!;
  const minimum = permuted(converge(small, start), [1, 0]);
  const own = minimum.slice(-CLASSES);
  const split = (share: number): number[] =>
    duplicated(
      minimum,
      HIDDEN,
      own.map((v) => share * v),
    );

  it('leaves loss and gradient as they were, however its outgoing weights are shared out', async () => {
    assert.ok(norm(gradientOf(small, minimum)) < 1e-8, 'the small network has converged');
    for (const share of [-1, 0, 0.3, 0.5, 1, 2.5]) {
      const evaluator = new ReferenceEvaluator(large, { batchSize: 16 });
      await evaluator.load({ into: 'w', from: evaluator.put('w', split(share)) });
      const how = { ...evaluation, refresh: false };
      const told = await evaluator.gradient({ at: 'w', into: 'g', how });
      assert.ok(told.norm < 1e-8, `gradient ${told.norm} at ${share}`);
      assert.ok(Math.abs(told.loss - lossOf(small, minimum)) < 1e-14);
    }
    const { loss, barrier, monotone } = await lineBetween(large, split(-1), split(2));
    loss.forEach((value) => assert.ok(Math.abs(value! - loss[0]!) < 1e-14));
    assert.ok(barrier! < 1e-14);
    assert.notEqual(monotone?.verdict, 'rises');
  });

  it('is flat on the plane where the two sum to the same, with no curvature in it', async () => {
    const corners = [
      own.map((v) => v / 2),
      own.map((v) => 2 * v),
      // Out of the line on which the outgoing weights are multiples of the unit's own.
      [own[0]! / 2 + 1, own[1]! / 2 + 3],
    ].map((out) => duplicated(minimum, HIDDEN, out));
    const evaluator = new ReferenceEvaluator(large);
    const named = corners.map((w, k) => ({ id: `m${k}`, vector: evaluator.put(`m${k}`, w) }));
    const [first, second, third] = named;
    const found = await contour(
      evaluator,
      { snapshots: [], at: first!, plane: [first!, second!, third!], size: 7, ...evaluation },
      testContext(),
    );
    const losses = found.loss.flat().map(Number);
    assert.equal(losses.length, 49);
    losses.forEach((value) => assert.ok(Math.abs(value - lossOf(small, minimum)) < 1e-14));
    assert.ok(Math.max(...found.x) - Math.min(...found.x) > norm(own), 'the plane is no point');

    const difference = (k: number): number[] => corners[k]!.map((v, i) => v - corners[0]![i]!);
    for (const along of [difference(1), difference(2)]) {
      const product = large.hvp(corners[0]!, along, [], 'train', 0, samples);
      const form = along.reduce((s, v, i) => s + v * product[i]!, 0);
      assert.ok(Math.abs(form) < 1e-12, `DᵀHD is ${form}`);
    }
  });

  it('is a saddle from which descent reaches twins that are each other with the two swapped', async () => {
    const saddle = split(0.5);
    const evaluator = new ReferenceEvaluator(large);
    const at = { id: '0', vector: evaluator.put('w', saddle) };
    const wanted = { top: 1, bottom: 1, trace: false, density: false, perLayer: false, tolerance: 1e-9 };
    const input = { ...wanted, ...evaluation, at, matrix: 'hessian' as const };
    const { smallest } = (await spectrum(evaluator, input, testContext())).blocks[0]!;
    const { values, vector } = eigenSymmetric(hessianOf(large, saddle));
    assert.ok(Math.abs(smallest!.values[0]! - values.at(-1)!) < 1e-7);
    assert.ok(values.at(-1)! < -1e-3, `smallest eigenvalue ${values.at(-1)}`);
    const down = vector(values.length - 1);
    const [left, right] = [1, -1].map((sign) =>
      converge(
        large,
        saddle.map((w, i) => w + 0.1 * sign * down[i]!),
      ),
    ) as [number[], number[]];
    const swapped = permuted(left, [0, 2, 1]);
    right.forEach((w, i) => assert.ok(Math.abs(w - swapped[i]!) < 1e-6, `${w} beside ${swapped[i]}`));
    assert.ok(lossOf(large, left) < lossOf(large, saddle) - 1e-4, 'descent left the saddle');

    // The straight way between the twins is no valley: it rises above the saddle, over which there is a lower one.
    const straight = await lineBetween(large, left, right, 41);
    assert.ok(Math.abs(straight.loss[0]! - straight.loss.at(-1)!) < 1e-12);
    const peak = Math.max(...straight.loss.map(Number));
    assert.ok(peak > lossOf(large, saddle) + 1e-4, `peak ${peak}, saddle ${lossOf(large, saddle)}`);
    assert.ok(straight.barrier! > 0);
    assert.equal(straight.monotone?.verdict === 'monotone', false);
  });
});
