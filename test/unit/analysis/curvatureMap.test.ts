/** Extreme eigenvalues over a plane, against closed forms and dense Hessians. */
import assert from 'node:assert/strict';
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import {
  curvatureMap,
  type CurvatureMapInput,
  type CurvaturePoints,
} from '../../../src/analysis/curvatureMap.ts';
import { lanczos } from '../../../src/analysis/lanczos.ts';
import { withVectors } from '../../../src/analysis/vectors.ts';
import { isCancelled } from '../../../src/protocol/errors.ts';
import { gaussianRows, gaussians } from '../../fixtures/gaussian.ts';
import { classifier, diagonalQuadratic, type Problem } from '../../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../../fixtures/referenceEvaluator.ts';

const how = { data: { split: 'train' }, mode: 'inference' } as const;

/** Σ ½·a·θ² + ¼·b·θ⁴, whose Hessian is diagonal: a + 3bθ². */
function quartic(a: readonly number[], b: readonly number[]): Problem {
  const at = (list: readonly number[], i: number): number => list[i] ?? 0;
  return {
    ...diagonalQuadratic(a),
    losses: (w) => [
      Array.from(w).reduce((s, x, i) => s + (at(a, i) * x ** 2) / 2 + (at(b, i) * x ** 4) / 4, 0),
    ],
    gradient: (w) => Array.from(w).map((x, i) => at(a, i) * x + at(b, i) * x ** 3),
    hvp: (w, v) => Array.from(w).map((x, i) => (at(a, i) + 3 * at(b, i) * x ** 2) * (v[i] ?? 0)),
  };
}

const a = [1, -2, 0.5, -0.25, 3, 0, -1, 2];
const b = [1, 1, 0, 0, 0, 0, 0, 0];
const SIZE = 7;

/** A plane through the origin and points along the first two axes. */
function ask(
  evaluator: ReferenceEvaluator,
  more: Partial<CurvatureMapInput> = {},
  context = testContext(),
  publish?: Parameters<typeof curvatureMap>[3],
) {
  const corner = (id: string, values: number[]) => ({ id, vector: evaluator.put(id, values) });
  const zero = Array<number>(a.length).fill(0);
  const [first, second] = [0, 1].map((k) => zero.map((_, i) => (i === k ? 1.2 : 0)));
  const origin = corner('o', zero);
  return curvatureMap(
    evaluator,
    {
      ...how,
      snapshots: [],
      at: origin,
      plane: [origin, corner('p', first!), corner('q', second!)],
      size: SIZE,
      tolerance: 1e-4,
      ...more,
    },
    context,
    publish,
  );
}

describe('curvature map', () => {
  it('has the eigenvalues of a quartic in closed form at every point', async () => {
    for (const precision of ['float64', 'float32'] as const) {
      const evaluator = new ReferenceEvaluator(quartic(a, b), { precision });
      const result = await ask(evaluator);
      const { directions } = result.plane;
      assert.deepEqual(
        directions.map((d) => Math.round(d.norm * 1e6) / 1e6),
        [1, 1],
      );
      // In the plane (x, y) are the first two weights, up to the sign and order of the directions.
      result.y.forEach((y, row) =>
        result.x.forEach((x, column) => {
          const { corners } = result.plane;
          const [p] = corners!.filter((c) => c.at === 'p');
          const along = (coordinate: 'x' | 'y'): number => p![coordinate] / 1.2;
          const first = x * along('x') + y * along('y');
          const square = x ** 2 + y ** 2 - first ** 2;
          const values = a.map((value, i) => value + 3 * b[i]! * (i === 0 ? first ** 2 : square));
          const [most, least] = [Math.max(...values), Math.min(...values)];
          const tolerance = 1e-4 * Math.max(most, -least) + 1e-9;
          const near = (found: number | null | undefined, truth: number): void =>
            assert.ok(
              Math.abs((found ?? NaN) - truth) <= tolerance,
              `${found} is not ${truth} at ${x}, ${y}`,
            );
          near(result.largest[row]![column], most);
          near(result.smallest[row]![column], least);
          assert.ok(Math.abs(result.ratio[row]![column]! - Math.abs(least / most)) < 1e-3);
          assert.ok(result.residual[row]![column]! <= tolerance * 1.01);
        }),
      );
      const { centre } = result;
      assert.ok(Math.abs(centre.largest! - 3) < 1e-3 && Math.abs(centre.smallest! + 2) < 1e-3);
      assert.ok(Math.abs(centre.ratio! - 2 / 3) < 1e-3);
      assert.deepEqual([result.evaluated, result.complete, result.notConverged], [SIZE ** 2, true, 0]);
      assert.deepEqual(
        evaluator.held.filter((name) => name.startsWith('a')),
        [],
      );
      assert.ok(
        result.trust.some((s) => s.startsWith('At the centre λ runs from −2 to 3: |λmin/λmax| is 0.67')),
      );
    }
  }).timeout(60_000);

  it('is that of the dense Hessian of a network, whatever the batches', async () => {
    const x = gaussianRows(30, 3, 2);
    const labels = x.map((row) => (row[0]! > 0 ? 0 : 1));
    const net = classifier({ units: [3, 3, 2], activation: 'tanh', bias: true, train: { x, labels } });
    const next = gaussians(4);
    const weights = Array.from({ length: 20 }, () => 0.8 * next());
    const maps = [];
    for (const batchSize of [30, 7]) {
      const evaluator = new ReferenceEvaluator(net, { batchSize });
      const at = { id: '0', vector: evaluator.put('w', weights) };
      maps.push(
        await curvatureMap(
          evaluator,
          { ...how, snapshots: [], at, plane: 'random', size: 5, tolerance: 1e-4, seed: 3 },
          testContext(),
        ),
      );
    }
    const [one, other] = maps;
    assert.equal(one!.plane.kind, 'random');
    const near = (p: number | null | undefined, q: number): void =>
      assert.ok(Math.abs((p ?? NaN) - q) < 1e-3 * one!.centre.largest!, `${p} is not ${q}`);
    one!.largest.flat().forEach((value, k) => near(value, other!.largest.flat()[k]!));
    one!.smallest.flat().forEach((value, k) => near(value, other!.smallest.flat()[k]!));
    // The centre's whole spectrum, from products with unit vectors.
    const rows = weights.map((_, i) =>
      net.hvp(
        weights,
        weights.map((__, j) => (i === j ? 1 : 0)),
        [],
        'train',
        0,
        30,
      ),
    );
    const exact = new EigenvalueDecomposition(new Matrix(rows)).realEigenvalues.sort((p, q) => q - p);
    near(one!.centre.largest, exact[0]!);
    near(one!.centre.smallest, exact.at(-1)!);
    const middle = (5 - 1) / 2;
    near(one!.largest[middle]![middle], exact[0]!);
  }).timeout(60_000);

  it('says which points have not converged, and where nothing is finite', async () => {
    const hard = await ask(new ReferenceEvaluator(quartic(a, b)), { tolerance: 1e-300 });
    // Eight dimensions are exhausted, so residuals are of rounding alone, and settle it.
    assert.equal(hard.notConverged, 0);
    const broken = quartic(a, b);
    const evaluator = new ReferenceEvaluator({
      ...broken,
      hvp: (w, v, ...rest) => broken.hvp(w, v, ...rest).map((h) => ((w[0] ?? 0) > 1 ? NaN : h)),
    });
    const result = await ask(evaluator);
    const missing = result.largest.flat().filter((value) => value === null).length;
    assert.ok(missing > 0 && missing < SIZE ** 2);
    assert.ok(
      result.trust.includes(`${missing} of ${SIZE ** 2} points have a curvature that is NaN or infinite.`),
    );
    const flat = await ask(
      new ReferenceEvaluator(
        quartic(
          a.map(() => 0),
          a.map(() => 0),
        ),
      ),
    );
    assert.deepEqual(flat.ratio.flat(), Array<number>(SIZE ** 2).fill(0));
  }).timeout(60_000);

  it('goes on from where it was interrupted, and starts anew where that does not fit', async () => {
    const whole = await ask(new ReferenceEvaluator(quartic(a, b)));
    let left: CurvaturePoints | null = null;
    const context = testContext();
    const interrupted = ask(new ReferenceEvaluator(quartic(a, b)), {}, context, (_, points) => {
      left = JSON.parse(JSON.stringify(points)) as CurvaturePoints;
      if (points.points.length === 20) context.controller.abort();
    });
    await assert.rejects(interrupted, isCancelled);
    assert.ok(context.fractions.every((f, i, all) => f >= (all[i - 1] ?? 0) && f <= 1));
    const evaluator = new ReferenceEvaluator(quartic(a, b));
    const resumed = await ask(evaluator, { known: left! });
    assert.equal(resumed.resumed, 20);
    assert.deepEqual(
      [resumed.largest, resumed.smallest, resumed.loss],
      [whole.largest, whole.smallest, whole.loss],
    );
    const products = evaluator.calls.filter((c) => c.method === 'hvp').length;
    assert.ok(products < whole.products * 0.75, `${products} of ${whole.products} products`);
    const other = await ask(
      new ReferenceEvaluator(
        quartic(
          a.map((v) => 2 * v),
          b,
        ),
      ),
      { known: left! },
    );
    assert.equal(other.resumed, undefined);
    assert.ok(other.trust.some((s) => s.startsWith('What an interrupted map had left does not fit')));
  }).timeout(60_000);
});

describe('both ends of a spectrum from one search', () => {
  it('are found with restarts too, with fewer products than apart', async () => {
    const next = gaussians(8);
    const eigenvalues = Array.from({ length: 80 }, () => 2 * next());
    const sorted = [...eigenvalues].sort((p, q) => q - p);
    const evaluator = new ReferenceEvaluator(diagonalQuadratic(eigenvalues));
    const at = evaluator.put(
      'w',
      eigenvalues.map(() => 1),
    );
    await withVectors(evaluator, async (vectors) => {
      const w = await vectors.load(at, 'w', testContext().signal);
      const search = (top: number, bottom: number, maxBasis: number) =>
        lanczos(
          evaluator,
          vectors,
          (vector, into) =>
            evaluator.hvp({ at: w, vector, into, how: { ...how, refresh: false }, method: 'auto' }),
          { top, bottom, maxBasis, maxProducts: 400, tolerance: 1e-6, seed: 1, like: w },
          testContext(),
        );
      for (const maxBasis of [12, 80]) {
        const both = await search(2, 2, maxBasis);
        assert.ok(both.converged);
        const wanted = [sorted[0]!, sorted[1]!, sorted.at(-1)!, sorted.at(-2)!];
        both.values.forEach((value, k) => assert.ok(Math.abs(value - wanted[k]!) < 1e-6, `${value}`));
        const residuals = both.residuals.every((r, k) => r <= 1e-6 * Math.abs(wanted[k]!));
        assert.ok(residuals);
      }
      const one = await search(2, 0, 80);
      assert.equal(one.values.length, 2);
    });
  });
});
