/** Margins against a linear classifier's, whose distances from the boundary are known. */
import assert from 'node:assert/strict';
import { margins } from '../../../src/analysis/margins.ts';
import { isCancelled } from '../../../src/protocol/errors.ts';
import { marginQuantiles } from '../../../src/protocol/generalisation.ts';
import { gaussianRows, gaussians } from '../../fixtures/gaussian.ts';
import { classifier, diagonalQuadratic } from '../../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../../fixtures/referenceEvaluator.ts';

const CLASSES = 3;
const labelled = (rows: number, seed: number) => {
  const x = gaussianRows(rows, 4, seed);
  const draw = gaussians(seed + 50);
  return { x, labels: x.map((row) => (row[0]! + 0.3 * draw() > 0 ? 0 : row[1]! > 0 ? 1 : 2)) };
};
const train = labelled(60, 1);
const validation = labelled(90, 2);
const linear = { units: [4, CLASSES], activation: 'tanh', bias: false } as const;
const next = gaussians(9);
/** Inputs by classes, row-major. */
const kernel = Array.from({ length: 4 * CLASSES }, next);
const mode = 'inference' as const;

/** Margin and distance of one sample, from the definition. */
function direct(x: readonly number[], label: number): { output: number; input: number } {
  const column = (c: number): number[] => x.map((_, i) => kernel[i * CLASSES + c]!);
  const logit = (c: number): number => column(c).reduce((s, w, i) => s + w * x[i]!, 0);
  const rival = [0, 1, 2].filter((c) => c !== label).reduce((a, b) => (logit(b) > logit(a) ? b : a));
  const output = logit(label) - logit(rival);
  const normal = column(label).map((w, i) => w - column(rival)[i]!);
  return { output, input: output / Math.hypot(...normal) };
}

function near(a: number | null, b: number, tolerance = 1e-9): void {
  assert.ok(a !== null && Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(b)), `${a} is not ${b}`);
}

describe('margins', () => {
  it('of a linear classifier are its distances from the boundary, at every batch size', async () => {
    for (const batchSize of [60, 7, 1]) {
      const evaluator = new ReferenceEvaluator(classifier({ ...linear, train, validation }), { batchSize });
      const at = { id: 'last', vector: evaluator.put('w', kernel) };
      const result = await margins(evaluator, { at, mode }, testContext());
      for (const [split, data] of [
        [result.train, train],
        [result.validation!, validation],
      ] as const) {
        const known = data.x.map((x, i) => direct(x, data.labels[i]!));
        for (const space of ['output', 'input'] as const) {
          const values = known.map((k) => k[space]).sort((a, b) => a - b);
          const found = split[space]!;
          const middle = values.length / 2;
          near(found.quantiles[marginQuantiles.indexOf(0.5)]!, (values[middle - 1]! + values[middle]!) / 2);
          near(found.quantiles[0]!, values[0]!);
          near(found.quantiles.at(-1)!, values.at(-1)!);
          near(found.mean, values.reduce((s, v) => s + v, 0) / values.length);
          near(found.notRight, values.filter((v) => v <= 0).length / values.length);
          assert.equal(
            found.counts.reduce((s, c) => s + c, 0),
            values.length,
          );
          const edges = result.edges[space]!;
          found.counts.forEach((count, b) => {
            const last = b === found.counts.length - 1;
            const inside = values.filter(
              (v) => v >= edges[b]! - 1e-12 && (last || v < edges[b + 1]! - 1e-12),
            );
            assert.equal(count, inside.length, `bin ${b}`);
          });
        }
        near(split.accuracy.value, known.filter((k) => k.output > 0).length / known.length);
      }
      const { gap } = result;
      near(gap!.accuracy.value, result.train.accuracy.value! - result.validation!.accuracy.value!);
      near(gap!.loss.value, result.validation!.loss.value! - result.train.loss.value!);
      const variance = (p: number, n: number): number => (p * (1 - p)) / (n - 1);
      near(
        gap!.accuracy.standardError,
        Math.sqrt(
          variance(result.train.accuracy.value!, 60) + variance(result.validation!.accuracy.value!, 90),
        ),
      );
      assert.equal(result.data.split, 'validation');
      assert.deepEqual(evaluator.held, []);
    }
  });

  it('of the output grow with the weights, in input space they stay', async () => {
    const evaluator = new ReferenceEvaluator(classifier({ ...linear, train, validation }));
    const one = { id: '1', vector: evaluator.put('w', kernel) };
    const ten = {
      id: '10',
      vector: evaluator.put(
        'ten',
        kernel.map((w) => 10 * w),
      ),
    };
    const a = await margins(evaluator, { at: one, mode }, testContext());
    const b = await margins(evaluator, { at: ten, mode }, testContext());
    near(b.train.output.mean, 10 * a.train.output.mean);
    near(b.train.input!.mean, a.train.input!.mean);
  });

  it('without validation says so; where no input moves the answer, there are no distances', async () => {
    const evaluator = new ReferenceEvaluator(classifier({ ...linear, train }));
    const zero = {
      id: '0',
      vector: evaluator.put(
        'zero',
        kernel.map(() => 0),
      ),
    };
    const result = await margins(evaluator, { at: zero, mode }, testContext());
    assert.equal(result.validation, null);
    assert.equal(result.gap, null);
    assert.equal(result.train.input, null);
    assert.equal(result.train.flat, 60);
    assert.equal(result.train.output.notRight, 1);
    assert.match(result.trust.join(' '), /No validation data .*no input margins/);
  });

  it('is refused without classes and with weights that are not finite, and stops when cancelled', async () => {
    const plain = new ReferenceEvaluator(diagonalQuadratic([1, 2]));
    const at = { id: '0', vector: plain.put('w', [1, 1]) };
    await assert.rejects(margins(plain, { at, mode }, testContext()), {
      code: 'unsupported',
      message: /no margins/,
    });
    const evaluator = new ReferenceEvaluator(classifier({ ...linear, train, validation }));
    const broken = {
      id: '0',
      vector: evaluator.put(
        'nan',
        kernel.map(() => NaN),
      ),
    };
    await assert.rejects(margins(evaluator, { at: broken, mode }, testContext()), { code: 'non-finite' });
    const context = testContext();
    evaluator.before = (method) => method === 'samples' && context.controller.abort();
    const fine = { id: '0', vector: evaluator.put('w', kernel) };
    await assert.rejects(margins(evaluator, { at: fine, mode }, context), isCancelled);
    assert.deepEqual(evaluator.held, []);
  });
});
