/** Batches drawn from a TensorFlow.js script's own training data, in processes that were started again and held. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Evaluator } from '../../../src/analysis/evaluator.ts';
import { attach } from '../../../src/evaluators/openEvaluator.ts';
import { relaunch } from '../../../src/evaluators/relaunch.ts';
import type { Run } from '../../../src/runs/run.ts';
import { Recording } from '../probe-record/recording.ts';

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (await condition()) return;
    await sleep(100);
  }
  throw new Error('it did not happen in time');
}

/** Loss of each drawn batch by itself, and of all. */
async function losses(
  evaluator: Evaluator,
  count: number,
  mode: 'inference' | 'as-trained',
): Promise<{ each: number[]; whole: number }> {
  const ask = async (batches?: readonly [number, number]): Promise<number> => {
    const data = { split: 'train', drawn: 'd', ...(batches === undefined ? {} : { batches }) } as const;
    const how = { data, mode, refresh: false };
    const { points } = await evaluator.loss({ origin: 'w', directions: [], coefficients: [[]], how });
    return points[0]?.loss ?? NaN;
  };
  const each: number[] = [];
  for (let i = 0; i < count; i++) each.push(await ask([i, i + 1]));
  return { each, whole: await ask() };
}

describe('training batches drawn in TensorFlow.js', function () {
  this.timeout(180_000);
  const recording = new Recording();
  before(() => recording.build());
  after(() => {
    recording.close();
  });
  const draw = (evaluator: Evaluator, from: number, count: number, seed = 1) =>
    evaluator.draw({ into: 'd', seed, from, count });
  const first = async (run: Run) => {
    const [snapshot] = await run.snapshots(0);
    return { file: snapshot?.file ?? '' };
  };

  /** What both kinds of process must answer, from the tensors of fit and its cut for validation. */
  async function checkFit(evaluator: Evaluator, run: Run): Promise<number[]> {
    await evaluator.load({ into: 'w', from: await first(run) });
    const { source, samples } = await draw(evaluator, 0, 5);
    assert.deepEqual(source, { kind: 'tensors', samples: 160, batches: 5, reason: null });
    assert.equal(samples, 160);
    const a = await losses(evaluator, 5, 'inference');
    await draw(evaluator, 5, 5);
    const b = await losses(evaluator, 5, 'inference');
    // Every sample once in each epoch, in other batches.
    assert.ok(Math.abs(a.whole - b.whole) <= 1e-5 * a.whole);
    assert.equal(new Set([...a.each, ...b.each]).size, 10);
    await draw(evaluator, 3, 4);
    assert.deepEqual((await losses(evaluator, 4, 'inference')).each, [
      ...a.each.slice(3),
      ...b.each.slice(0, 2),
    ]);
    await draw(evaluator, 0, 5, 2);
    assert.ok((await losses(evaluator, 5, 'inference')).each.every((x) => !a.each.includes(x)));
    // Noise: the same at one position, however often; another at another.
    await draw(evaluator, 0, 2);
    const noisy = (await losses(evaluator, 2, 'as-trained')).each;
    assert.deepEqual((await losses(evaluator, 2, 'as-trained')).each, noisy);
    await draw(evaluator, 0, 2);
    assert.deepEqual((await losses(evaluator, 2, 'as-trained')).each, noisy);
    return [...a.each, ...noisy];
  }

  it('are the tensors of fit, shuffled anew in each epoch, in a process started again and in a held one alike', async () => {
    const { training, ended } = await recording.start('held.cjs', 'cpu', { holdSeconds: 60, every: 1 });
    await until(async () => (await training.run.readManifest()).state === 'held');
    const held = await attach(training.run, 0);
    assert.ok(held !== null);
    await held.load({ into: 'before', from: 'current' });
    const answers = await checkFit(held, training.run);
    const how = { data: { split: 'train', drawn: 'd' }, mode: 'as-trained', refresh: false } as const;
    for (let i = 0; i < 3; i++) await held.gradient({ at: 'w', into: 'g', how, keepState: true });
    await held.load({ into: 'after', from: 'current' });
    const terms = [
      { coefficient: 1, vector: 'after' },
      { coefficient: -1, vector: 'before' },
    ];
    assert.equal((await held.combine({ into: 'moved', terms, state: null })).norm, 0);
    await held.resume({});
    const { manifest, output, run } = await ended;
    // Weights, memory, the next draw of Math.random and the dropout layer's seed are those of a process without Basin.
    assert.equal(output, recording.plain('held.cjs', 'cpu').output);
    const { evaluator, close } = await relaunch(run, manifest, 0, {
      probes: recording.probes,
      environment: recording.environment('cpu'),
    });
    try {
      assert.deepEqual(await checkFit(evaluator, run), answers);
    } finally {
      await close();
    }
  });

  it('leave fresh noise to layers with a seed of their own', async () => {
    const { run, manifest } = await recording.record('held.cjs', 'cpu', { every: 1 });
    const { evaluator, close } = await relaunch(run, manifest, 0, {
      probes: recording.probes,
      environment: recording.environment('cpu'),
    });
    try {
      await evaluator.load({ into: 'w', from: await first(run) });
      // The recorded batch and the same samples drawn anew differ by dropout alone; position decides which.
      const seen = new Set<number>();
      for (const from of [0, 5, 10]) {
        await draw(evaluator, from, 5);
        seen.add((await losses(evaluator, 0, 'as-trained')).whole);
      }
      assert.equal(seen.size, 3);
      const how = { data: { split: 'train', drawn: 'd' }, refresh: false } as const;
      await evaluator.combine({ into: 'copy', terms: [{ coefficient: 1, vector: 'w' }], state: 'w' });
      const score = async (name: string) =>
        (
          await evaluator.score({
            members: [name],
            how: { data: { split: 'train' }, mode: 'inference', refresh: false },
          })
        ).loss;
      const kept = await score('w');
      await evaluator.gradient({ at: 'w', into: 'g', how: { ...how, mode: 'as-trained' } });
      assert.equal(await score('w'), kept);
      // Running averages move as a training step moves them: the same weights then score differently.
      await evaluator.gradient({ at: 'w', into: 'g', how: { ...how, mode: 'as-trained' }, keepState: true });
      assert.notEqual(await score('w'), kept);
      assert.equal(await score('copy'), kept);
      await assert.rejects(
        evaluator.gradient({ at: 'w', into: 'g', how: { ...how, mode: 'inference' }, keepState: true }),
        { code: 'bad-input' },
      );
      await assert.rejects(evaluator.draw({ into: 'd', seed: 1, from: -1, count: 1 }), { code: 'bad-input' });
    } finally {
      await close();
    }
  });

  describe('from the data set of fitDataset, gone through once', () => {
    /** Records a kind of data-sets.mjs at every step, and starts it again. */
    const ofKind = async (kind: string, check: (evaluator: Evaluator, run: Run) => Promise<void>) => {
      const environment = recording.environment('cpu', { KIND: kind });
      const { run, manifest } = await recording.record('data-sets.mjs', 'cpu', { every: 1, environment });
      const options = { probes: recording.probes, environment };
      const { evaluator, close } = await relaunch(run, manifest, 0, options);
      try {
        await evaluator.load({ into: 'w', from: await first(run) });
        await check(evaluator, run);
        // It goes on answering whatever else is asked.
        assert.equal((await evaluator.status({})).state, 'frozen');
      } finally {
        await close();
      }
    };
    /** Loss of each recorded batch. */
    const recorded = async (evaluator: Evaluator): Promise<number[]> => {
      const found: number[] = [];
      for (let i = 0; i < (evaluator.description.train?.batches ?? 0); i++) {
        const data = { split: 'train', batches: [i, i + 1] } as const;
        const how = { data, mode: 'inference', refresh: false } as const;
        const { points } = await evaluator.loss({ origin: 'w', directions: [], coefficients: [[]], how });
        found.push(points[0]?.loss ?? NaN);
      }
      return found;
    };

    for (const [kind, what, samples] of [
      ['fixed', 'in its fixed order', 70],
      ['weighted', 'with class weights', 70],
      ['ragged', 'of batches of several shapes', 40],
    ] as const) {
      it(`${what}: the very batches that training took, and on in the same order`, async () => {
        await ofKind(kind, async (evaluator) => {
          const taken = await recorded(evaluator);
          const epoch = samples === 70 ? 5 : 4;
          // The evaluation set has each sample once.
          assert.equal(taken.length, epoch);
          const { source, samples: drawn } = await draw(evaluator, 0, epoch);
          assert.deepEqual(source, { kind: 'loader', samples, batches: epoch, reason: null });
          assert.equal(drawn, samples);
          assert.deepEqual((await losses(evaluator, epoch, 'inference')).each, taken);
          await draw(evaluator, epoch + 2, 3);
          const on = [2, 3, 4].map((i) => taken[i % epoch]);
          assert.deepEqual((await losses(evaluator, 3, 'inference')).each, on);
          assert.equal(new Set(taken).size, epoch);
        });
      });
    }

    it('shuffled where it shuffles: every sample once an epoch, by the seed', async () => {
      await ofKind('shuffled', async (evaluator) => {
        const { source } = await draw(evaluator, 0, 5);
        assert.deepEqual([source.kind, source.samples, source.batches], ['loader', 70, 5]);
        assert.match(source.reason ?? '', /stays as it was in one pass/);
        const a = await losses(evaluator, 5, 'inference');
        await draw(evaluator, 5, 5);
        const b = await losses(evaluator, 5, 'inference');
        assert.ok(Math.abs(a.whole - b.whole) <= 1e-5 * a.whole);
        assert.equal(new Set([...a.each, ...b.each]).size, 10);
        await draw(evaluator, 0, 5);
        assert.deepEqual(await losses(evaluator, 5, 'inference'), a);
        await draw(evaluator, 0, 5, 2);
        assert.notDeepEqual((await losses(evaluator, 5, 'inference')).each, a.each);
      });
    });

    it('as many batches of an endless one as make its epoch', async () => {
      await ofKind('endless', async (evaluator) => {
        const { source } = await draw(evaluator, 0, 9);
        assert.deepEqual(source, { kind: 'loader', samples: 144, batches: 9, reason: null });
      });
    });

    it('or the recorded ones where it fails, with what it said', async () => {
      await ofKind('broken', async (evaluator) => {
        const { source } = await draw(evaluator, 0, 1);
        assert.equal(source.kind, 'recorded');
        assert.match(
          source.reason ?? '',
          /going through the data set of fitDataset\(\) failed: .*the disk is gone/,
        );
      });
    });

    it('is out of reach of a process that is held at its end, which says so', async () => {
      const options = { holdSeconds: 60, every: 1 };
      const { training, ended } = await recording.start('data-sets.mjs', 'cpu', options);
      await until(async () => (await training.run.readManifest()).state === 'held');
      const held = await attach(training.run, 0);
      assert.ok(held !== null);
      const { source } = await draw(held, 0, 1);
      assert.equal(source.kind, 'recorded');
      assert.match(source.reason ?? '', /held at its end .*starts the script again/);
      await held.resume({});
      const { output } = await ended;
      assert.equal(output, recording.plain('data-sets.mjs', 'cpu').output);
    });
  });

  it('are the recorded ones of a loop of its own, and say why', async () => {
    const { run, manifest } = await recording.record('minimize.mjs', 'cpu', { every: 1 });
    const { evaluator, close } = await relaunch(run, manifest, 0, {
      probes: recording.probes,
      environment: recording.environment('cpu'),
    });
    try {
      const { source } = await draw(evaluator, 0, 1);
      assert.equal(source.kind, 'recorded');
      assert.equal(source.samples, evaluator.description.train?.samples);
      assert.match(source.reason ?? '', /fit\(\)/);
    } finally {
      await close();
    }
  });
});
