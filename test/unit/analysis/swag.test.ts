/** SWAG's moments and draws against their definitions, and what its answer is made of. */
import assert from 'node:assert/strict';
import { mersenne } from 'pure-rand/generator/mersenne';
import { swag } from '../../../src/analysis/swag.ts';
import { drawWeights, swagPosterior } from '../../../src/analysis/swagPosterior.ts';
import { rocArea } from '../../../src/analysis/uncertainty.ts';
import { Vectors } from '../../../src/analysis/vectors.ts';
import { isCancelled } from '../../../src/protocol/errors.ts';
import { gaussianRows, gaussians } from '../../fixtures/gaussian.ts';
import { classifier, diagonalQuadratic, type Problem } from '../../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../../fixtures/referenceEvaluator.ts';

function setUp(problem: Problem, weights: readonly (readonly number[])[]) {
  const evaluator = new ReferenceEvaluator(problem, { batchSize: 10 });
  const snapshots = weights.map((w, i) => ({
    step: 10 * i,
    vector: evaluator.put(`step-${10 * i}`, w, problem.statistics?.(w, 0, 25) ?? []),
    loss: null,
  }));
  return { evaluator, snapshots };
}

/** Means of products of two coordinates, about the mean. */
function covariance(rows: readonly (readonly number[])[]): number[][] {
  const centre = rows[0]!.map((_, k) => rows.reduce((s, r) => s + r[k]!, 0) / rows.length);
  return centre.map((_, j) =>
    centre.map(
      (_c, k) => rows.reduce((s, r) => s + (r[j]! - centre[j]!) * (r[k]! - centre[k]!), 0) / rows.length,
    ),
  );
}

describe('SWAG', () => {
  const next = gaussians(1);
  const weights = Array.from({ length: 6 }, () => [100 + next(), 2 * next(), 0.1 * next()]);
  const problem = diagonalQuadratic([1, 1, 1]);
  const read = async (evaluator: ReferenceEvaluator, vector: string): Promise<number[]> => {
    await evaluator.save({ vector, file: 'read', metadata: {} });
    return Array.from(evaluator.files.get('read')!.values);
  };
  /** Differences to the average of all up to each, as algorithm 1 has them. */
  const columnsOf = (rank: number): number[][] =>
    weights
      .map((w, i) => {
        const upTo = weights.slice(0, i + 1);
        return w.map((x, k) => x - upTo.reduce((s, r) => s + r[k]!, 0) / upTo.length);
      })
      .slice(weights.length - rank);

  it('has the moments of the snapshots: average, variances, differences to the running average', async () => {
    const { evaluator, snapshots } = setUp(problem, weights);
    const vectors = new Vectors(evaluator);
    const posterior = await swagPosterior(evaluator, vectors, snapshots, 4, testContext());
    const mean = weights[0]!.map((_, k) => weights.reduce((s, w) => s + w[k]!, 0) / 6);
    (await read(evaluator, posterior.mean)).forEach((x, k) => assert.ok(Math.abs(x - mean[k]!) < 1e-12));
    const spread = covariance(weights);
    (await read(evaluator, posterior.deviation)).forEach((x, k) =>
      assert.ok(Math.abs(x * x - spread[k]![k]!) < 1e-12),
    );
    const columns = columnsOf(4);
    assert.equal(posterior.columns.length, 4);
    for (const [i, column] of posterior.columns.entries())
      (await read(evaluator, column)).forEach((x, k) => assert.ok(Math.abs(x - columns[i]![k]!) < 1e-12));
    const trace = spread.reduce((s, row, k) => s + row[k]!, 0);
    assert.ok(Math.abs(posterior.diagonalTrace - trace) < 1e-12);
    const lowRank = columns.flat().reduce((s, x) => s + x * x, 0) / 3;
    assert.ok(Math.abs(posterior.lowRankTrace - lowRank) < 1e-12);
    await vectors.release();
    assert.deepEqual(evaluator.held, []);
  });

  it('keeps a spread that is small beside the weights also in single precision', async () => {
    const near = weights.map((w) => w.map((x) => 1000 + 1e-3 * x));
    const evaluator = new ReferenceEvaluator(problem, { precision: 'float32' });
    const members = near.map((w, i) => ({ step: i, vector: evaluator.put(`s${i}`, w), loss: null }));
    const posterior = await swagPosterior(evaluator, new Vectors(evaluator), members, 0, testContext());
    // As they are stored: in single precision themselves.
    const spread = covariance(near.map((w) => w.map(Math.fround)));
    const [, , third] = await read(evaluator, posterior.deviation);
    const [, second] = await read(evaluator, posterior.deviation);
    assert.ok(Math.abs(second! / Math.sqrt(spread[1]![1]!) - 1) < 0.02, String(second));
    assert.ok(third! < 1e-3);
  });

  for (const rank of [4, 0]) {
    it(`draws with the covariance that it states (rank ${rank})`, async () => {
      const { evaluator, snapshots } = setUp(problem, weights);
      const vectors = new Vectors(evaluator);
      const posterior = await swagPosterior(evaluator, vectors, snapshots, rank, testContext());
      const draws: number[][] = [];
      const scale = 0.5;
      const generator = mersenne(1);
      for (let i = 0; i < 4000; i++) {
        const draw = await drawWeights(evaluator, vectors, posterior, { generator, scale }, testContext());
        draws.push(await read(evaluator, draw));
        await vectors.release([draw]);
      }
      const diagonal = covariance(weights);
      const columns = columnsOf(rank);
      const found = covariance(draws);
      const expected = diagonal.map((row, j) =>
        row.map((value, k) => {
          const own = j === k ? value : 0;
          if (rank === 0) return scale ** 2 * own;
          const low = columns.reduce((s, c) => s + c[j]! * c[k]!, 0) / (rank - 1);
          return (scale ** 2 * (own + low)) / 2;
        }),
      );
      // Standard error of a covariance over n normal draws: √((σ_jj·σ_kk + σ_jk²)/n).
      expected.forEach((row, j) =>
        row.forEach((value, k) => {
          const error = Math.sqrt((expected[j]![j]! * expected[k]![k]! + value ** 2) / draws.length);
          assert.ok(Math.abs(found[j]![k]! - value) < 5 * error, `${j} ${k}: ${found[j]![k]} for ${value}`);
        }),
      );
      const mean = await read(evaluator, posterior.mean);
      mean.forEach((m, k) => {
        const average = draws.reduce((s, d) => s + d[k]!, 0) / draws.length;
        assert.ok(Math.abs(average - m) < 5 * Math.sqrt(expected[k]![k]! / draws.length));
      });
    });
  }

  const x = gaussianRows(25, 4, 1);
  const labels = x.map((row) => (row[0]! > 0 ? 0 : 1));
  const held = gaussianRows(40, 4, 2);
  const normed = classifier({
    units: [4, 5, 2],
    activation: 'tanh',
    bias: true,
    batchNorm: true,
    train: { x, labels },
    validation: { x: held, labels: held.map((row) => (row[0]! > 0 ? 0 : 1)) },
  });
  const many = Array.from({ length: 8 }, () => Array.from({ length: 37 }, next));
  const asked = {
    window: { from: 0 },
    rank: 3,
    draws: 5,
    scale: 1,
    seed: 7,
    mode: 'inference' as const,
    keep: [],
  };

  it('scores the mean prediction of its draws, each with statistics of its own', async () => {
    const { evaluator, snapshots } = setUp(normed, many);
    const result = await swag(evaluator, { ...asked, snapshots }, testContext());
    assert.deepEqual(evaluator.held, []);
    const vectors = new Vectors(evaluator);
    const posterior = await swagPosterior(evaluator, vectors, snapshots, 3, testContext());
    const members: string[] = [];
    const generator = mersenne(7);
    const alone: number[] = [];
    for (let i = 0; i < 5; i++) {
      const draw = await drawWeights(evaluator, vectors, posterior, { generator, scale: 1 }, testContext());
      await evaluator.refreshStatistics({ vector: draw, data: { split: 'train' } });
      members.push(draw);
      const how = { data: { split: 'validation' }, mode: 'inference', refresh: false } as const;
      alone.push((await evaluator.score({ members: [draw], how })).loss);
    }
    const how = { data: { split: 'validation' }, mode: 'inference', refresh: false } as const;
    const together = await evaluator.score({ members, how });
    assert.ok(Math.abs(result.score.validation!.loss! - together.loss) < 1e-12);
    // Jensen: the log loss of a mean prediction is at most the mean of the log losses.
    assert.ok(together.loss <= alone.reduce((s, l) => s + l, 0) / 5);
    assert.equal(result.refreshedStatistics, true);
    assert.equal(result.forwardPasses, 5);
    assert.ok(result.score.calibrationError! >= 0 && result.score.doubt!.right! > 0.5);
  });

  it('saves draws when asked, and tells the uncertainty of each answer', async () => {
    const { evaluator, snapshots } = setUp(normed, many);
    const keep = ['draw-1', 'draw-2'].map((id) => ({ id, file: id, metadata: {} }));
    const result = await swag(evaluator, { ...asked, snapshots, keep, draws: 2 }, testContext());
    assert.deepEqual(result.kept, ['draw-1', 'draw-2']);
    // The saved draws are the ones that were scored.
    const how = { data: { split: 'validation' }, mode: 'inference', refresh: false } as const;
    for (const { id } of keep) await evaluator.load({ into: id, from: { file: id } });
    const together = await evaluator.score({ members: ['draw-1', 'draw-2'], how });
    assert.ok(Math.abs(result.score.validation!.loss! - together.loss) < 1e-12);
    const each = keep.map(({ id }) => {
      const { values, state } = evaluator.files.get(id)!;
      return normed.predict!(values, state ?? [], 'validation', 0, 40);
    });
    const entropy = (p: readonly number[]): number => -p.reduce((s, q) => s + q * Math.log(q), 0);
    const rows = each[0]!.map(({ probabilities, label }, i) => {
      const mixed = probabilities.map((p, k) => (p + each[1]![i]!.probabilities[k]!) / 2);
      const own = each.map((e) => entropy(e[i]!.probabilities));
      const right = mixed.indexOf(Math.max(...mixed)) === label;
      return { total: entropy(mixed), information: entropy(mixed) - (own[0]! + own[1]!) / 2, right };
    });
    const [predictive, information, deviation] = result.uncertainty!.measures;
    const average = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    assert.ok(Math.abs(predictive!.mean - average(rows.map((r) => r.total))) < 1e-12);
    assert.ok(Math.abs(information!.mean - average(rows.map((r) => r.information))) < 1e-12);
    const wrong = rows.filter((r) => !r.right);
    assert.ok(wrong.length > 0 && wrong.length < 40);
    assert.ok(Math.abs(predictive!.wrong! - average(wrong.map((r) => r.total))) < 1e-12);
    let pairs = 0;
    for (const w of wrong) for (const r of rows) if (r.right && w.total > r.total) pairs++;
    const area = pairs / wrong.length / (40 - wrong.length);
    assert.ok(Math.abs(predictive!.tellsWrong!.value - area) < 1e-12);
    assert.ok(deviation!.quantiles.every((q) => q >= 0 && q <= 0.5));
    assert.equal(result.uncertainty!.kept!.at(-1)!.accuracy, 1 - wrong.length / 40);
    assert.deepEqual(evaluator.held.sort(), ['draw-1', 'draw-2']);
  });

  it('counts pairs for the ROC area, ties half, with the error of Hanley and McNeil', () => {
    assert.deepEqual(rocArea([1, 2], [3]), { value: 1, standardError: 0 });
    assert.equal(rocArea([1, 2, 2], [2, 2])!.value, (1 + 0.5 + 0.5) / 3);
    assert.equal(rocArea([], [1]), null);
    const { value, standardError } = rocArea([0, 2, 4, 6], [1, 3, 5, 7])!;
    assert.equal(value, 10 / 16);
    const [q1, q2] = [value / (2 - value), (2 * value ** 2) / (1 + value)];
    const expected = (value * (1 - value) + 3 * (q1 - value ** 2) + 3 * (q2 - value ** 2)) / 16;
    assert.ok(Math.abs(standardError - Math.sqrt(expected)) < 1e-12);
  });

  it('draws the same with the same seed, and all but the average at a scale of next to nothing', async () => {
    const { evaluator, snapshots } = setUp(normed, many);
    const one = await swag(evaluator, { ...asked, snapshots }, testContext());
    const two = await swag(evaluator, { ...asked, snapshots }, testContext());
    assert.deepEqual(one.score, two.score);
    const other = await swag(evaluator, { ...asked, snapshots, seed: 100 }, testContext());
    assert.notDeepEqual(one.score, other.score);
    const still = await swag(evaluator, { ...asked, snapshots, scale: 1e-9 }, testContext());
    assert.ok(Math.abs(still.score.validation!.loss! - still.average.validation!.loss!) < 1e-6);
  });

  it('is refused without predictions, of snapshots that diverged, and stops when cancelled', async () => {
    const plain = setUp(problem, weights);
    await assert.rejects(swag(plain.evaluator, { ...asked, snapshots: plain.snapshots }, testContext()), {
      code: 'unsupported',
    });
    const broken = setUp(normed, [...many.slice(1), many[0]!.map(() => NaN)]);
    await assert.rejects(swag(broken.evaluator, { ...asked, snapshots: broken.snapshots }, testContext()), {
      code: 'non-finite',
    });
    const { evaluator, snapshots } = setUp(normed, many);
    const context = testContext();
    evaluator.before = (method) => method === 'score' && context.controller.abort();
    await assert.rejects(swag(evaluator, { ...asked, snapshots }, context), isCancelled);
    assert.deepEqual(evaluator.held, []);
  });
});
