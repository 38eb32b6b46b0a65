import assert from 'node:assert/strict';
import { contour } from '../../../src/analysis/contour.ts';
import { randomPair } from '../../../src/analysis/directions.ts';
import { withVectors } from '../../../src/analysis/vectors.ts';
import { gaussianRows, gaussians } from '../../fixtures/gaussian.ts';
import { classifier, quadratic } from '../../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../../fixtures/referenceEvaluator.ts';

const units = [6, 8, 5, 3];
const x = gaussianRows(40, 6, 2);
const labels = x.map((row) => (row[0]! > 0 ? 0 : row[1]! > 0 ? 1 : 2));
const problem = classifier({ units, activation: 'relu', bias: true, train: { x, labels } });
const sizes = [48, 8, 40, 5, 15, 3];
const next = gaussians(9);
const weights = sizes.flatMap((n) => Array.from({ length: n }, () => 0.5 * next()));
/** The same function: first layer (with its biases) ×10, the next kernel ÷10. */
const twin = weights.map((w, i) => (i < 56 ? 10 * w : i < 96 ? w / 10 : w));

describe('filter-normalised directions', () => {
  it('give a ReLU net and its rescaled twin the same slice; without normalisation they differ', async () => {
    const slice = async (w: number[]): Promise<number[]> => {
      const evaluator = new ReferenceEvaluator(problem);
      const at = { id: '0', vector: evaluator.put('w', w) };
      const result = await contour(
        evaluator,
        { snapshots: [], at, plane: 'random', size: 9, data: { split: 'train' }, mode: 'inference' },
        testContext(),
      );
      return result.loss.flat().map((value) => value ?? NaN);
    };
    const [one, other] = [await slice(weights), await slice(twin)];
    one.forEach((value, i) =>
      assert.ok(Math.abs(value - other[i]!) < 1e-9 * (1 + value), `${value}, ${other[i]}`),
    );
    assert.ok(Math.max(...one) > 1.5 * Math.min(...one), 'the slice is not flat');

    const evaluator = new ReferenceEvaluator(problem);
    await evaluator.load({ into: 'w', from: evaluator.put('w', weights) });
    await evaluator.load({ into: 'twin', from: evaluator.put('twin', twin) });
    const how = { data: { split: 'train' as const }, mode: 'inference' as const, refresh: false };
    const raw: number[] = [];
    for (const like of ['w', 'twin']) {
      const include = { bias: false, norm: false };
      await evaluator.random({ into: 'd', seed: 1, like, normalisation: 'none', include });
      const { points } = await evaluator.loss({ origin: like, directions: ['d'], coefficients: [[1]], how });
      raw.push(points[0]!.loss);
    }
    assert.ok(Math.abs(raw[0]! - raw[1]!) > 0.5);
  });

  it('have each output unit of the norm of the model, and zero biases', async () => {
    const evaluator = new ReferenceEvaluator(problem);
    await evaluator.load({ into: 'w', from: evaluator.put('w', weights) });
    await withVectors(evaluator, async (vectors) => {
      const options = { like: 'w', seed: 4, normalisation: 'filter' } as const;
      const { directions } = await randomPair(evaluator, vectors, options, testContext());
      await evaluator.save({ vector: directions[0].vector, file: 'd', metadata: {} });
    });
    const d = evaluator.files.get('d')!.values;
    for (let unit = 0; unit < 8; unit++) {
      const norm = (v: ArrayLike<number>): number =>
        Math.hypot(...[0, 1, 2, 3, 4, 5].map((i) => v[i * 8 + unit]!));
      assert.ok(Math.abs(norm(d) - norm(weights)) < 1e-12);
    }
    for (let i = 48; i < 56; i++) assert.ok(d[i] === 0);
    assert.deepEqual(evaluator.held, ['w'], 'the analysis frees its vectors');
  });

  it('can be orthogonalised, and say what that removed', async () => {
    const evaluator = new ReferenceEvaluator(problem);
    await evaluator.load({ into: 'w', from: evaluator.put('w', weights) });
    await withVectors(evaluator, async (vectors) => {
      const options = { like: 'w', seed: 4, normalisation: 'filter' } as const;
      const plain = await randomPair(evaluator, vectors, options, testContext());
      const pair = await randomPair(evaluator, vectors, { ...options, orthogonalise: true }, testContext());
      assert.equal(pair.cosine, 0);
      assert.equal(pair.cosineBefore, plain.cosine);
      assert.ok(Math.abs(plain.cosine) > 1e-3);
      const [a, b] = pair.directions;
      const { values } = await evaluator.dots({
        pairs: [
          [a.vector, b.vector],
          [b.vector, b.vector],
        ],
      });
      assert.ok(Math.abs(values[0]!) < 1e-10);
      assert.ok(Math.abs(Math.sqrt(values[1]!) - b.norm) < 1e-10);
      const kept = plain.directions[1].norm * Math.sqrt(1 - plain.cosine ** 2);
      assert.ok(Math.abs(b.norm - kept) < 1e-10);
    });
  });

  it('move biases only where a model has nothing else', async () => {
    const parameters = problem.parameters.map((p) => ({ ...p, role: 'bias' as const }));
    for (const [only, included] of [
      [problem, false],
      [{ ...problem, parameters }, true],
    ] as const) {
      const evaluator = new ReferenceEvaluator(only);
      await evaluator.load({ into: 'w', from: evaluator.put('w', weights) });
      await withVectors(evaluator, async (vectors) => {
        const options = { like: 'w', seed: 4, normalisation: 'filter' } as const;
        const pair = await randomPair(evaluator, vectors, options, testContext());
        assert.ok(pair.directions.every((d) => d.included === included));
        assert.ok(pair.directions[0].norm > 0);
      });
    }
  });

  it('are refused where they have no length or coincide', async () => {
    const draw = async (size: number, value: number): Promise<unknown> => {
      const evaluator = new ReferenceEvaluator(
        quadratic(Array.from({ length: size }, () => Array<number>(size).fill(1))),
      );
      await evaluator.load({ into: 'w', from: evaluator.put('w', Array<number>(size).fill(value)) });
      const options = { like: 'w', seed: 1, normalisation: 'filter' } as const;
      return withVectors(evaluator, (vectors) => randomPair(evaluator, vectors, options, testContext()));
    };
    await assert.rejects(draw(3, 0), { code: 'unsupported', message: /no length/ });
    await assert.rejects(draw(1, 2), { code: 'unsupported', message: /coincide/ });
    await draw(3, 1);
  });
});
