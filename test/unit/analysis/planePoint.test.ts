/** A point of a plane as a model, against sums and distances done by hand. */
import assert from 'node:assert/strict';
import { contour } from '../../../src/analysis/contour.ts';
import { planePoint, type PointInput } from '../../../src/analysis/planePoint.ts';
import { gaussianRows } from '../../fixtures/gaussian.ts';
import { average, classifier, diagonalQuadratic } from '../../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../../fixtures/referenceEvaluator.ts';

const evaluation = { data: { split: 'train' }, mode: 'inference' } as const;
const model = { id: 'point-1', file: 'models/point-1.safetensors', metadata: {} };
const curvatures = [1, 7, 3, 5, 2];
const path = gaussianRows(6, 5, 3);
const loss = (w: ArrayLike<number>): number =>
  curvatures.reduce((s, c, i) => s + (c * (w[i] ?? 0) ** 2) / 2, 0);
const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.hypot(...Array.from(a, (v, i) => v - (b[i] ?? 0)));

function setUp(more: Partial<PointInput> = {}): [ReferenceEvaluator, PointInput] {
  const evaluator = new ReferenceEvaluator(diagonalQuadratic(curvatures));
  const snapshots = path.map((w, i) => ({ step: 10 * i, vector: evaluator.put(`s${10 * i}`, w), loss: 1 }));
  const at = { id: '50', vector: snapshots.at(-1)!.vector };
  return [evaluator, { snapshots, at, plane: 'pca', x: 0, y: 0, model, ...evaluation, ...more }];
}

describe('a point of a plane', () => {
  for (const plane of ['pca', 'random', 'eigenvectors', 'gradient'] as const) {
    it(`has the loss that the contour has there, and its distances (${plane})`, async () => {
      const [evaluator, input] = setUp({ plane, span: 1.5 });
      const { span, ...rest } = input;
      const usual = plane === 'pca' ? rest : { ...rest, span: span! };
      const picture = await contour(evaluator, { ...usual, size: 5 }, testContext());
      const [x, y] = [picture.x[3]!, picture.y[1]!];
      const norms = picture.plane.directions.map((d) => d.norm);
      const result = await planePoint(evaluator, { ...usual, x, y, norms }, testContext());
      const saved = evaluator.files.get(model.file)!.values;
      assert.ok(Math.abs(loss(saved) - picture.loss[1]![3]!) < 1e-9);
      assert.ok(Math.abs(result.score.train.loss! - loss(saved)) < 1e-9);
      assert.ok(Math.abs(result.baseline.train.loss! - loss(path[5]!)) < 1e-9);
      assert.equal(result.baseline.step, 50);
      assert.ok(Math.abs(result.distance - distance(saved, path[5]!)) < 1e-6);
      const all = path.map((w) => distance(w, saved));
      const least = Math.min(...all);
      assert.equal(result.nearest!.step, 10 * all.indexOf(least));
      assert.ok(Math.abs(result.nearest!.distance - least) < 1e-6);
      assert.match(result.trust.join(' '), /the nearest snapshot, \d+, lies/);
      assert.deepEqual(evaluator.held, [], 'every vector is freed');
    });
  }

  it('is the origin itself at (0, 0), and a snapshot where it lies on the plane', async () => {
    const [evaluator, input] = setUp({ plane: [50, 10, 40] });
    await planePoint(evaluator, input, testContext());
    assert.ok(distance(evaluator.files.get(model.file)!.values, path[5]!) < 1e-12);
    const { plane } = await contour(evaluator, { ...input, size: 5 }, testContext());
    const { x, y } = plane.corners!.find((c) => c.at === '40')!;
    const there = await planePoint(evaluator, { ...input, x, y }, testContext());
    assert.equal(there.nearest!.step, 40);
    assert.ok(there.nearest!.distance < 1e-6);
    assert.ok(distance(evaluator.files.get(model.file)!.values, path[4]!) < 1e-6);
  });

  it('computes batch-norm statistics anew at the point', async () => {
    const x = gaussianRows(40, 4, 3);
    const labels = x.map((row) => (row[0]! > 0 ? 0 : 1));
    const problem = classifier({
      units: [4, 3, 2],
      activation: 'tanh',
      bias: false,
      batchNorm: true,
      train: { x, labels },
    });
    const evaluator = new ReferenceEvaluator(problem, { batchSize: 10 });
    const snapshots = gaussianRows(3, 18, 2).map((w, i) => ({
      step: i,
      vector: evaluator.put(`s${i}`, w, problem.statistics!(w, 0, 10)),
      loss: 1,
    }));
    const at = { id: '2', vector: snapshots[2]!.vector };
    const input = { snapshots, at, plane: [2, 0, 1] as const, x: 0.3, y: 0.2, model, ...evaluation };
    const result = await planePoint(evaluator, input, testContext());
    const { values, state } = evaluator.files.get(model.file)!;
    const batches = [0, 10, 20, 30].map((begin) => problem.statistics!(values, begin, begin + 10));
    batches[0]!.forEach((_, i) =>
      assert.ok(Math.abs(average(batches.map((b) => b[i]!)) - state![i]!) < 1e-9),
    );
    assert.equal(result.refreshedStatistics, true);
    assert.match(result.trust.join(' '), /statistics of the point were computed anew/);
  });

  it('judges on held-out samples where there are some', async () => {
    const x = gaussianRows(60, 4, 3);
    const labels = x.map((row) => (row[0]! > 0 ? 0 : 1));
    const data = { x, labels };
    const problem = classifier({
      units: [4, 2],
      activation: 'tanh',
      bias: false,
      train: data,
      validation: data,
    });
    const evaluator = new ReferenceEvaluator(problem, { batchSize: 20 });
    const rows = gaussianRows(4, 8, 7);
    const snapshots = rows.map((w, i) => ({ step: i, vector: evaluator.put(`s${i}`, w), loss: 1 }));
    const at = { id: '3', vector: snapshots[3]!.vector };
    const input = { snapshots, at, plane: 'pca', x: 0.1, y: 0, model, ...evaluation } as const;
    const result = await planePoint(evaluator, input, testContext());
    assert.deepEqual(result.data, { split: 'validation', samples: 60 });
    assert.match(result.trust[0]!, /^The point: validation accuracy is/);
  });

  it('refuses a picture of another plane, and weights that are not finite', async () => {
    const [evaluator, input] = setUp();
    await assert.rejects(planePoint(evaluator, { ...input, norms: [1, 2] }, testContext()), {
      code: 'bad-input',
      message: /no longer the one of that picture/,
      cure: /Compute the picture again/,
    });
    await assert.rejects(
      planePoint(evaluator, { ...input, x: 1e308, y: 1e308, plane: 'random' }, testContext()),
      {
        code: 'non-finite',
        cure: /nearer to the origin/,
      },
    );
    assert.deepEqual(evaluator.held, []);
    assert.equal(evaluator.files.has(model.file), false, 'nothing is saved');
  });
});
