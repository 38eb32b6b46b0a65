import assert from 'node:assert/strict';
import { contour } from '../../../src/analysis/contour.ts';
import type { ContourPoints } from '../../../src/analysis/contourPoints.ts';
import type { Draft } from '../../../src/analysis/model.ts';
import { coarsestStride, Refinement } from '../../../src/analysis/refinement.ts';
import { isCancelled } from '../../../src/protocol/errors.ts';
import type { ContourResult } from '../../../src/protocol/results.ts';
import { gaussianRows, gaussians } from '../../fixtures/gaussian.ts';
import { isolineError } from '../../fixtures/isolineError.ts';
import { compare, landscapes } from '../../fixtures/landscapes.ts';
import { classifier } from '../../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../../fixtures/referenceEvaluator.ts';

/** Refines a function of row and column to the end. */
function refine(size: number, loss: (row: number, column: number) => number | null): Refinement {
  const refinement = new Refinement(size);
  for (const points of refinement.levels()) for (const point of points) refinement.set(point, loss(...point));
  return refinement;
}

describe('adaptive refinement', () => {
  for (const landscape of landscapes) {
    it(`needs at most a third of a full grid's points at equal isoline error: ${landscape.name}`, () => {
      const { points, adaptive, full, equalPoints } = compare(landscape);
      assert.ok(points <= equalPoints / 3, `${points} beside ${equalPoints}`);
      assert.ok(adaptive.mean < 2 * full.mean && adaptive.p95 < 0.15);
    }).timeout(120_000);
  }

  it('has an isoline error that is what was done to the isolines', () => {
    const along = Array.from({ length: 81 }, (_, i) => i / 80);
    const plane = (shift: number) => ({
      x: along,
      y: along,
      loss: along.map(() => along.map((x) => 1 + x + shift)),
    });
    const found = isolineError(plane(0.05), plane(0), 40, 'linear');
    // Lines of 1 + x are straight and 0.05 of the width further to the left: two cells of forty.
    assert.ok(Math.abs(found.mean - 2) < 0.02 && Math.abs(found.p95 - 2) < 0.02);
    assert.ok(isolineError(plane(0), plane(0), 40, 'linear').mean < 1e-9);
  });

  it('keeps what was evaluated, and has a quadratic exactly from its first two levels', () => {
    const loss = (row: number, column: number): number =>
      3 + (row - 11) ** 2 + 0.5 * (row - 11) * (column - 20);
    for (const size of [5, 7, 9, 17, 23, 41, 81]) {
      const refinement = refine(size, loss);
      const first = coarsestStride(size);
      const most = ((2 * (size - 1)) / first + 1) ** 2;
      assert.equal(refinement.evaluated, first === 1 ? size ** 2 : most);
      assert.equal(refinement.unit, 'loss');
      refinement
        .filled()
        .forEach((line, row) =>
          line.forEach((value, column) => assert.ok(Math.abs((value ?? NaN) - loss(row, column)) < 1e-7)),
        );
    }
    const steep = refine(41, (row, column) => Math.exp(0.3 * row - 0.2 * column));
    assert.equal(steep.unit, 'log loss');
    assert.equal(steep.evaluated, 121);
    assert.ok(steep.interpolationError()! < 1e-9);
  });

  it('evaluates around losses that are not finite, and fills nothing in there', () => {
    const loss = (row: number, column: number): number | null =>
      row > 25 && column > 17 ? null : 1 + row + column;
    const refinement = refine(41, loss);
    refinement.filled().forEach((line, row) =>
      line.forEach((value, column) => {
        const truth = loss(row, column);
        if (truth === null) assert.equal(value, null, `${row}, ${column}`);
        else assert.ok(Math.abs((value ?? NaN) - truth) < 1e-9, `${row}, ${column}`);
      }),
    );
    assert.ok(refinement.evaluated < 41 ** 2);
  });

  describe('of a contour', () => {
    const x = gaussianRows(30, 4, 2);
    const labels = x.map((row) => (row[0]! > 0 ? 0 : row[1]! > 0 ? 1 : 2));
    const net = classifier({ units: [4, 6, 3], activation: 'tanh', bias: true, train: { x, labels } });
    const next = gaussians(4);
    const weights = Array.from({ length: 51 }, () => 0.8 * next());
    let asked: ReferenceEvaluator;
    const ask = async (
      adaptive: boolean,
      context = testContext(),
      publish?: (partial: Draft<ContourResult>, points: ContourPoints) => void,
      known?: ContourPoints,
    ): Promise<Draft<ContourResult>> => {
      const evaluator = new ReferenceEvaluator(net);
      asked = evaluator;
      const at = { id: '0', vector: evaluator.put('w', weights) };
      const how = { data: { split: 'train' }, mode: 'inference' } as const;
      return contour(
        evaluator,
        {
          snapshots: [],
          at,
          plane: 'random',
          size: 41,
          adaptive,
          ...how,
          ...(known === undefined ? {} : { known }),
        },
        context,
        publish,
      );
    };

    it('gives the full picture from fewer points, says which they are and how far off the others', async () => {
      const [full, adaptive] = [await ask(false), await ask(true)];
      const { interpolation } = adaptive;
      assert.equal(full.interpolation, undefined);
      assert.equal(
        interpolation!.evaluated.flat().reduce<number>((s, v) => s + v, 0),
        adaptive.evaluated,
      );
      // A small network over a wide plane bends everywhere.
      assert.ok(adaptive.evaluated < 0.6 * 1681, `${adaptive.evaluated} points`);
      let [sum, count] = [0, 0];
      adaptive.loss.forEach((line, row) =>
        line.forEach((value, column) => {
          const truth = full.loss[row]![column]!;
          if (interpolation!.evaluated[row]![column] === 1) assert.equal(value, truth);
          else [sum, count] = [sum + (value! / truth - 1) ** 2, count + 1];
        }),
      );
      // The stated error is of the size of the real one.
      const real = Math.sqrt(sum / count);
      const stated = interpolation!.relativeError!;
      assert.ok(real < 3 * stated && stated < 30 * real, `${real} real, ${stated} stated`);
      assert.ok(
        adaptive.trust.some((s) => s.startsWith(`${adaptive.evaluated} of 1681 points were evaluated`)),
        adaptive.trust.join(' '),
      );
    }).timeout(120_000);

    for (const adaptive of [false, true]) {
      it(`goes on from where it was interrupted, ${adaptive ? 'adaptively' : 'point by point'}`, async () => {
        const whole = await ask(adaptive);
        const context = testContext();
        let left: ContourPoints | null = null;
        const interrupted = ask(adaptive, context, (_, points) => {
          // As a file has it.
          left = JSON.parse(JSON.stringify(points)) as ContourPoints;
          if (points.points.length > 200) context.controller.abort();
        });
        await assert.rejects(interrupted, isCancelled);
        const resumed = await ask(adaptive, testContext(), undefined, left!);
        const { resumed: taken, trust, ...rest } = resumed;
        assert.equal(taken, left!.points.length);
        assert.ok(taken > 200 && taken < whole.evaluated);
        assert.ok(trust.some((s) => s.startsWith(`${taken} points are those of an interrupted contour`)));
        const { trust: words, ...same } = whole;
        assert.deepEqual(rest, same);
        assert.ok(words.every((s) => trust.includes(s)));
        // What was known is not asked again, but for the centre and one point that shows that nothing has changed.
        const points = asked.calls
          .filter((c) => c.method === 'loss')
          .reduce((n, c) => n + (c.params as { coefficients: unknown[] }).coefficients.length, 0);
        assert.equal(points, whole.evaluated - taken + 2);

        const [first, ...others] = left!.points;
        const wrong = { ...left!, points: [...others, [first![0], first![1], 99, 0] as const] };
        for (const unfit of [wrong, { ...left!, x: left!.x.map((v) => 2 * v) }, { ...left!, centre: 7 }]) {
          const anew = await ask(adaptive, testContext(), undefined, unfit);
          assert.deepEqual([anew.resumed, anew.loss], [undefined, whole.loss]);
          assert.ok(
            anew.trust.some((s) => s.startsWith('What an interrupted contour had left does not fit')),
          );
        }
      }).timeout(120_000);
    }

    it('shows what it has on the way, and keeps it when it is cancelled', async () => {
      const context = testContext();
      const partials: Draft<ContourResult>[] = [];
      const asking = ask(true, context, (partial) => {
        partials.push(partial);
        if (partials.length === 2) context.controller.abort();
      });
      await assert.rejects(asking, isCancelled);
      const last = partials.at(-1)!;
      assert.ok(last.evaluated >= 121 && !last.complete);
      assert.equal(last.loss.flat().filter((v) => v !== null).length, last.evaluated);
      assert.ok(context.fractions.every((f, i, all) => f >= (all[i - 1] ?? 0) && f <= 1));
    });
  });
});
