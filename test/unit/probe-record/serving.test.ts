import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../../../src/evaluators/connection.ts';
import { attach } from '../../../src/evaluators/openEvaluator.ts';
import { relaunch } from '../../../src/evaluators/relaunch.ts';
import { decodeNumber } from '../../../src/protocol/run.ts';
import { isAlive } from '../../../src/runs/processes.ts';
import { Recording } from './recording.ts';

const inference = { data: { split: 'train' }, mode: 'inference', refresh: false } as const;

describe('answering from a training process', function () {
  this.timeout(120_000);
  const recording = new Recording();
  before(() => recording.build());
  after(() => {
    recording.close();
  });

  it('holds a run that is done until it is let go, for several at once', async () => {
    const { training, ended } = await recording.start('fit.cjs', 'cpu', { holdSeconds: 60 });
    await until(async () => (await training.run.readManifest()).state === 'held');
    const one = await attach(training.run, 0);
    const two = await attach(training.run, 0);
    assert.ok(one && two);
    assert.equal((await one.status({})).state, 'held');
    assert.equal((await one.status({})).step, 20);

    await one.load({ into: 'w', from: 'current' });
    await assert.rejects(two.dots({ pairs: [['w', 'w']] }), 'names belong to a connection');
    const last = (await training.run.snapshots(0)).find(({ step }) => step === 20);
    assert.ok(last);
    await two.load({ into: 'w', from: { file: last.file } });
    const [a, b] = await Promise.all([
      one.score({ members: ['w'], how: inference }),
      two.score({ members: ['w'], how: inference }),
    ]);
    assert.deepEqual(a, b, 'the last snapshot is the model as it stands');
    assert.equal(a.samples, 160);
    two.close();
    await one.resume({});
    const { manifest, output } = await ended;
    assert.equal(manifest.state, 'finished');
    assert.equal(output, recording.plain('fit.cjs', 'cpu').output);
  });

  it('ends a held run at its time limit', async () => {
    const { manifest } = await recording.record('fit.cjs', 'cpu', { holdSeconds: 1 });
    assert.equal(manifest.state, 'finished');
  });

  it('refuses a wrong token, and another objective than there is', async () => {
    const { training, ended } = await recording.start('fit.cjs', 'cpu', { holdSeconds: 60 });
    await until(async () => (await training.run.readManifest()).state === 'held');
    const endpoint = await training.run.endpoint();
    assert.ok(endpoint);
    await assert.rejects(
      connect({ ...endpoint, token: 'x'.repeat(endpoint.token.length) }, { objective: 0 }),
      {
        code: 'not-allowed',
      },
    );
    await assert.rejects(connect(endpoint, { objective: 3 }), { code: 'not-found' });
    const evaluator = await attach(training.run, 0);
    await evaluator?.resume({});
    await ended;
  });

  for (const [script, objective] of [
    ['fit.cjs', 0],
    ['minimize.mjs', 0],
    ['two-models.mjs', 1],
  ] as const) {
    it(`freezes ${script} before its first update of objective ${objective}, with the recorded data`, async () => {
      const { run, manifest } = await recording.record(script, 'cpu', { every: 1 });
      const { evaluator, close } = await relaunch(run, manifest, objective, {
        probes: recording.probes,
        environment: recording.environment('cpu'),
      });
      try {
        const status = await evaluator.status({});
        assert.equal(status.state, 'frozen');
        assert.equal(status.step, 0);
        const steps = (await run.readSteps()).filter((step) => step.objective === objective);
        for (const snapshot of (await run.snapshots(objective)).slice(0, 3)) {
          await evaluator.load({ into: 'w', from: { file: snapshot.file } });
          const batch = Math.min(snapshot.step, (evaluator.description.train?.batches ?? 1) - 1);
          const { recorded, replayed, step } = await evaluator.verify({ vector: 'w', batch });
          assert.equal(recorded, decodeNumber(steps[step]?.loss ?? 'NaN'));
          // Other weights give another loss, the same ones the same.
          if (step === snapshot.step) assert.ok(Math.abs(replayed - recorded) <= 1e-5 * Math.abs(recorded));
        }
      } finally {
        await close();
      }
    });
  }

  it('ends a frozen process when its last client has gone', async () => {
    const { run, manifest } = await recording.record('fit.cjs', 'cpu');
    const pids: number[] = [];
    const { evaluator, close } = await relaunch(run, manifest, 0, {
      probes: recording.probes,
      environment: recording.environment('cpu', { PID_FILE: `${recording.folder}/pid` }),
    });
    try {
      const { readFile } = await import('node:fs/promises');
      pids.push(Number(await readFile(`${recording.folder}/pid`, 'utf8')));
      assert.ok(isAlive({ pid: pids[0] as number, startTime: null }));
      evaluator.close();
      await until(() => Promise.resolve(!isAlive({ pid: pids[0] as number, startTime: null })));
    } finally {
      await close();
    }
  });
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, 'it took too long');
    await sleep(30);
  }
}
