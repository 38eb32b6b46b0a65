import assert from 'node:assert/strict';
import { contour, passes, type ContourInput } from '../../../src/analysis/contour.ts';
import type { Draft } from '../../../src/analysis/model.ts';
import { axis } from '../../../src/analysis/axes.ts';
import { isCancelled } from '../../../src/protocol/errors.ts';
import type { ContourResult } from '../../../src/protocol/results.ts';
import { gaussianRows, gaussians } from '../../fixtures/gaussian.ts';
import { average, classifier, diagonalQuadratic, type Problem } from '../../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../../fixtures/referenceEvaluator.ts';

const x = gaussianRows(30, 4, 2);
const labels = x.map((row) => (row[0]! > 0 ? 0 : row[1]! > 0 ? 1 : 2));
const plain = classifier({ units: [4, 6, 3], activation: 'tanh', bias: true, train: { x, labels } });
const normed = classifier({
  units: [4, 6, 3],
  activation: 'tanh',
  bias: true,
  batchNorm: true,
  train: { x, labels },
});
const evaluation = { data: { split: 'train' }, mode: 'inference' } as const;

/** Gradient descent from a random start, a snapshot every 10 steps. */
function train(problem: Problem, count: number): number[][] {
  const size = problem.parameters.reduce((s, p) => s + p.shape.reduce((a, b) => a * b, 1), 0);
  const next = gaussians(4);
  let w = Array.from({ length: size }, () => 0.4 * next());
  const kept = [w];
  const state = Array.from({ length: problem.stateSize }, (_, i) => (i < problem.stateSize / 2 ? 0 : 1));
  for (let step = 1; step < 10 * count - 9; step++) {
    const g = problem.gradient(w, state, 'train', 0, problem.samples('train'));
    w = w.map((a, i) => a - 0.3 * (g[i] ?? 0) + 0.01 * next());
    if (step % 10 === 0) kept.push(w);
  }
  return kept;
}

function setUp(
  problem: Problem,
  weights: readonly (readonly number[])[],
  options: ConstructorParameters<typeof ReferenceEvaluator>[1] = {},
): { evaluator: ReferenceEvaluator; input: Omit<ContourInput, 'plane' | 'size'> } {
  const evaluator = new ReferenceEvaluator(problem, options);
  const state = Array<number>(problem.stateSize).fill(1);
  const snapshots = weights.map((w, i) => ({
    step: 10 * i,
    vector: evaluator.put(`step-${10 * i}`, w, state),
    loss: 1 / (i + 1),
  }));
  const last = snapshots.at(-1)!;
  return {
    evaluator,
    input: { snapshots, at: { id: String(last.step), vector: last.vector }, ...evaluation },
  };
}

/** Loss of the drawn grid at any node, by its coordinates. */
function valueAt(result: Draft<ContourResult>, px: number, py: number): number | null | undefined {
  const i = result.x.findIndex((v) => Math.abs(v - px) < 1e-9);
  const j = result.y.findIndex((v) => Math.abs(v - py) < 1e-9);
  return result.loss[j]?.[i];
}

describe('contour', () => {
  for (const [name, problem] of [
    ['a plain net', plain],
    ['a net with batch norm', normed],
  ] as const) {
    for (const precision of ['float64', 'float32'] as const) {
      it(`draws a snapshot that lies in the plane at its own loss: ${name}, ${precision}`, async () => {
        const weights = train(problem, 8).map((w) => (precision === 'float32' ? w.map(Math.fround) : w));
        const { evaluator, input } = setUp(problem, weights, { precision, batchSize: 7 });
        const tolerance = precision === 'float64' ? 1e-10 : 1e-5;
        for (const plane of ['pca', 'random', [0, 30, 70]] as const) {
          const result = await contour(evaluator, { ...input, plane, size: 9 }, testContext());
          assert.equal(result.complete, true);
          assert.equal(result.evaluated, 81);
          // The origin is a point of the grid.
          const origin = result.trajectory.find((t) => String(t.step) === result.at)!;
          assert.ok(Math.hypot(origin.x, origin.y, origin.distance) < 1e-6);
          const centre = valueAt(result, 0, 0);
          assert.ok(typeof centre === 'number' && typeof origin.evaluated === 'number');
          assert.ok(Math.abs(centre - origin.evaluated) <= tolerance * centre);
          assert.equal(result.centre.loss, origin.evaluated);
          const middle = result.pointErrors?.[result.y.indexOf(0)]?.[result.x.indexOf(0)];
          assert.ok(Math.abs(result.centre.standardError! - middle!) < tolerance);
        }
        // All three corners lie in their plane: the loss there, evaluated through the directions, is their own.
        const through = await contour(evaluator, { ...input, plane: [0, 30, 70], size: 5 }, testContext());
        assert.equal(through.at, '0');
        for (const step of [0, 30, 70]) {
          const corner = through.trajectory.find((t) => t.step === step)!;
          assert.ok(corner.distance < 1e-6);
          const own = await evaluateAt(evaluator, weights, { step, x: corner.x, y: corner.y });
          assert.ok(
            Math.abs(own - corner.evaluated!) <= tolerance * own,
            `${own} beside ${corner.evaluated}`,
          );
        }
      });
    }
  }

  it('goes through a built model as well, and tells where each of the three lies and what it loses', async () => {
    const weights = train(plain, 8);
    const { evaluator, input } = setUp(plain, weights);
    const [last, early] = [weights[7]!, weights[3]!];
    const mean = last.map((w, i) => (w + weights[5]![i]! + weights[6]![i]!) / 3);
    const built = { id: 'average-1', vector: evaluator.put('average', mean) };
    const result = await contour(evaluator, { ...input, plane: [70, built, 30], size: 5 }, testContext());
    assert.equal(result.at, '70');
    assert.ok(result.trust[0]!.startsWith('The plane goes through snapshot 70, average-1, snapshot 30;'));
    const length = (p: readonly number[], q: readonly number[]): number =>
      Math.hypot(...p.map((v, i) => v - q[i]!));
    const apart = [length(last, mean), length(mean, early), length(early, last)];
    const corners = result.plane.corners!;
    assert.deepEqual(
      corners.map(({ at }) => at),
      ['70', 'average-1', '30'],
    );
    // The plane keeps lengths: the triangle is the one in weight space.
    corners.forEach(({ x, y }, k) => {
      const next = corners[(k + 1) % 3]!;
      assert.ok(Math.abs(Math.hypot(next.x - x, next.y - y) - apart[k]!) < 1e-9 * apart[k]!);
    });
    for (const [k, own] of [last, mean, early].entries()) {
      const loss = average(plain.losses(own, [], 'train', 0, plain.samples('train')));
      assert.ok(Math.abs(corners[k]!.evaluated! - loss) < 1e-10);
    }
    await assert.rejects(
      contour(evaluator, { ...input, plane: [70, built, built], size: 5 }, testContext()),
      { code: 'bad-input', message: /three different/ },
    );
  });

  /** The loss at plane coordinates of the plane through snapshots 0, 30 and 70, computed from the weights themselves. */
  async function evaluateAt(
    evaluator: ReferenceEvaluator,
    weights: readonly (readonly number[])[],
    at: { step: number; x: number; y: number },
  ): Promise<number> {
    const [a, b, c] = [weights[0]!, weights[3]!, weights[7]!];
    const minus = (p: readonly number[], q: readonly number[]): number[] => p.map((v, i) => v - q[i]!);
    const product = (p: readonly number[], q: readonly number[]): number =>
      p.reduce((s, v, i) => s + v * q[i]!, 0);
    const scaled = (p: readonly number[]): number[] => p.map((v) => v / Math.sqrt(product(p, p)));
    const u = scaled(minus(b, a));
    const rest = minus(c, a);
    const v = scaled(rest.map((r, i) => r - product(rest, u) * u[i]!));
    const point = a.map((w, i) => w + at.x * u[i]! + at.y * v[i]!);
    await evaluator.load({ into: 'check', from: evaluator.put('check', point) });
    const refresh = evaluator.description.hasStatistics;
    const { points } = await evaluator.loss({
      origin: 'check',
      directions: [],
      coefficients: [[]],
      how: { ...evaluation, refresh },
    });
    await evaluator.release({ vectors: ['check'] });
    return points[0]!.loss;
  }

  it('projects the trajectory as a direct computation does, with distances from the plane', async () => {
    const weights = train(plain, 9);
    const { evaluator, input } = setUp(plain, weights);
    const result = await contour(evaluator, { ...input, plane: 'random', size: 5, seed: 3 }, testContext());
    const calls = evaluator.calls
      .filter((c) => c.method === 'random')
      .map((c) => c.params as { seed: number });
    assert.deepEqual(
      calls.map((c) => c.seed),
      result.plane.directions.map((d) => d.seed),
    );
    const origin = weights.at(-1)!;
    await evaluator.load({ into: 'o', from: { file: 'step-80' } });
    const directions: number[][] = [];
    for (const { seed } of calls) {
      const include = { bias: false, norm: false };
      await evaluator.random({ into: 'd', seed, like: 'o', normalisation: 'filter', include });
      await evaluator.save({ vector: 'd', file: 'd', metadata: {} });
      directions.push(Array.from(evaluator.files.get('d')!.values));
    }
    for (const [i, t] of result.trajectory.entries()) {
      const rest = weights[i]!.map(
        (w, k) => w - origin[k]! - t.x * directions[0]![k]! - t.y * directions[1]![k]!,
      );
      assert.ok(Math.abs(Math.hypot(...rest) - t.distance) < 1e-6, 'the distance is what is left over');
      for (const d of directions) {
        const along = d.reduce((s, v, k) => s + v * rest[k]!, 0);
        assert.ok(Math.abs(along) < 1e-8, 'what is left over is perpendicular to the plane');
      }
    }
    assert.ok(result.plane.cosine !== 0 && Math.abs(result.plane.cosine) < 1);
  });

  it('holds the share of variance that a direct computation gives, beside the random walk', async () => {
    // Axis-aligned path: variances 50, 8 and 2 over three coordinates.
    const path = [-1, 1].flatMap((a) => [-1, 1].flatMap((b) => [-1, 1].map((c) => [5 * a, 2 * b, c, 0])));
    const problem = diagonalQuadratic([1, 2, 3, 4]);
    const { evaluator, input } = setUp(problem, path);
    const result = await contour(evaluator, { ...input, plane: 'pca', size: 5 }, testContext());
    const shares = result.plane.directions.map((d) => d.varianceExplained!);
    assert.ok(Math.abs(shares[0]! - 25 / 30) < 1e-12 && Math.abs(shares[1]! - 4 / 30) < 1e-12);
    assert.ok(Math.abs(result.plane.varianceExplained! - 29 / 30) < 1e-12);
    const walk = result.plane.directions.map((d) => d.randomWalk!);
    assert.ok(Math.abs(walk[0]! - 3 / (63 * (1 - Math.cos(Math.PI / 8)))) < 1e-12);
    assert.match(
      result.trust[0]!,
      /holds 96\.7 % of the path's variance; snapshot \d+ lies [\d.]+ plane-widths away/,
    );
    // The first and the last snapshot are 10, 4 and 2 apart; the third coordinate is the distance.
    assert.ok(Math.abs(result.trajectory[0]!.distance - 2) < 1e-9);
    assert.ok(Math.abs(result.trajectory[0]!.x + 10) < 1e-9);
    for (const t of result.trajectory) assert.ok(t.x >= result.x[0]! && t.x <= result.x.at(-1)!);
    // The drawn loss is the loss of the weights that the coordinates name.
    for (const [row, y] of result.y.entries()) {
      for (const [column, px] of result.x.entries()) {
        const y1 = result.trajectory[0]!.y < 0 ? y : -y;
        const expected = ((5 + px) ** 2 + 2 * (2 + y1) ** 2 + 3) / 2;
        assert.ok(Math.abs(result.loss[row]![column]! - expected) < 1e-9);
      }
    }
  });

  it('draws the path from the left to the right, whatever sign the eigenvectors come with', async () => {
    const path = train(plain, 6);
    for (const sign of [1, -1]) {
      const { evaluator, input } = setUp(
        plain,
        path.map((w) => w.map((v) => sign * v)),
      );
      const { trajectory } = await contour(evaluator, { ...input, plane: 'pca', size: 5 }, testContext());
      assert.ok(trajectory[0]!.x < 0);
      const y = trajectory.map((t) => t.y);
      assert.ok(Math.max(...y) >= -Math.min(...y));
    }
  });

  it('goes from coarse to fine, each pass published, every point once', async () => {
    const all = passes(41);
    assert.deepEqual(
      all.map((p) => p.length),
      [36, 85, 320, 1240],
    );
    assert.equal(new Set(all.flat().map(([r, c]) => r * 41 + c)).size, 1681);
    assert.ok(passes(5)[0]!.length >= 9);
    for (const size of [7, 11, 23]) assert.equal(passes(size).flat().length, size * size);
    // The first pass reaches the edges, also where 8 does not divide them.
    for (const size of [23, 41, 55])
      assert.ok(passes(size)[0]!.some(([r, c]) => r === size - 1 && c === size - 1));

    const { evaluator, input } = setUp(diagonalQuadratic([1, 2, 3]), gaussianRows(5, 3, 1));
    const partials: Draft<ContourResult>[] = [];
    const context = testContext();
    const result = await contour(evaluator, { ...input, plane: 'pca', size: 17 }, context, (p) =>
      partials.push(p),
    );
    assert.deepEqual(
      partials.map((p) => p.evaluated),
      [25, 81, 289],
    );
    for (const p of partials) {
      assert.equal(p.complete, false);
      assert.equal(p.loss.flat().filter((v) => v !== null).length, p.evaluated);
      p.loss.forEach((row, r) => row.forEach((v, c) => assert.ok(v === null || v === result.loss[r]![c])));
    }
    const requests = evaluator.calls.filter((c) => c.method === 'loss').length;
    assert.ok(requests < 100, `${requests} requests for 289 points`);
    assert.ok(context.fractions.every((f, i, a) => f >= 0 && f <= 1 && f >= (a[i - 1] ?? 0)));
    assert.equal(context.fractions.at(-1), 1);
    assert.deepEqual(evaluator.held, []);
  });

  it('holds a handful of vectors, however many snapshots there are', async () => {
    const { evaluator, input } = setUp(diagonalQuadratic([1, 2, 3]), gaussianRows(40, 3, 1));
    let most = 0;
    evaluator.before = () => (most = Math.max(most, evaluator.held.length));
    for (const plane of ['pca', 'random'] as const) {
      await contour(evaluator, { ...input, plane, size: 5 }, testContext());
    }
    assert.ok(most <= 6, `${most} vectors at once`);
  });

  it('evaluates as many snapshots as befit its grid, corners of the plane always', async () => {
    const { evaluator, input } = setUp(diagonalQuadratic([1, 2, 3]), gaussianRows(40, 3, 1));
    const evaluated = async (plane: ContourInput['plane'], size: number, more = {}): Promise<number[]> => {
      const result = await contour(evaluator, { ...input, plane, size, ...more }, testContext());
      return result.trajectory.flatMap((t) => (t.evaluated === null ? [] : [t.step]));
    };
    const few = await evaluated('pca', 5);
    assert.deepEqual([few.length, few[0], few.at(-1)], [9, 0, 390]);
    assert.equal((await evaluated('random', 21)).length, 28);
    assert.equal((await evaluated('pca', 41)).length, 40);
    assert.deepEqual(await evaluated([70, 110, 130], 5, { evaluatedSnapshots: 0 }), [70, 110, 130]);
  });

  it('does not depend on how the data is cut into batches', async () => {
    const weights = train(plain, 6);
    const values: number[][] = [];
    for (const batchSize of [30, 8, 7, 1]) {
      const { evaluator, input } = setUp(plain, weights, { batchSize });
      const result = await contour(evaluator, { ...input, plane: 'pca', size: 5 }, testContext());
      values.push(result.loss.flat().map((v) => v ?? NaN));
      assert.ok(result.standardError !== null && result.standardError > 0);
    }
    for (const other of values) other.forEach((v, i) => assert.ok(Math.abs(v - values[0]![i]!) < 1e-12));
  });

  it('keeps what is there when it is cancelled, and frees its vectors', async () => {
    const { evaluator, input } = setUp(plain, train(plain, 6));
    const context = testContext();
    const partials: Draft<ContourResult>[] = [];
    evaluator.before = (method) => {
      if (method === 'loss' && evaluator.calls.filter((c) => c.method === 'loss').length === 4)
        context.controller.abort();
    };
    await assert.rejects(
      contour(evaluator, { ...input, plane: 'pca', size: 17 }, context, (p) => partials.push(p)),
      isCancelled,
    );
    const last = partials.at(-1)!;
    assert.ok(last.evaluated > 0 && last.evaluated < 289 && !last.complete);
    assert.equal(last.loss.flat().filter((v) => v !== null).length, last.evaluated);
    assert.deepEqual(evaluator.held, []);
  });

  it('draws losses that are not finite as gaps, and says so', async () => {
    const base = diagonalQuadratic([1, 1, 1]);
    const problem: Problem = {
      ...base,
      losses: (w, ...rest) =>
        (w[0] ?? 0) > 0 ? [(w[0] ?? 0) > 3 ? Infinity : NaN] : base.losses(w, ...rest),
    };
    const { evaluator, input } = setUp(problem, [
      [-5, 0, 1],
      [-4, 2, 0],
      [-1, 0, 0],
    ]);
    const result = await contour(evaluator, { ...input, plane: 'random', span: 4, size: 9 }, testContext());
    const missing = result.loss.flat().filter((v) => v === null).length;
    assert.ok(missing > 0 && missing < 81);
    assert.equal(result.evaluated, 81);
    assert.ok(result.trust.some((s) => s.startsWith(`${missing} of 81 points`)));
  });

  it('leaves snapshots with NaN out of the plane, and names the last good one when the centre is NaN', async () => {
    const weights = [...train(plain, 6), Array<number>(51).fill(NaN)];
    assert.equal(weights[0]!.length, 51);
    const { evaluator, input } = setUp(plain, weights);
    await assert.rejects(contour(evaluator, { ...input, plane: 'pca', size: 5 }, testContext()), {
      code: 'non-finite',
      message: /^Snapshot 60 /,
      cure: /snapshot 50/,
    });
    await assert.rejects(contour(evaluator, { ...input, plane: 'random', size: 5 }, testContext()), {
      code: 'non-finite',
      cure: /snapshot 50/,
    });
    await assert.rejects(contour(evaluator, { ...input, plane: [0, 10, 60], size: 5 }, testContext()), {
      code: 'non-finite',
      message: /^Snapshot 60 /,
    });
    const at = { id: '50', vector: { file: 'step-50' } };
    for (const plane of ['pca', 'random'] as const) {
      const result = await contour(evaluator, { ...input, at, plane, size: 5 }, testContext());
      assert.deepEqual(
        result.trajectory.map((t) => t.step),
        [0, 10, 20, 30, 40, 50],
      );
      assert.ok(result.trust.includes('Left out, because their weights are NaN or infinite: snapshot 60.'));
    }
  });

  it('tells the area of the triangle between three models as it is in the space of the weights', async () => {
    // Sides 3, 4 and 5, tilted against every axis, a fourth snapshot elsewhere; then each side ten times as long.
    for (const [scale, area] of [
      [1, '6'],
      [10, '600'],
    ] as const) {
      const along = (u: number, v: number): number[] =>
        [1 / 3, 2 / 3, 2 / 3].map((e, k) => 0.5 + scale * (u * e + v * [2 / 3, 1 / 3, -2 / 3][k]!));
      const { evaluator, input } = setUp(diagonalQuadratic([1, 2, 3]), [
        along(0, 0),
        along(3, 0),
        [9, 9, -9],
        along(0, 4),
      ]);
      const { trust } = await contour(evaluator, { ...input, plane: [0, 10, 30], size: 5 }, testContext());
      const told = trust.filter((sentence) => /triangle/.test(sentence));
      assert.deepEqual(told, [`The triangle between them has the area ${area}.`]);
    }
  });

  it('refuses snapshots that span no plane, with what to do', async () => {
    const ask = async (weights: number[][], plane: ContourInput['plane'], size = 5): Promise<unknown> => {
      const { evaluator, input } = setUp(diagonalQuadratic([1, 2, 3]), weights);
      try {
        return await contour(evaluator, { ...input, plane, size }, testContext());
      } finally {
        assert.deepEqual(evaluator.held, []);
      }
    };
    const [a, b, c] = [
      [0, 0, 1],
      [1, 0, 1],
      [1, 2, 1],
    ];
    const bad = (message: RegExp, cure: RegExp): object => ({ code: 'bad-input', message, cure });
    await assert.rejects(ask([a, b], 'pca'), bad(/at least 3 snapshots; there are 2/, /--every/));
    await assert.rejects(ask([a, a, a], 'pca'), bad(/same weights/, /learning rate/));
    await assert.rejects(ask([a, b, [2, 0, 1]], 'pca'), bad(/straight line/, /random plane/));
    await assert.rejects(ask([a, b, [2, 0, 1]], [0, 10, 20]), bad(/straight line/, /third snapshot/));
    await assert.rejects(ask([a, b, c], [0, 10, 10]), bad(/three different/, /0,300,600/));
    await assert.rejects(ask([a, b, c], [0, 10, 25]), { code: 'not-found', cure: /step 20/ });
    await assert.rejects(ask([a, b, c], 'pca', 8), bad(/8 points a side/, /odd/));
    await ask([a, b, c], 'pca');
  });

  it('refuses a loss that does not replay', async () => {
    const { evaluator, input } = setUp(plain, train(plain, 4));
    Object.assign(evaluator.description.objective, {
      replay: {
        exact: false,
        checked: 3,
        passed: 1,
        worstRelativeError: 0.2,
        reason: 'the closure draws a new batch each time',
        cure: 'Draw the batch outside of the loss function.',
      },
    });
    await assert.rejects(contour(evaluator, { ...input, plane: 'pca', size: 5 }, testContext()), {
      code: 'not-replayable',
      message: /2 of 3 differ.*draws a new batch/,
      cure: 'Draw the batch outside of the loss function.',
    });
  });

  it('slides the lattice so that 0 is on it and the range is covered', () => {
    for (const [min, max, size] of [
      [-1, 1, 5],
      [-0.1, 7.3, 41],
      [-9, 0.2, 21],
      [-2, 3, 7],
    ] as const) {
      const values = axis(min, max, size);
      assert.equal(values.length, size);
      assert.ok(values.includes(0));
      assert.ok(values[0]! <= min + 1e-12 && values.at(-1)! >= max - 1e-12, `${values[0]}..${values.at(-1)}`);
      const gaps = values.slice(1).map((v, i) => v - values[i]!);
      gaps.forEach((g) => assert.ok(Math.abs(g - average(gaps)) < 1e-12));
    }
    assert.deepEqual(axis(-1, 1, 5), [-1, -0.5, 0, 0.5, 1]);
  });
});
