/** Soups against brute force, and barriers against closed forms. */
import assert from 'node:assert/strict';
import { average } from '../../../src/analysis/average.ts';
import { soup, type SoupInput } from '../../../src/analysis/soup.ts';
import { isCancelled } from '../../../src/protocol/errors.ts';
import { gaussianRows, gaussians } from '../../fixtures/gaussian.ts';
import { average as mean, classifier, linearRegression } from '../../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../../fixtures/referenceEvaluator.ts';

const data = (rows: number, seed: number) => {
  const x = gaussianRows(rows, 4, seed);
  return { x, labels: x.map((row) => (row[0]! > 0 ? 0 : 1)) };
};
const mode = 'inference' as const;
const model = { id: 'soup-1', file: 'models/soup-1.safetensors', metadata: {} };
const asked = { method: 'greedy', by: 'loss', mode, model, stopAtBarrier: false } as const;

/** Logistic regression in the guise of two classes, without bias. */
const linear = classifier({
  units: [4, 2],
  activation: 'tanh',
  bias: false,
  train: data(60, 3),
  validation: data(50, 4),
});
const draw = gaussians(5);
/** The right rule with an error along one other input each, of either sign; two that have it the wrong way round. */
const around = [1, 1, 1, 1, -1, -1].map((right, i) =>
  [2, -2, 0, 0, 0, 0, 0, 0].map(
    (c, k) => right * c + (k === 2 + i ? (i % 2 === 0 ? 3 : -3) : 0) + 0.1 * draw(),
  ),
);

function setUp(problem = linear, weights: readonly (readonly number[])[] = around) {
  const evaluator = new ReferenceEvaluator(problem, { batchSize: 20 });
  const candidates = weights.map((w, i) => ({
    id: `r${i}:100`,
    vector: evaluator.put(`r${i}`, w, problem.statistics?.(w, 0, 20) ?? []),
  }));
  return { evaluator, candidates };
}
const ask = (evaluator: ReferenceEvaluator, input: Partial<SoupInput> & Pick<SoupInput, 'candidates'>) =>
  soup(evaluator, { ...asked, ...input }, testContext());
const mixed = (members: readonly number[]): number[] =>
  around[0]!.map((_, k) => mean(members.map((m) => around[m]![k]!)));
const held = (members: readonly number[]): number =>
  mean(linear.losses(mixed(members), [], 'validation', 0, 50));

describe('soup', () => {
  it('uniform: the average of all, equal to the direct computation', async () => {
    const { evaluator, candidates } = setUp();
    const result = await ask(evaluator, { candidates, method: 'uniform' });
    const all = around.map((_, i) => i);
    mixed(all).forEach((w, k) =>
      assert.ok(Math.abs(w - evaluator.files.get(model.file)!.values[k]!) < 1e-14),
    );
    assert.ok(Math.abs(result.score.validation!.loss! - held(all)) < 1e-12);
    assert.deepEqual(result.score, result.uniform);
    assert.deepEqual(
      result.members,
      candidates.map((c) => c.id),
    );
    assert.deepEqual(result.decisions, []);
    assert.deepEqual(evaluator.held, []);
  });

  it('greedy: chooses as the recipe carried out by hand, each decision told', async () => {
    const { evaluator, candidates } = setUp();
    const result = await ask(evaluator, { candidates });
    const order = around.map((_, i) => i).sort((a, b) => held([a]) - held([b]));
    let members = [order[0]!];
    const decisions = order.slice(1).map((c) => {
      const [before, after] = [held(members), held([...members, c])];
      if (after <= before) members = [...members, c];
      return { candidate: `r${c}:100`, before, after, added: after <= before };
    });
    assert.deepEqual(
      result.candidates.map((c) => c.id),
      order.map((i) => `r${i}:100`),
    );
    assert.ok(
      decisions.some((d) => d.added) && decisions.some((d) => !d.added),
      'the case has both decisions',
    );
    result.decisions.forEach((d, i) => {
      const expected = decisions[i]!;
      assert.deepEqual([d.candidate, d.added], [expected.candidate, expected.added]);
      assert.ok(Math.abs(d.before! - expected.before) < 1e-12 && Math.abs(d.after! - expected.after) < 1e-12);
    });
    assert.deepEqual(
      result.members,
      members.sort((a, b) => a - b).map((i) => `r${i}:100`),
    );
    assert.ok(Math.abs(result.score.validation!.loss! - held(members)) < 1e-12);
    assert.equal(result.baseline.id, `r${order[0]}:100`);
    // Never worse than the best candidate on the samples that it was chosen by.
    assert.ok(result.score.validation!.loss! <= held([order[0]!]));
  });

  it('judges the choice on the samples that had no part in it, both ways round', async () => {
    const { evaluator, candidates } = setUp();
    const result = await ask(evaluator, { candidates });
    const losses = (members: readonly number[]): number[] =>
      linear.losses(mixed(members), [], 'validation', 0, 50);
    const judged = [0, 1].flatMap((fold) => {
      const on = (members: readonly number[], side: number): number[] =>
        losses(members).filter((_, i) => i % 2 === side);
      const order = around.map((_, i) => i).sort((a, b) => mean(on([a], fold)) - mean(on([b], fold)));
      let members = [order[0]!];
      for (const c of order.slice(1))
        if (mean(on([...members, c], fold)) <= mean(on(members, fold))) members = [...members, c];
      const mine = on(members, 1 - fold);
      return on([order[0]!], 1 - fold).map((l, i) => l - mine[i]!);
    });
    assert.ok(Math.abs(result.expectedGain!.value - mean(judged)) < 1e-12);
    const spread = Math.sqrt(
      judged.reduce((s, d) => s + (d - mean(judged)) ** 2, 0) / (judged.length - 1) / judged.length,
    );
    assert.ok(Math.abs(result.expectedGain!.standardError - spread) < 1e-12);
    assert.match(result.trust.join(' '), /samples that had no part in choosing/);
  });

  it('chooses by accuracy when asked, and refuses to where there is none', async () => {
    const { evaluator, candidates } = setUp();
    const result = await ask(evaluator, { candidates, by: 'accuracy' });
    const accuracies = result.candidates.map((c) => c.score.validation!.accuracy!);
    assert.deepEqual(
      accuracies,
      [...accuracies].sort((a, b) => b - a),
    );
    assert.ok(result.score.validation!.accuracy! >= accuracies[0]!);
    const regression = new ReferenceEvaluator({
      ...linearRegression(gaussianRows(20, 2, 1), Array(20).fill(1) as number[]),
      samples: () => 20,
    });
    const two = [0, 1].map((i) => ({ id: `${i}`, vector: regression.put(`${i}`, [i, 1]) }));
    await assert.rejects(ask(regression, { candidates: two, by: 'accuracy' }), {
      code: 'unsupported',
      cure: /--by loss/,
    });
  });

  it('computes batch-norm statistics of every average anew', async () => {
    const normed = classifier({
      units: [4, 5, 2],
      activation: 'tanh',
      bias: true,
      batchNorm: true,
      train: data(60, 3),
      validation: data(50, 4),
    });
    const weights = Array.from({ length: 3 }, () => Array.from({ length: 37 }, draw));
    const { evaluator, candidates } = setUp(normed, weights);
    const result = await ask(evaluator, { candidates, method: 'uniform' });
    const sum = weights[0]!.map((_, k) => mean(weights.map((w) => w[k]!)));
    const parts = [0, 20, 40].map((begin) => normed.statistics!(sum, begin, begin + 20));
    const state = parts[0]!.map((_, k) => mean(parts.map((p) => p[k]!)));
    const expected = mean(normed.losses(sum, state, 'validation', 0, 50));
    assert.ok(Math.abs(result.score.validation!.loss! - expected) < 1e-12);
    assert.equal(result.refreshedStatistics, true);
  });

  it('leaves out a candidate that diverged, where it chooses; refuses it in a uniform soup', async () => {
    const { evaluator, candidates } = setUp(linear, [...around.slice(0, 3), around[0]!.map(() => NaN)]);
    const result = await ask(evaluator, { candidates });
    assert.equal(result.decisions.at(-1)!.candidate, 'r3:100');
    assert.equal(result.decisions.at(-1)!.added, false);
    assert.equal(result.uniform, null);
    await assert.rejects(ask(evaluator, { candidates, method: 'uniform' }), { code: 'non-finite' });
  });

  it('needs two candidates, held-out samples to choose by, and stops when cancelled', async () => {
    const { evaluator, candidates } = setUp();
    await assert.rejects(ask(evaluator, { candidates: candidates.slice(0, 1) }), { code: 'bad-input' });
    const blind = setUp({ ...linear, samples: (split) => (split === 'train' ? 60 : 0) });
    await assert.rejects(ask(blind.evaluator, { candidates: blind.candidates }), {
      code: 'unsupported',
      cure: /uniform/,
    });
    const uniform = await ask(blind.evaluator, { candidates: blind.candidates, method: 'uniform' });
    assert.deepEqual([uniform.expectedGain, uniform.verdict], [null, 'unknown']);
    const context = testContext();
    evaluator.before = (method) => method === 'samples' && context.controller.abort();
    await assert.rejects(soup(evaluator, { ...asked, candidates }, context), isCancelled);
    assert.deepEqual(evaluator.held, []);
  });
});

describe('barrier before averaging', () => {
  /** (θ² − 1)²: two minima at ±1, and a hill of height 1 between them. */
  const wells = {
    ...linearRegression([[1]], [0]),
    samples: () => 4,
    losses: (w: ArrayLike<number>) => [1, 2, 3, 2].map((c) => (c / 2) * ((w[0] ?? 0) ** 2 - 1) ** 2),
  };
  const well = (places: readonly number[]) => {
    const evaluator = new ReferenceEvaluator(wells);
    const snapshots = places.map((w, i) => ({ step: i, vector: evaluator.put(`s${i}`, [w]), loss: null }));
    return { evaluator, snapshots };
  };
  const window = { from: 0 };

  it('is the height of the hill, with its paired standard error', async () => {
    const { evaluator, snapshots } = well([-1, 1]);
    const warnings: string[] = [];
    const context = { ...testContext(), warn: (m: string) => void warnings.push(m) };
    const { barriers, trust } = await average(evaluator, { snapshots, window, mode, model }, context);
    const [line] = barriers!.lines;
    assert.deepEqual([line!.from, line!.to, line!.height, line!.ends], ['0', '1', 1, 0]);
    // Heights of the four samples at the middle: ½, 1, 1½, 1.
    const error = Math.sqrt((0.25 + 0 + 0.25 + 0) / 3 / 4);
    assert.ok(Math.abs(line!.standardError! - error) < 1e-12);
    assert.equal(barriers!.crossed, true);
    assert.match(warnings[0]!, /across a barrier: between 0 and 1 .* 1 ± 0\.2/);
    assert.ok(trust.includes(warnings[0]!));
  });

  it('stops before anything is built, when asked to', async () => {
    const { evaluator, snapshots } = well([-1, -1, 1]);
    await assert.rejects(
      average(evaluator, { snapshots, window, mode, model, stopAtBarrier: true }, testContext()),
      { code: 'barrier', message: /between 0 and 2/ },
    );
    assert.equal(evaluator.files.has(model.file), false);
    assert.deepEqual(evaluator.held, []);
  });

  it('is found between a member and the average, where first and last lie in one basin', async () => {
    const { evaluator, snapshots } = well([-1, 1, -1]);
    const { barriers } = await average(evaluator, { snapshots, window, mode, model }, testContext());
    assert.equal(barriers!.lines[0]!.height, 0);
    assert.deepEqual([barriers!.highest!.from, barriers!.highest!.to], ['1', 'average']);
    assert.equal(barriers!.crossed, true);
  });

  it('is 0 inside of one basin, and no warning', async () => {
    const { evaluator, snapshots } = well([0.9, 1, 1.1, 1.05]);
    const { barriers, trust } = await average(evaluator, { snapshots, window, mode, model }, testContext());
    assert.equal(barriers!.crossed, false);
    assert.equal(barriers!.lines.length, 5);
    assert.ok(trust.some((s) => /barrier/.test(s) && !/across/.test(s)));
  });

  it('does not hold against a moving average what it has all but forgotten', async () => {
    const { evaluator, snapshots } = well([-1, -1, ...Array<number>(12).fill(1)]);
    const forgotten = { from: 0, ema: 0.5 };
    const { barriers } = await average(
      evaluator,
      { snapshots, window: forgotten, mode, model },
      testContext(),
    );
    assert.equal(barriers!.crossed, false);
  });

  it('keeps a greedy soup in its basin, and says which candidates lie beyond', async () => {
    const { evaluator, snapshots } = well([1, 0.98, -1.02, 1.01]);
    const candidates = snapshots.map((s) => ({ id: `${s.step}`, vector: s.vector }));
    const result = await ask(evaluator, { candidates, stopAtBarrier: true });
    assert.ok(!result.members.includes(2));
    assert.equal(result.barriers!.crossed, false);
    assert.ok(
      result.trust.some((s) => s.startsWith('Beyond a barrier from the best, and left out: 2')),
      result.trust.join(' '),
    );
    await assert.rejects(ask(evaluator, { candidates, method: 'uniform', stopAtBarrier: true }), {
      code: 'barrier',
    });
  });
});
