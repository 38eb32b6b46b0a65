/** Ensembles against direct computation and brute force: combinations, selection, diversity. */
import assert from 'node:assert/strict';
import { ensemble, usualMembers, type EnsembleInput } from '../../../src/analysis/ensemble.ts';
import { entropiesOf, lossesOf, together, toRows } from '../../../src/analysis/predictions.ts';
import { judgedSelection } from '../../../src/analysis/selection.ts';
import { isCancelled } from '../../../src/protocol/errors.ts';
import { gaussianRows, gaussians } from '../../fixtures/gaussian.ts';
import {
  average as mean,
  classifier,
  diagonalQuadratic,
  linearRegression,
  softmax,
  type Problem,
} from '../../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../../fixtures/referenceEvaluator.ts';

const data = (rows: number, seed: number) => {
  const x = gaussianRows(rows, 4, seed);
  const next = gaussians(seed + 100);
  return {
    x,
    labels: x
      .map((row) => [row[0]!, row[1]!, 0.3].indexOf(Math.max(row[0]!, row[1]!, 0.3)))
      .map((l) => (next() > 1.5 ? 0 : l)),
  };
};
const problem = classifier({
  units: [4, 5, 3],
  activation: 'tanh',
  bias: true,
  batchNorm: true,
  train: data(30, 1),
  validation: data(41, 2),
});
const next = gaussians(3);
const weights = Array.from({ length: 7 }, () => Array.from({ length: 43 }, () => 0.7 * next()));
const states = weights.map((w) => problem.statistics!(w, 0, 30));
const N = 41;

function setUp(over: Problem = problem, all: readonly (readonly number[])[] = weights) {
  const evaluator = new ReferenceEvaluator(over, { batchSize: 10 });
  const members = all.map((w, i) => ({
    id: String(10 * i),
    vector: evaluator.put(`step-${10 * i}`, w, over.stateSize > 0 ? states[i]! : []),
  }));
  const last = { step: 10 * (all.length - 1), vector: members.at(-1)!.vector, loss: null };
  return { evaluator, members, last };
}
const ask = (
  { evaluator, members, last }: ReturnType<typeof setUp>,
  more: Partial<EnsembleInput> = {},
  context = testContext(),
) => ensemble(evaluator, { members, last, mode: 'inference', model: 'ensemble-1', ...more }, context);

const predictions = weights.map((w, i) => problem.predict!(w, states[i]!, 'validation', 0, N));
const probabilities = (members: readonly number[], s: number, how: 'probability' | 'logit'): number[] => {
  const of = (f: (p: number) => number): number[] =>
    [0, 1, 2].map((c) => mean(members.map((m) => f(predictions[m]![s]!.probabilities[c]!))));
  return how === 'logit' ? softmax(of(Math.log)) : of((p) => p);
};
const losses = (members: readonly number[], how: 'probability' | 'logit' = 'probability'): number[] =>
  predictions[0]!.map(({ label }, s) => -Math.log(probabilities(members, s, how)[label]!));
const all = weights.map((_, i) => i);
const near = (a: number | null | undefined, b: number, what = ''): void =>
  assert.ok(Math.abs((a ?? NaN) - b) < 1e-12, `${what}: ${a} and ${b}`);

describe('ensemble', () => {
  for (const combine of ['probability', 'logit'] as const) {
    it(`by ${combine} is the direct computation, of all and of the first so many`, async () => {
      const set = setUp();
      const result = await ask(set, { combine });
      assert.deepEqual(result.members, [0, 10, 20, 30, 40, 50, 60]);
      assert.equal(result.combine, combine);
      near(result.score.validation!.loss, mean(losses(all, combine)));
      const right = predictions[0]!.map(({ label }, s) => {
        const p = probabilities(all, s, combine);
        return p.indexOf(Math.max(...p)) === label ? 1 : 0;
      });
      near(result.score.validation!.accuracy, mean(right));
      assert.equal(result.byCount!.length, 7);
      result.byCount!.forEach(({ members, loss }, i) => {
        assert.equal(members, i + 1);
        near(loss, mean(losses(all.slice(0, i + 1), combine)), `of ${i + 1}`);
      });
      near(result.byCount!.at(-1)!.loss, result.score.validation!.loss!);
      result.memberScores.forEach((s, k) => near(s.validation!.loss, mean(losses([k]))));
      assert.deepEqual({ ...result.memberScores[6]!, step: 60 }, result.baseline);
      assert.equal(result.forwardPasses, 7);
      assert.deepEqual(set.evaluator.held, []);
    });
  }

  it('by probability is never worse than the mean of its members, on either split', async () => {
    const result = await ask(setUp());
    const members = result.memberScores;
    assert.ok(result.score.validation!.loss! <= mean(members.map((s) => s.validation!.loss!)));
    assert.ok(result.score.train.loss! <= mean(members.map((s) => s.train.loss!)));
  });

  it('tells pairwise disagreement and total variation', async () => {
    const result = await ask(setUp());
    const { pairs, disagreement, distance, measure } = result.diversity!;
    assert.equal(measure, 'total-variation');
    assert.equal(pairs.length, 21);
    const top = (p: readonly number[]): number => p.indexOf(Math.max(...p));
    const differ = (a: number, b: number, s: number): number =>
      top(predictions[a]![s]!.probabilities) === top(predictions[b]![s]!.probabilities) ? 0 : 1;
    const apart = (a: number, b: number, s: number): number =>
      predictions[a]![s]!.probabilities.reduce(
        (sum, p, c) => sum + Math.abs(p - predictions[b]![s]!.probabilities[c]!) / 2,
        0,
      );
    const samples = Array.from({ length: N }, (_, s) => s);
    for (const pair of pairs) {
      const [a, b] = [Number(pair.a) / 10, Number(pair.b) / 10];
      near(pair.disagreement, mean(samples.map((s) => differ(a, b, s))));
      near(pair.distance, mean(samples.map((s) => apart(a, b, s))));
    }
    near(disagreement!.value, mean(pairs.map((p) => p.disagreement!)));
    near(distance!.value, mean(pairs.map((p) => p.distance!)));
    const each = samples.map((s) => mean(pairs.map((p) => apart(Number(p.a) / 10, Number(p.b) / 10, s))));
    const spread = Math.sqrt(each.reduce((v, x) => v + (x - mean(each)) ** 2, 0) / (N - 1) / N);
    near(distance!.standardError, spread);
  });

  it('of identical members is one of them, with no diversity', async () => {
    const same = setUp(problem, [weights[0]!, weights[0]!, weights[0]!]);
    same.members.forEach(({ vector }) => same.evaluator.put(vector.file, weights[0]!, states[0]));
    const result = await ask(same);
    near(result.score.validation!.loss, result.memberScores[0]!.validation!.loss!);
    assert.deepEqual([result.diversity!.disagreement!.value, result.diversity!.distance!.value], [0, 0]);
  });

  it('selects as a greedy search carried out by hand, and stops where nothing helps', async () => {
    const result = await ask(setUp(), { select: 5 });
    const taken: { member: string; loss: number }[] = [];
    const chosen: number[] = [];
    for (;;) {
      const left = all.filter((i) => !chosen.includes(i));
      const best = left
        .map((i) => ({ i, loss: mean(losses([...chosen, i])) }))
        .reduce((a, b) => (b.loss < a.loss ? b : a));
      if (chosen.length === 5 || (taken.length > 0 && best.loss >= taken.at(-1)!.loss)) {
        const { refused } = result.selection!;
        if (chosen.length < 5)
          assert.deepEqual([refused!.member, refused!.loss], [`${10 * best.i}`, best.loss]);
        break;
      }
      chosen.push(best.i);
      taken.push({ member: `${10 * best.i}`, loss: best.loss });
    }
    assert.ok(chosen.length > 1, 'the case has something to select');
    assert.deepEqual(
      result.selection!.taken.map((t) => t.member),
      taken.map((t) => t.member),
    );
    result.selection!.taken.forEach((t, i) => near(t.loss, taken[i]!.loss));
    assert.deepEqual(
      result.members,
      chosen.map((i) => 10 * i),
    );
    near(result.score.validation!.loss, mean(losses(chosen)));
    assert.equal(result.memberScores.length, chosen.length);
  });

  it('judges the selection on samples that had no part in it', async () => {
    const result = await ask(setUp(), { select: 3 });
    const on = (values: readonly number[], fold: number): number[] => values.filter((_, i) => i % 2 === fold);
    const judged = [0, 1].flatMap((fold) => {
      const chosen: number[] = [];
      let lowest = Infinity;
      while (chosen.length < 3) {
        const best = all
          .filter((i) => !chosen.includes(i))
          .map((i) => ({ i, loss: mean(on(losses([...chosen, i]), fold)) }))
          .reduce((a, b) => (b.loss < a.loss ? b : a));
        if (best.loss >= lowest) break;
        chosen.push(best.i);
        lowest = best.loss;
      }
      const mine = on(losses(chosen), 1 - fold);
      return on(losses([6]), 1 - fold).map((l, i) => l - mine[i]!);
    });
    near(result.selection!.expectedGain!.value, mean(judged));
    assert.match(result.trust.join(' '), /samples that had no part in it/);
    assert.match(result.trust.join(' '), /so too good/);
  });

  it('gains nothing by selecting among noise, though its own samples say so', () => {
    // Candidates that differ from each other by chance alone: the best by half of the samples is no better on the others.
    const draw = gaussians(11);
    const labels = Array.from({ length: 400 }, (_, i) => i % 2);
    const candidates = Array.from({ length: 20 }, (_, c) => ({
      id: `${c}`,
      rows: toRows({
        kind: 'classes',
        form: 'probabilities',
        samples: 400,
        width: 2,
        values: labels.flatMap(() => {
          const p = 1 / (1 + Math.exp(-0.3 * draw()));
          return [Math.log(p), Math.log(1 - p)];
        }),
        targets: labels,
        reason: null,
      })!,
    }));
    const [first] = candidates;
    const { selection } = judgedSelection(candidates, 'probability', 1, lossesOf(first!.rows));
    const { value, standardError } = selection.expectedGain!;
    assert.ok(Math.abs(value) < 3 * standardError, `${value} ± ${standardError}`);
    assert.equal(selection.verdict, 'no-gain');
    const own = mean(candidates.map((c) => mean(lossesOf(c.rows)))) - selection.taken[0]!.loss;
    assert.ok(own > Math.max(0, value), 'by the samples that selected it the choice seems worth more');
  });

  it('of regressions averages their values, and refuses probabilities of them', async () => {
    const x = gaussianRows(25, 3, 6);
    const y = x.map((row) => row[0]! - row[1]! + 0.1);
    const regression: Problem = { ...linearRegression(x, y), samples: (s) => (s === 'train' ? 25 : 10) };
    const lines = Array.from({ length: 4 }, () => Array.from({ length: 3 }, next));
    const result = await ask(setUp(regression, lines));
    assert.equal(result.combine, 'mean');
    const value = (w: readonly number[], row: readonly number[]): number =>
      row.reduce((s, v, k) => s + v * w[k]!, 0);
    const expected = mean(
      x.slice(0, 10).map((row, i) => (mean(lines.map((w) => value(w, row))) - y[i]!) ** 2),
    );
    near(result.score.validation!.loss, expected);
    near(result.byCount!.at(-1)!.loss, expected);
    assert.equal(result.byCount![0]!.accuracy, null);
    assert.equal(result.diversity!.measure, 'euclidean');
    assert.equal(result.diversity!.disagreement, null);
    near(
      result.diversity!.pairs[0]!.distance,
      mean(x.slice(0, 10).map((row) => Math.abs(value(lines[0]!, row) - value(lines[1]!, row)))),
    );
    await assert.rejects(ask(setUp(regression, lines), { combine: 'logit' }), { code: 'bad-input' });
    await assert.rejects(ask(setUp(), { combine: 'mean' }), {
      code: 'bad-input',
      cure: /probability or logit/,
    });
  });

  it('takes the latest snapshots by default, and all of them, thinned, to select from', () => {
    const snapshots = Array.from({ length: 120 }, (_, step) => ({ step, vector: '', loss: null }));
    assert.deepEqual(
      usualMembers(snapshots, undefined, false).map((s) => s.step),
      [115, 116, 117, 118, 119],
    );
    assert.equal(usualMembers(snapshots, 3, true).length, 3);
    const thinned = usualMembers(snapshots, undefined, true).map((s) => s.step);
    assert.deepEqual([thinned.length, new Set(thinned).size, thinned[0], thinned.at(-1)], [50, 50, 0, 119]);
  });

  it('is refused without predictions, without members, with too many, without samples to select by', async () => {
    const set = setUp();
    await assert.rejects(ask(set, { members: set.members.slice(0, 1) }), { code: 'bad-input' });
    const many = Array.from({ length: 51 }, () => set.members[0]!);
    await assert.rejects(ask(set, { members: many }), { code: 'bad-input', cure: /at most 50/ });
    await assert.rejects(
      ask(
        setUp(diagonalQuadratic([1, 2]), [
          [1, 2],
          [3, 4],
        ]),
      ),
      { code: 'unsupported', cure: /Average/ },
    );
    const blind = setUp({ ...problem, samples: (s) => (s === 'train' ? 30 : 0) });
    await assert.rejects(ask(blind, { select: 2 }), { code: 'unsupported', cure: /Name the members/ });
    assert.equal((await ask(blind)).data.split, 'train');
    const context = testContext();
    set.evaluator.before = (method) => method === 'predictions' && context.controller.abort();
    await assert.rejects(ask(set, {}, context), isCancelled);
    assert.deepEqual(set.evaluator.held, []);
  });
});

describe('predictions put together', () => {
  const rows = (...distributions: number[][]) =>
    toRows({
      kind: 'classes',
      form: 'probabilities',
      samples: distributions.length,
      width: 2,
      values: distributions.flat().map(Math.log),
      targets: distributions.map(() => 0),
      reason: null,
    })!;

  it('have the entropy of the mean, at least the mean of the entropies', () => {
    const [a, b] = [rows([0.9, 0.1], [1, 0]), rows([0.2, 0.8], [0, 1])];
    const both = entropiesOf(together([a, b], 'probability'));
    const binary = (p: number): number => -p * Math.log(p) - (1 - p) * Math.log(1 - p);
    near(both[0], binary(0.55));
    near(both[1], Math.LN2);
    assert.deepEqual(entropiesOf(a)[1], 0);
    assert.ok(both[0]! >= (entropiesOf(a)[0]! + entropiesOf(b)[0]!) / 2);
  });
});
