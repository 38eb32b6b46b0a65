import assert from 'node:assert/strict';
import { contour, type ContourInput } from '../../../src/analysis/contour.ts';
import type { Draft, Model } from '../../../src/analysis/model.ts';
import type { ContourResult } from '../../../src/protocol/results.ts';
import { gaussianRows, gaussians } from '../../fixtures/gaussian.ts';
import { average, classifier, diagonalQuadratic, quadratic } from '../../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../../fixtures/referenceEvaluator.ts';

const evaluation = { data: { split: 'train' }, mode: 'inference' } as const;
const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((s, v, i) => s + v * (b[i] ?? 0), 0);

describe('planes by directions', () => {
  const curvatures = [1, 7, 3, 5, 2];
  const problem = diagonalQuadratic(curvatures);
  const path = gaussianRows(6, 5, 3);
  const setUp = (more: Partial<ContourInput> = {}): [ReferenceEvaluator, ContourInput] => {
    const evaluator = new ReferenceEvaluator(problem);
    const snapshots = path.map((w, i) => ({ step: 10 * i, vector: evaluator.put(`s${10 * i}`, w), loss: 1 }));
    const at = { id: '50', vector: snapshots.at(-1)!.vector };
    return [evaluator, { snapshots, at, plane: 'pca', size: 5, ...evaluation, ...more }];
  };
  const ask = async (more: Partial<ContourInput>): Promise<Draft<ContourResult>> => {
    const [evaluator, input] = setUp(more);
    const result = await contour(evaluator, input, testContext());
    assert.deepEqual(evaluator.held, [], 'every vector is freed');
    return result;
  };
  const loss = (w: readonly number[]): number =>
    curvatures.reduce((s, c, i) => s + (c * (w[i] ?? 0) ** 2) / 2, 0);
  const origin = path[5]!;

  it('has the second derivatives of the eigenvalues along eigenvectors', async () => {
    const { plane, x, y, loss: grid, trust } = await ask({ plane: 'eigenvectors', span: 2 });
    assert.equal(plane.kind, 'eigenvectors');
    const values = plane.directions.map((d) => d.eigenvalue!);
    assert.ok(Math.abs(values[0]!.value - 7) < 1e-6 && Math.abs(values[1]!.value - 5) < 1e-6);
    assert.ok(values.every((v) => v.converged && v.residual < 1e-3 * v.value));
    assert.deepEqual(
      [x, y],
      [
        [-2, -1, 0, 1, 2],
        [-2, -1, 0, 1, 2],
      ],
    );
    const at = (i: number, j: number): number => grid[j]![i]!;
    assert.ok(Math.abs(at(3, 2) + at(1, 2) - 2 * at(2, 2) - 7) < 1e-6);
    assert.ok(Math.abs(at(2, 3) + at(2, 1) - 2 * at(2, 2) - 5) < 1e-6);
    assert.ok(Math.abs(at(3, 3) + at(1, 1) - 2 * at(2, 2) - 12) < 1e-6, 'the mixed derivative is 0');
    assert.match(trust[0]!, /eigenvectors at the centre with λ 7 and 5/);
  });

  it('falls by its norm along the gradient, and says the norm', async () => {
    const gradient = origin.map((w, i) => curvatures[i]! * w);
    const norm = Math.sqrt(dot(gradient, gradient));
    const { plane, loss: grid, trust, x } = await ask({ plane: 'gradient', span: 1e-3, size: 5 });
    assert.deepEqual(
      plane.directions.map((d) => d.norm === 1),
      [true, false],
    );
    const slope = (grid[2]![3]! - grid[2]![1]!) / (x[3]! - x[1]!);
    assert.ok(Math.abs(slope - norm) < 1e-9 * norm, `${slope} and ${norm}`);
    // The second one is orthogonal to it: the loss does not change there to first order.
    assert.ok(Math.abs(grid[3]![2]! - grid[1]![2]!) < 1e-9);
    assert.ok(
      trust.some((s) => s.startsWith("The gradient's norm at the centre is ")),
      trust.join(' '),
    );
    assert.ok(plane.orthogonalised!.degrees > 0.1);
    const drawn = await ask({ plane: 'gradient', orthogonalise: false, span: 1 });
    const cosine = drawn.plane.cosine;
    assert.ok(Math.abs(Math.sin((plane.orthogonalised!.degrees * Math.PI) / 180) - Math.abs(cosine)) < 1e-9);
    assert.ok(Math.abs(plane.orthogonalised!.kept - Math.sqrt(1 - cosine ** 2)) < 1e-9);
    const [, second] = drawn.plane.directions;
    assert.ok(Math.abs(plane.directions[1]!.norm - second!.norm * plane.orthogonalised!.kept) < 1e-9);
    assert.ok(
      trust.some((s) => /turned by [\d.]+° and lost [\d.]+ % of its length after normalising/.test(s)),
      trust.join(' '),
    );
  });

  it('goes from model to model, and along components of the path', async () => {
    const [evaluator, input] = setUp();
    const model = (step: number): Model => ({ id: String(step), vector: { file: `s${step}` } });
    const plane = [
      { kind: 'between', from: model(50), to: model(10) },
      { kind: 'component', index: 3 },
    ] as const;
    const result = await contour(evaluator, { ...input, plane, size: 9 }, testContext());
    assert.equal(result.plane.kind, 'directions');
    const length = Math.sqrt(average(path[1]!.map((v, i) => (v - origin[i]!) ** 2)) * 5);
    const tip = result.trajectory.find((t) => t.step === 10)!;
    assert.ok(Math.abs(tip.x - length) < 1e-6 && Math.abs(tip.y) < 1e-6 && tip.distance < 1e-6);
    assert.deepEqual(
      result.plane.directions.map((d) => d.name),
      ['from 50 to 10', 'principal component 3, orthogonal to the first'],
    );
    const [, second] = result.plane.directions;
    assert.ok(second!.varianceExplained! > 0 && second!.varianceExplained! < 1 / 3);
    assert.ok(result.plane.orthogonalised!.degrees > 0.5);
    // The picture holds the whole path.
    for (const t of result.trajectory) {
      assert.ok(
        t.x >= result.x[0]! && t.x <= result.x.at(-1)! && t.y >= result.y[0]! && t.y <= result.y.at(-1)!,
      );
    }
    // Both have length 1: a point of the grid is as far from the origin as its coordinates say.
    assert.equal(result.plane.directions[0]!.norm, 1);
    assert.ok(Math.abs(second!.norm - 1) < 1e-12);
  });

  it('goes through any three models, an average among them, with their own loss at each', async () => {
    const [evaluator, input] = setUp();
    const mean = origin.map((_, i) => average(path.map((w) => w[i]!)));
    const swa = { id: 'average-1', vector: evaluator.put('average', mean) };
    const result = await contour(evaluator, { ...input, plane: [swa, 10, 40], size: 5 }, testContext());
    assert.deepEqual([result.at, result.plane.kind], ['average-1', 'snapshots']);
    assert.ok(Math.abs(result.centre.loss! - loss(mean)) < 1e-9);
    assert.deepEqual(
      result.plane.corners!.map((p) => p.at),
      ['average-1', '10', '40'],
    );
    for (const step of [10, 40]) {
      const corner = result.trajectory.find((t) => t.step === step)!;
      assert.ok(corner.distance < 1e-6);
      assert.ok(Math.abs(corner.evaluated! - loss(path[step / 10]!)) < 1e-9);
      const place = result.plane.corners!.find((p) => p.at === String(step))!;
      assert.ok(Math.hypot(place.x - corner.x, place.y - corner.y) < 1e-6);
    }
    assert.match(result.trust[0]!, /goes through average-1, snapshot 10, snapshot 40;/);
    const through = await contour(evaluator, { ...input, at: swa, plane: 'pca', size: 5 }, testContext());
    assert.ok(Math.abs(through.centre.loss! - loss(mean)) < 1e-9, 'a pca plane through an average');
  });

  it('projects the paths of other runs, and models beside it with their own loss and distance', async () => {
    const [evaluator, input] = setUp();
    const elsewhere = gaussianRows(4, 5, 8);
    const snapshots = elsewhere.map((w, i) => ({
      step: i,
      vector: evaluator.put(`other${i}`, w),
      loss: 2 + i,
    }));
    const models: Model[] = snapshots.map(({ step, vector }) => ({ id: `b:${step}`, vector }));
    const [, second, third, last] = models as [Model, Model, Model, Model];
    const result = await contour(
      evaluator,
      {
        ...input,
        plane: [50, last, 0],
        beside: [second, third, last],
        others: [{ run: 'b', name: 'wider', snapshots }],
        size: 5,
      },
      testContext(),
    );
    const corners = result.plane.corners!;
    assert.deepEqual(
      corners.map(({ at }) => at),
      ['50', 'b:3', '0', 'b:1', 'b:2'],
      'a model that spans the plane is not beside it as well',
    );
    // The plane's axes by Gram–Schmidt on the weights themselves, which the analysis never sees.
    const minus = (a: readonly number[]): number[] => a.map((v, i) => v - origin[i]!);
    const [u, v] = [minus(elsewhere[3]!), minus(path[0]!)];
    const right = u.map((value) => value / Math.sqrt(dot(u, u)));
    const rest = v.map((value, i) => value - dot(v, right) * right[i]!);
    const up = rest.map((value) => value / Math.sqrt(dot(rest, rest)));
    const [other] = result.paths!;
    assert.deepEqual(
      [result.paths!.length, other!.run, other!.name, other!.trajectory.map((t) => [t.step, t.loss])],
      [1, 'b', 'wider', [0, 1, 2, 3].map((step) => [step, 2 + step])],
    );
    for (const [step, w] of elsewhere.entries()) {
      const d = minus(w);
      const [x, y] = [dot(d, right), dot(d, up)];
      const away = Math.sqrt(Math.max(0, dot(d, d) - x * x - y * y));
      const point = other!.trajectory[step]!;
      for (const [got, true_] of [
        [point.x, x],
        [point.y, y],
        [point.distance, away],
      ])
        assert.ok(Math.abs(got! - true_!) < 1e-6, `step ${step}: ${got} is not ${true_}`);
      const corner = corners.find(({ at }) => at === `b:${step}`);
      if (corner === undefined) continue;
      assert.ok(Math.abs(corner.evaluated! - loss(w)) < 1e-9, 'its own loss, off the plane as it is');
      assert.equal(corner.distance === undefined, step === 3);
      if (corner.distance !== undefined) assert.ok(Math.abs(corner.distance - away) < 1e-6);
      // The picture holds every model that is compared.
      assert.ok(corner.x >= result.x[0]! && corner.x <= result.x.at(-1)!);
      assert.ok(corner.y >= result.y[0]! && corner.y <= result.y.at(-1)!);
    }
    assert.ok(result.trust.some((t) => /^Snapshot 1 of wider lies beside the plane, \S+ away/.test(t)));
    assert.ok(result.trust.some((t) => /samples and by the loss of this one/.test(t)));
  });

  it('refuses what is no direction, or the same one twice', async () => {
    const model = { id: '50', vector: { file: 's50' } };
    await assert.rejects(ask({ plane: [{ kind: 'gradient' }, { kind: 'gradient' }] }), {
      code: 'unsupported',
      message: /coincide/,
    });
    await assert.rejects(
      ask({ plane: [{ kind: 'between', from: model, to: model }, { kind: 'gradient' }] }),
      { code: 'bad-input', message: /the same weights/ },
    );
    await assert.rejects(ask({ plane: [{ kind: 'component', index: 6 }, { kind: 'gradient' }] }), {
      code: 'bad-input',
      message: /no principal component 6/,
    });
    await assert.rejects(ask({ plane: [{ kind: 'eigenvector', index: 6 }, { kind: 'gradient' }] }), {
      code: 'bad-input',
      message: /no eigenvector 6/,
    });
    await assert.rejects(ask({ plane: 'eigenvectors', span: -1 }), { code: 'bad-input' });
    const flat = new ReferenceEvaluator(
      quadratic([
        [0, 0],
        [0, 0],
      ]),
    );
    const at = { id: '0', vector: flat.put('w', [1, 2]) };
    await assert.rejects(
      contour(flat, { snapshots: [], at, plane: 'gradient', size: 5, ...evaluation }, testContext()),
      { code: 'unsupported', message: /gradient is zero/ },
    );
  });
});

describe('normalisation of directions', () => {
  const units = [6, 8, 5, 3];
  const x = gaussianRows(40, 6, 2);
  const labels = x.map((row) => (row[0]! > 0 ? 0 : row[1]! > 0 ? 1 : 2));
  const net = classifier({ units, activation: 'relu', bias: true, train: { x, labels } });
  const next = gaussians(9);
  const weights = [48, 8, 40, 5, 15, 3].flatMap((n) => Array.from({ length: n }, () => 0.5 * next()));
  /** The same function: first layer with its biases ×10, the next kernel ÷10. */
  const twin = weights.map((w, i) => (i < 56 ? 10 * w : i < 96 ? w / 10 : w));
  const slice = async (w: readonly number[], more: Partial<ContourInput> = {}) => {
    const evaluator = new ReferenceEvaluator(net);
    const at = { id: '0', vector: evaluator.put('w', w) };
    const input = { snapshots: [], at, plane: 'random', size: 9, ...evaluation, ...more } as const;
    return contour(evaluator, input, testContext());
  };
  /** Largest difference between the two slices as a share of the larger loss. */
  const apart = async (more: Partial<ContourInput>): Promise<number> => {
    const [one, other] = [await slice(weights, more), await slice(twin, more)];
    return Math.max(
      ...one.loss.flat().map((v, i) => {
        const w = other.loss.flat()[i] ?? NaN;
        return Math.abs((v ?? NaN) - w) / Math.max(v ?? NaN, w);
      }),
    );
  };

  it('of filters and of layers gives a rescaled twin the same slice; none, or turning one, does not', async () => {
    assert.ok((await apart({})) < 1e-9);
    assert.ok((await apart({ normalise: 'filter' })) < 1e-9);
    // Here whole layers are rescaled, which layer normalisation follows as well.
    assert.ok((await apart({ normalise: 'layer' })) < 1e-9);
    assert.ok((await apart({ normalise: 'none', span: 0.2 })) > 0.1);
    assert.ok((await apart({ orthogonalise: true })) > 1e-6);
    assert.ok((await apart({ plane: 'eigenvectors', span: 0.5 })) > 0.1);
  });

  it('leaves biases out unless they are asked for, and says which it was', async () => {
    const [without, including, layer, none] = [
      await slice(weights),
      await slice(weights, { includeBiases: true }),
      await slice(weights, { normalise: 'layer' }),
      await slice(weights, { normalise: 'none' }),
    ];
    const kernels = [...weights.slice(0, 48), ...weights.slice(56, 96), ...weights.slice(101, 116)];
    const norm = Math.sqrt(dot(kernels, kernels));
    for (const { norm: length } of without.plane.directions) assert.ok(Math.abs(length - norm) < 1e-9);
    for (const { norm: length } of layer.plane.directions) assert.ok(Math.abs(length - norm) < 1e-9);
    const all = Math.sqrt(dot(weights, weights));
    for (const { norm: length, name } of including.plane.directions) {
      assert.ok(Math.abs(length - all) < 1e-9);
      assert.match(name, /filter-normalised, biases included$/);
    }
    assert.match(none.plane.directions[0]!.name, /not normalised$/);
    // 103 Gaussian coordinates: their norm is near √103.
    assert.ok(Math.abs(none.plane.directions[0]!.norm - Math.sqrt(103)) < 4);
    assert.ok(none.trust.some((s) => /Only filter-normalised directions can compare/.test(s)));
    assert.ok(layer.trust[0]!.includes('random and layer-normalised'));
    assert.ok(without.trust[0]!.includes('random and filter-normalised'));
  });

  it('tells how typical a random plane is among those of other seeds', async () => {
    const { repeats, loss, trust, centre } = await slice(weights, { seeds: 6, seed: 3, span: 0.5 });
    assert.equal(repeats!.rises.length, 6);
    assert.equal(repeats!.radius, 0.5);
    const mean = average(repeats!.rises);
    assert.ok(Math.abs(repeats!.mean - mean) < 1e-12);
    const variance = repeats!.rises.reduce((s, r) => s + (r - mean) ** 2, 0) / 5;
    assert.ok(Math.abs(repeats!.standardDeviation - Math.sqrt(variance)) < 1e-12);
    assert.equal(new Set(repeats!.rises).size, 6, 'every seed has a plane of its own');
    // The first is the plane that is shown: four of its eight points are the middles of the picture's edges.
    const edges = [loss[4]![0], loss[4]![8], loss[0]![4], loss[8]![4]].map((v) => v ?? NaN);
    const alone = await slice(weights, { seeds: 2, seed: 3, span: 0.5 });
    assert.equal(alone.repeats!.rises[0], repeats!.rises[0]);
    const ring = 2 * (repeats!.rises[0]! + centre.loss!) - average(edges);
    assert.ok(
      ring > Math.min(...edges) / 3 && ring < 3 * Math.max(...edges),
      'the diagonals are like the axes',
    );
    assert.ok(trust.some((s) => s.startsWith('Over 6 random planes the loss rises by ')));
  });

  it('of an eigenvector is possible, and said to turn it', async () => {
    const { plane, trust } = await slice(weights, { plane: 'eigenvectors', normalise: 'filter' });
    assert.match(plane.directions[0]!.name, /^eigenvector 1 \(λ .*\), filter-normalised$/);
    assert.ok(trust.some((s) => /^Normalising turned the eigenvector 1/.test(s)));
    assert.ok(plane.directions[0]!.norm > 1.5);
  });
});
