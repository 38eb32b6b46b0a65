/** Training that stands still at a debugger's word, inside of a step and between two, and what was looked at changes nothing. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { mersenne } from 'pure-rand/generator/mersenne';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import type { TrainingConnection } from '../../../src/evaluators/connection.ts';
import { attach } from '../../../src/evaluators/openEvaluator.ts';
import type { Run } from '../../../src/runs/run.ts';
import { needs } from '../../harness/requires.ts';
import { Recording, type Backend } from './recording.ts';

const gone = { whenGone: 'continue' } as const;
const quiet = { norms: false, ...gone } as const;

async function attached(run: Run, objective = 0): Promise<TrainingConnection> {
  for (;;) {
    const connection = await attach(run, objective);
    if (connection !== null) return connection;
    await sleep(20);
  }
}

describe('standing still inside of training', function () {
  this.timeout(180_000);
  const recording = new Recording();
  before(() => recording.build());
  const atEnd: (() => void)[] = [];
  after(() => {
    for (const end of atEnd) end();
    recording.close();
  });

  it('waits before the first update for its debugger, steps, and shows the gradient before it is applied', async () => {
    const { training, ended } = await recording.start('fit.cjs', 'cpu', { standFirst: true });
    const driver = await attached(training.run);
    const entry = await driver.pause(gone);
    assert.deepEqual([entry.reason, entry.place, entry.step], ['entry', 'gradient', 0]);
    assert.equal(entry.values?.step, 0);
    assert.equal(typeof entry.values?.loss, 'number');

    // The gradient that stands there is that of the loss at these weights on this batch; SGD-free check by its norm.
    const { norm } = await driver.load({ into: 'g', from: 'gradient' });
    assert.ok(Math.abs(norm / Number(entry.values?.gradientNorm) - 1) < 1e-5);
    const { parameters } = await driver.statistics({ vector: 'g' });
    assert.equal(parameters.length, driver.description.objective.parameters.length);
    assert.ok(Math.abs(Math.hypot(...parameters.map((p) => p.norm)) / norm - 1) < 1e-5);
    assert.ok(parameters.every((p) => p.nonFinite === 0));
    await driver.load({ into: 'before', from: 'current' });
    await assert.rejects(driver.assign({ vector: 'before' }), { code: 'not-allowed', cure: /Step Over/ });

    const boundary = await driver.proceed({ ...quiet, target: { place: 'boundary', step: 1 } });
    assert.deepEqual([boundary.reason, boundary.place, boundary.step], ['steps', 'boundary', 1]);
    assert.equal(boundary.values?.step, 0);
    await driver.load({ into: 'after', from: 'current' });
    const moved = { coefficient: -1, vector: 'before' };
    const { norm: update } = await driver.combine({
      into: 'u',
      terms: [{ coefficient: 1, vector: 'after' }, moved],
      state: null,
    });
    assert.ok(update > 0, 'the update happened');
    await assert.rejects(driver.load({ into: 'g', from: 'gradient' }), { code: 'not-allowed' });

    const third = await driver.proceed({ ...quiet, norms: true, target: { place: 'boundary', step: 3 } });
    assert.equal(third.step, 3);
    const fourth = await driver.proceed({ ...quiet, norms: true, target: { place: 'gradient', step: 3 } });
    assert.deepEqual([fourth.place, fourth.step, fourth.values?.step], ['gradient', 3, 3]);
    assert.equal(typeof fourth.values?.gradientNorm, 'number');
    assert.equal(typeof fourth.values?.updateNorm, 'number');

    const epoch = await driver.proceed({ ...quiet, target: { place: 'gradient', epoch: true } });
    assert.equal(epoch.reason, 'epoch');
    assert.equal(epoch.values?.epoch, 1);
    assert.equal(epoch.step, 5, 'fit.cjs has five steps an epoch');

    await assert.rejects((await attached(training.run)).pause(gone), { code: 'busy' });
    await driver.snapshot({});
    const { file } = (await training.run.snapshots(0)).find((s) => s.step === 5) ?? { file: '' };
    await driver.load({ into: 'kept', from: { file } });
    await driver.load({ into: 'now', from: 'current' });
    const { norm: apart } = await driver.combine({
      into: 'd',
      terms: [
        { coefficient: 1, vector: 'kept' },
        { coefficient: -1, vector: 'now' },
      ],
      state: null,
    });
    assert.equal(apart, 0, 'the snapshot is of the weights that stand');

    await until(async () => (await training.run.readManifest()).state === 'paused');
    await driver.detach({});
    const { manifest, output } = await ended;
    assert.equal(manifest.state, 'finished');
    assert.equal(output, recording.plain('fit.cjs', 'cpu').output);
  });

  it('goes back to a checkpoint: the same batches then give the same weights again', async () => {
    // Three batches in turn and no noise: what follows depends on weights and optimizer alone.
    const { training, ended } = await recording.start('minimize.mjs', 'cpu', {
      standFirst: true,
      environment: recording.environment('cpu', { DROPOUT: '0' }),
    });
    const driver = await attached(training.run);
    await driver.pause(gone);
    await driver.proceed({ ...quiet, target: { place: 'boundary', step: 3 } });
    await driver.load({ into: 'third', from: 'current' });
    const kept = await driver.checkpoint({ name: 'three' });
    assert.equal(kept.step, 3);
    assert.ok(kept.restored.includes("the optimizer's state"));
    assert.match(kept.notRestored.join(), /Math\.random.*position in the data/);
    await driver.proceed({ ...quiet, target: { place: 'boundary', step: 6 } });
    await driver.load({ into: 'sixth', from: 'current' });
    await driver.rewind({ name: 'three' });
    const apart = async (a: string): Promise<number> => {
      await driver.load({ into: 'now', from: 'current' });
      const terms = [
        { coefficient: 1, vector: a },
        { coefficient: -1, vector: 'now' },
      ];
      return (await driver.combine({ into: 'd', terms, state: null })).norm;
    };
    assert.equal(await apart('third'), 0, 'the weights are back');
    const again = await driver.proceed({ ...quiet, target: { place: 'boundary', step: 9 } });
    assert.equal(again.step, 9, 'steps are counted on');
    assert.equal(
      await apart('sixth'),
      0,
      'three steps on are the same three steps: momentum is back as well',
    );
    await assert.rejects(driver.rewind({ name: 'none' }), { code: 'not-found' });
    await driver.assign({ vector: 'third' });
    assert.equal(await apart('third'), 0);
    driver.close();
    const { manifest } = await ended;
    assert.equal(manifest.state, 'finished');
    assert.match(manifest.recording.notes.join(), /At step 6 the weights were put back to those of step 3/);
  });

  it('goes back before the first update with every stock optimizer, and tells of objectives that come later', async () => {
    const { training, ended } = await recording.start('optimizers.mjs', 'cpu', { standFirst: true });
    const hold = { norms: false, whenGone: 'hold' } as const;
    // What stands for good is not left behind by a test that fails.
    atEnd.push(() => {
      training.kill('SIGKILL');
    });
    for (let objective = 0; objective < 18; objective++) {
      const driver = await attached(training.run, objective);
      await driver.pause({ whenGone: 'hold' });
      await driver.load({ into: 'start', from: 'current' });
      await driver.checkpoint({ name: `start of ${objective}` });
      const trained: number[][] = [];
      for (const until of [3, 6]) {
        const steps = [];
        for (let step = until - 3; step < until;) {
          const at = await driver.proceed({ ...hold, target: { place: 'boundary', step: ++step } });
          assert.deepEqual([at.step, at.values?.objective], [step, objective]);
          const { norm } = await driver.load({ into: 'now', from: 'current' });
          const [from] = (await driver.dots({ pairs: [['now', 'start']] })).values;
          steps.push(norm, from ?? NaN);
        }
        trained.push(steps);
        if (until === 3) {
          const { restored } = await driver.rewind({ name: `start of ${objective}` });
          assert.deepEqual(restored, ['weights', "the optimizer's state"]);
        }
      }
      const name = (await driver.status({})).optimizer?.name;
      assert.deepEqual(trained[1], trained[0], `${name} starts from what it has started from`);
      if (objective === 17) await driver.detach({});
      else {
        // Its own goal is never reached: the next objective's first gradient is.
        const other = await driver.proceed({ ...hold, target: { place: 'boundary', step: 7 } });
        assert.deepEqual([other.reason, other.values?.objective], ['steps', objective + 1]);
        driver.close();
      }
    }
    const { manifest } = await ended;
    assert.deepEqual([manifest.state, manifest.objectives.length], ['finished', 18]);
  });

  it('stands until another debugger comes where it was told so, and trains on otherwise', async () => {
    const { training, ended } = await recording.start('fit.cjs', 'cpu', { standFirst: true });
    const first = await attached(training.run);
    await first.pause({ whenGone: 'hold' });
    first.close();
    await sleep(600);
    assert.equal((await training.run.readManifest()).state, 'paused');
    const second = await attached(training.run);
    assert.equal((await second.status({})).state, 'paused');
    const standing = await second.pause({ whenGone: 'continue' });
    assert.equal(standing.step, 0);
    // Gone in the middle of a way: nobody is there to stop for.
    const way = second.proceed({ ...quiet, target: { place: 'boundary', step: 1e6 } });
    await sleep(50);
    second.close();
    await assert.rejects(way);
    assert.equal((await ended).manifest.state, 'finished');
  });

  it('tells who drives that the script has ended', async () => {
    const { training, ended } = await recording.start('fit.cjs', 'cpu', {
      standFirst: true,
      holdSeconds: 60,
    });
    const driver = await attached(training.run);
    await driver.pause(gone);
    const last = await driver.proceed({ ...quiet, target: { place: 'boundary' } });
    assert.deepEqual([last.reason, last.step, last.values?.step], ['ended', 20, 19]);
    assert.equal((await driver.status({})).state, 'held');
    await driver.resume({});
    assert.equal((await ended).manifest.state, 'finished');
  });

  const everyKind = ['fit.cjs', 'fit-dataset.mjs', 'minimize.mjs', 'apply-gradients.ts', 'regression.mjs'];
  const where = { tensorflow: everyKind, wasm: ['fit.cjs', 'minimize.mjs'] } satisfies Partial<
    Record<Backend, string[]>
  >;
  for (const [backend, kinds] of Object.entries(where) as [Backend, string[]][]) {
    for (const script of kinds) {
      it(`trains bit for bit as without 20 stops with questions: ${script} (${backend})`, async function () {
        if (backend === 'tensorflow') needs(this, 'tfjs-node');
        const more = { EPOCHS: '8', STEPS: '40' };
        const { training, ended } = await recording.start(script, backend, {
          standFirst: true,
          holdSeconds: 60,
          environment: recording.environment(backend, more),
        });
        const driver = await attached(training.run);
        let standing = await driver.pause(gone);
        const random = mersenne(backend.length + script.length);
        const how = { data: { split: 'train' }, mode: 'as-trained', refresh: false } as const;
        let stops = 0;
        for (; stops < 20 && standing.reason !== 'ended'; stops++) {
          await driver.load({ into: 'w', from: 'current' });
          if (standing.place === 'gradient') await driver.load({ into: 'g', from: 'gradient' });
          await driver.gradient({ at: 'w', into: 'h', how });
          await driver.hvp({ at: 'w', vector: 'h', into: 'hv', how, method: 'auto' });
          await driver.loss({ origin: 'w', directions: ['h'], coefficients: [[0.1]], how });
          await driver.checkpoint({ name: 'here' });
          const place = uniformInt(random, 0, 1) === 0 ? 'gradient' : 'boundary';
          const ahead =
            uniformInt(random, 1, 2) - (standing.place === 'boundary' && place === 'gradient' ? 1 : 0);
          const target = { place, step: standing.step + ahead } as const;
          standing = await driver.proceed({ ...quiet, norms: stops % 2 === 0, target });
        }
        assert.ok(stops >= 20, `only ${stops} stops`);
        if (standing.reason === 'ended') await driver.resume({});
        else {
          await driver.detach({});
          await until(async () => (await training.run.readManifest()).state === 'held');
          await driver.resume({});
        }
        const { output, errors, manifest } = await ended;
        assert.equal(manifest.state, 'finished', errors);
        assert.equal(output, recording.plain(script, backend, more).output);
      });
    }
  }
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(20);
}
