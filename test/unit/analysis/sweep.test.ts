/** Many averages at once: each against its direct computation, what it reads and holds, and whether choosing pays. */
import assert from 'node:assert/strict';
import { average, chooseMembers, memberWeights } from '../../../src/analysis/average.ts';
import { inBlocks } from '../../../src/analysis/blockMeans.ts';
import { sweep } from '../../../src/analysis/sweep.ts';
import { isCancelled } from '../../../src/protocol/errors.ts';
import { gaussianRows, gaussians } from '../../fixtures/gaussian.ts';
import { classifier, diagonalQuadratic, type Problem } from '../../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../../fixtures/referenceEvaluator.ts';

const mode = 'inference' as const;
const labelled = (rows: number, seed: number, noise = 0) => {
  const x = gaussianRows(rows, 4, seed);
  const flips = gaussians(seed + 100);
  return { x, labels: x.map((row) => (row[0]! + noise * flips() > 0 ? 0 : 1)) };
};
const normed = classifier({
  units: [4, 5, 2],
  activation: 'tanh',
  bias: true,
  batchNorm: true,
  train: labelled(25, 1),
  validation: labelled(40, 2),
});
/** Softmax regression: its weights are w(0,0), w(0,1), … with two classes. */
const softmax = classifier({
  units: [4, 2],
  activation: 'tanh',
  bias: false,
  train: labelled(60, 3, 0.3),
  validation: labelled(400, 4, 0.3),
});
const next = gaussians(3);
const random = Array.from({ length: 9 }, () => Array.from({ length: 37 }, next));

function setUp(problem: Problem, weights: readonly (readonly number[])[]) {
  const evaluator = new ReferenceEvaluator(problem, { batchSize: 10 });
  const snapshots = weights.map((w, i) => ({
    step: 10 * i,
    vector: evaluator.put(`step-${10 * i}`, w, problem.statistics?.(w, 0, 25) ?? []),
    loss: null,
  }));
  return { evaluator, snapshots };
}
const asked = {
  places: 20,
  decays: [] as number[],
  mode,
  scratch: (block: number) => `scratch/${block}`,
};
/** Iterates that jump around a good solution, as SGD with a large rate does. */
const around = (spread: number, seed: number, count = 24): number[][] => {
  const draw = gaussians(seed);
  const centre = [2, -2, 0, 0, 0, 0, 0, 0];
  return Array.from({ length: count }, () => centre.map((c) => c + spread * draw()));
};

describe('sweep over averages', () => {
  it('scores every window and moving average as building it alone does, batch norm included', async () => {
    const { evaluator, snapshots } = setUp(normed, random);
    const decays = [0.5, 0.8, 0.9];
    const result = await sweep(evaluator, { ...asked, snapshots, places: 4, decays }, testContext());
    assert.deepEqual(result.blocks, [
      { from: 0, to: 10, snapshots: 2 },
      { from: 20, to: 40, snapshots: 3 },
      { from: 50, to: 60, snapshots: 2 },
      { from: 70, to: 80, snapshots: 2 },
    ]);
    assert.equal(result.windows.length, 10);
    assert.deepEqual(
      result.moving.map((c) => c.decay),
      decays,
    );
    for (const candidate of [...result.windows, ...result.moving]) {
      const alone = setUp(normed, random);
      const { decay, from, to } = candidate;
      const window = { from, to, ...(decay === null ? {} : { ema: decay }) };
      const model = { id: 'average-1', file: 'average-1', metadata: {} };
      const built = await average(
        alone.evaluator,
        { snapshots: alone.snapshots, window, mode, model },
        testContext(),
      );
      assert.equal(built.members.length, candidate.snapshots);
      for (const split of ['train', 'validation'] as const) {
        const [one, other] = [candidate.score[split]!, built.score[split]!];
        assert.ok(Math.abs(one.loss! - other.loss!) < 1e-12, `${from} to ${to}, ${decay}`);
        assert.equal(one.accuracy, other.accuracy);
        assert.equal(one.samples, other.samples);
      }
      const gain = built.baseline.validation!.loss! - candidate.score.validation!.loss!;
      assert.ok(Math.abs(candidate.gain!.value - gain) < 1e-12);
    }
    assert.equal(result.refreshedStatistics, true);
    assert.deepEqual(evaluator.held, []);
  });

  for (const [what, places, windows] of [
    ['blocks of several snapshots', 7, 28],
    ['blocks of one snapshot', 20, 105],
  ] as const) {
    it(`loads each snapshot once, and never holds more than four vectors: ${what}`, async () => {
      const { evaluator, snapshots } = setUp(softmax, around(1, 5, 15));
      let most = 0;
      evaluator.before = () => (most = Math.max(most, evaluator.held.length));
      const result = await sweep(
        evaluator,
        { ...asked, snapshots, places, decays: [0.5, 0.9] },
        testContext(),
      );
      assert.equal(result.windows.length, windows);
      assert.equal(most, 4);
      const [snapshotReads, blockReads] = [new Map<string, number>(), new Map<string, number>()];
      for (const { method, params } of evaluator.calls) {
        if (method !== 'load' && method !== 'combine') continue;
        for (const [, file] of JSON.stringify(params).matchAll(/"file":"([^"]+)"/g)) {
          const reads = file!.startsWith('step-') ? snapshotReads : blockReads;
          reads.set(file!, (reads.get(file!) ?? 0) + 1);
        }
      }
      assert.deepEqual([...snapshotReads.values()], new Array(15).fill(1));
      assert.equal(snapshotReads.size, 15);
      // Three windows take in a block together: the last block is read by a third of them.
      assert.equal(Math.max(...blockReads.values()), Math.ceil(result.blocks.length / 3));
    });
  }

  it('finds that averaging pays where iterates jump around a solution', async () => {
    for (const seed of [11, 12, 13]) {
      const { evaluator, snapshots } = setUp(softmax, around(1.5, seed));
      const result = await sweep(evaluator, { ...asked, snapshots }, testContext());
      assert.equal(result.verdict, 'gain', result.trust[0]);
      assert.ok(result.expectedGain!.value > 0 && result.best!.snapshots > 2);
      assert.match(result.trust[0]!, /^Averaging pays/);
      assert.ok(result.expectedGain!.value <= result.best!.gain!.value + 1e-12);
    }
  });

  it('says so where a lower loss comes of other confidence alone, by as many right answers', async () => {
    // One direction in which only the size of the logits changes: late snapshots are far too sure of themselves.
    const grown = Array.from({ length: 12 }, (_, i) => [2, -2, 0, 0, 0, 0, 0, 0].map((c) => c * (1 + 2 * i)));
    const { evaluator, snapshots } = setUp(softmax, grown);
    const result = await sweep(evaluator, { ...asked, snapshots }, testContext());
    assert.equal(result.verdict, 'gain', result.trust[0]);
    assert.deepEqual(result.best!.accuracyGain, { value: 0, standardError: 0 });
    const said = result.trust.join(' ');
    assert.match(said, /More right answers are not shown: accuracy is the same\. What is gained is how sure/);
    assert.match(said, /\(expected calibration error 0\.\d+, of the last snapshot 0\.\d+\)/);
    assert.ok(result.best!.calibrationError! < result.last.calibrationError!);
  });

  it('tells the gain in accuracy, paired', async () => {
    const { evaluator, snapshots } = setUp(softmax, around(1.5, 11));
    const { best, last, trust } = await sweep(evaluator, { ...asked, snapshots }, testContext());
    const { value, standardError } = best!.accuracyGain!;
    assert.ok(Math.abs(value - (best!.score.validation!.accuracy! - last.validation!.accuracy!)) < 1e-12);
    // Of ones and zeros and minus ones over 400 samples.
    const { samples } = last.validation!;
    const changed = standardError ** 2 * (samples - 1) + value ** 2;
    assert.ok(
      Math.abs(changed * samples - Math.round(changed * samples)) < 1e-6 && changed >= Math.abs(value),
    );
    assert.equal(/More right answers are not shown/.test(trust.join(' ')), value <= 2 * standardError);
  });

  it('holds the best average against its own iterates, and names what the path says', async () => {
    const { evaluator, snapshots } = setUp(softmax, around(1.5, 5));
    const stretch = {
      from: 120,
      to: 230,
      points: 100,
      rounds: 20,
      turning: 118,
      spread: 1,
      begin: 1,
      drift: 0.1,
      loss: null,
    };
    const circling = { verdict: 'circling', stretch } as const;
    const result = await sweep(evaluator, { ...asked, snapshots, places: 6, circling }, testContext());
    const { best, besideIterates: beside, trust } = result;
    // Six of the snapshots of the stretch, spread evenly, and the ends of blocks; of these, the ones that are in the best average.
    const scored = new Set([120, 140, 160, 190, 210, 230, ...result.blocks.map(({ to }) => to)]);
    const chosen = [...scored].filter((s) => s >= best!.from && s <= best!.to);
    assert.equal(beside!.iterates, chosen.length);
    const losses: { train: number; validation: number }[] = [];
    for (const at of chosen) {
      await evaluator.load({ into: 'w', from: { file: `step-${at}` } });
      const score = async (split: 'train' | 'validation'): Promise<number> =>
        (await evaluator.score({ members: ['w'], how: { data: { split }, mode, refresh: false } })).loss;
      losses.push({ train: await score('train'), validation: await score('validation') });
    }
    const meanOf = (split: 'train' | 'validation'): number =>
      losses.reduce((s, l) => s + l[split], 0) / losses.length - best!.score[split]!.loss!;
    assert.ok(Math.abs(beside!.gain!.value - meanOf('validation')) < 1e-9);
    assert.ok(Math.abs(beside!.train! - meanOf('train')) < 1e-9);
    assert.ok(beside!.gain!.value > 2 * beside!.gain!.standardError);
    assert.ok(
      trust.some((s) => s.startsWith('From step 120 on SGD circles, so averaging starts to pay there')),
    );
    assert.ok(
      trust.some((s) => /below the mean of \d of its own iterates .*: they lie at the boundary/.test(s)),
    );
  });

  it('tells what stopping earlier is worth by itself, and what averaging adds', async () => {
    // To the minimum, round it, and away: what is best lies in the middle.
    const circled = around(1e-3, 4);
    const away = circled.map((w, i) =>
      w.map((x, k) => x + (i < circled.length / 2 ? 0 : 0.3 * (i - 10) * (k % 2))),
    );
    const { evaluator, snapshots } = setUp(softmax, away);
    const result = await sweep(evaluator, { ...asked, snapshots, places: 6, decays: [] }, testContext());
    const { best, ownLast: own, verdict, trust } = result;
    assert.equal(verdict, 'gain');
    assert.ok(best!.to < snapshots.at(-1)!.step);
    assert.equal(own!.step, best!.to);
    const lossOf = async (file: string): Promise<number> => {
      await evaluator.load({ into: 'w', from: { file } });
      const how = { data: { split: 'validation' as const }, mode, refresh: false };
      return (await evaluator.score({ members: ['w'], how })).loss;
    };
    const alone = (await lossOf(`step-${snapshots.at(-1)!.step}`)) - (await lossOf(`step-${own!.step}`));
    assert.ok(Math.abs(own!.gain!.value - alone) < 1e-9);
    assert.ok(Math.abs(own!.gain!.value + own!.added!.value - best!.gain!.value) < 1e-9);
    assert.match(trust[0]!, /^Stopping earlier pays: the average of/);
    assert.ok(
      trust.some((s) => /by itself is better than .* adds nothing that can be told from noise/.test(s)),
    );
  });

  it('says no gain where the run has been annealed: the snapshots are all but equal', async () => {
    for (const seed of [21, 22, 23, 24, 25, 26]) {
      const { evaluator, snapshots } = setUp(softmax, around(1e-3, seed));
      const result = await sweep(evaluator, { ...asked, snapshots }, testContext());
      // What noise is left gains less than anyone would see.
      assert.ok(Math.abs(result.expectedGain!.value) < 1e-3);
      assert.equal(result.verdict, 'no-gain', result.trust[0]);
      assert.match(result.trust[0]!, /^No gain: the last snapshot is as good/);
    }
  });

  it('does not take the choosing for a gain: the chosen window has no advantage on other samples', async () => {
    // One direction that no sample can see moves at random: every average is exactly as good as the last snapshot.
    const seen = { x: [[1, 0]], labels: [0] };
    const blind = classifier({
      units: [2, 2],
      activation: 'tanh',
      bias: false,
      train: seen,
      validation: labelled2(),
    });
    const draw = gaussians(6);
    const weights = Array.from({ length: 12 }, () => [1, -1, draw(), draw()]);
    const { evaluator, snapshots } = setUp(blind, weights);
    const result = await sweep(evaluator, { ...asked, snapshots }, testContext());
    assert.equal(result.verdict, 'no-gain');
    assert.equal(result.expectedGain!.value, 0);
  });

  it('leaves windows with a snapshot that diverged without a loss, and chooses among the others', async () => {
    const weights = around(1, 7, 6);
    weights[5] = weights[5]!.map(() => NaN);
    const { evaluator, snapshots } = setUp(softmax, weights);
    const result = await sweep(evaluator, { ...asked, snapshots, decays: [0.5] }, testContext());
    assert.equal(result.verdict, 'unknown');
    assert.ok(result.best!.to < 50);
    assert.equal(result.moving[0]!.score.train.loss, null);
    assert.equal(result.last.validation!.loss, null);
  });

  it('without validation, or the loss of single samples, chooses by the loss and does not judge', async () => {
    const only = diagonalQuadratic([1, 4]);
    const { evaluator, snapshots } = setUp(only, [
      [1, 1],
      [-1, -1],
      [3, 3],
    ]);
    const result = await sweep(evaluator, { ...asked, snapshots }, testContext());
    assert.equal(result.verdict, 'unknown');
    assert.deepEqual([result.best!.from, result.best!.to], [0, 10]);
    assert.equal(result.best!.score.train.loss, 0);
    assert.match(result.trust[1]!, /No validation data/);
  });

  it('refuses fewer than two snapshots, and stops when cancelled', async () => {
    const { evaluator, snapshots } = setUp(softmax, around(1, 8, 5));
    const ask = (more: object) => sweep(evaluator, { ...asked, snapshots, ...more }, testContext());
    await assert.rejects(ask({ from: 35, to: 45 }), { code: 'bad-input', message: /there is 1/ });
    await assert.rejects(ask({ from: 90 }), { code: 'bad-input', message: /there are none/ });
    const context = testContext();
    evaluator.before = (_, count) => count === 12 && context.controller.abort();
    await assert.rejects(sweep(evaluator, { ...asked, snapshots }, context), isCancelled);
    assert.deepEqual(evaluator.held, []);
  });
});

function labelled2() {
  const x = Array.from({ length: 20 }, (_, i) => [i % 2 === 0 ? 1 : -1, 0]);
  return { x, labels: x.map((row) => (row[0]! > 0 ? 0 : 1)) };
}

describe('windows and weights of averages', () => {
  it('cuts snapshots into blocks of equal size but for one', () => {
    for (const [n, most] of [
      [100, 20],
      [7, 3],
      [3, 20],
      [11, 10],
    ] as const) {
      const snapshots = Array.from({ length: n }, (_, step) => ({ step, vector: `v${step}`, loss: null }));
      const blocks = inBlocks(snapshots, most);
      assert.equal(blocks.length, Math.min(n, most));
      assert.deepEqual(blocks.flat(), snapshots);
      const sizes = blocks.map((b) => b.length);
      assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1);
    }
  });

  it('weighs a moving average as its recursion does; the latest k are the latest', () => {
    for (const ema of [0.1, 0.5, 0.99]) {
      const values = [3, -1, 4, 1, -5];
      let expected = values[0]!;
      for (const v of values.slice(1)) expected = ema * expected + (1 - ema) * v;
      const weights = memberWeights(values.length, ema);
      assert.ok(Math.abs(weights.reduce((s, w, i) => s + w * values[i]!, 0) - expected) < 1e-14);
      assert.ok(Math.abs(weights.reduce((s, w) => s + w, 0) - 1) < 1e-14);
    }
    const snapshots = Array.from({ length: 10 }, (_, i) => ({ step: 10 * i, vector: `v${i}`, loss: null }));
    const steps = (window: object) => chooseMembers(snapshots, window).map((s) => s.step);
    assert.deepEqual(steps({ last: 3 }), [70, 80, 90]);
    assert.deepEqual(steps({ last: 3, stride: 2, to: 80 }), [40, 60, 80]);
    assert.equal(steps({ ema: 0.9 }).length, 10);
  });
});
