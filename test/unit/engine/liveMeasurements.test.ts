/** What is measured beside a run that trains: its budget, beside a client that asks without end, and that training stays as it is. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { measureWhileTraining } from '../../../src/engine/liveMeasurements.ts';
import { attach } from '../../../src/evaluators/openEvaluator.ts';
import { decodeNumber } from '../../../src/protocol/run.ts';
import { startTimeOf } from '../../../src/runs/processes.ts';
import { measuringCost } from '../../../src/runs/measuringCost.ts';
import { Recording, type Backend } from '../probe-record/recording.ts';

describe('measuring beside training', function () {
  this.timeout(240_000);
  const recording = new Recording();
  before(() => recording.build());
  after(() => recording.close());
  const backend: Backend = 'wasm';
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

  it('ends as without it, bit for bit; its time is its own, whoever else asks, and within its budget', async () => {
    const more = { EPOCHS: '400' };
    const { training, ended } = await recording.start('fit.cjs', backend, {
      environment: recording.environment(backend, more),
    });
    const { run } = training;
    let finished = false;
    const over = new AbortController();
    void ended.then(() => {
      finished = true;
      over.abort();
    });
    while (!finished && !existsSync(run.path('endpoint.json'))) await pause(20);
    const troubles: string[] = [];
    const options = { budget: 0.3, advance: 0.2, samples: 64 };
    const measuring = measureWhileTraining(run, {
      ...options,
      signal: over.signal,
      onTrouble: (error, what) => troubles.push(`${what}: ${error.message}`),
    });
    // Another client asks at every step boundary that it can get.
    let last = { own: 0, all: 0 };
    let asked = 0;
    const hammer = async (): Promise<void> => {
      const client = await attach(run, 0);
      if (client === null) return;
      const how = { data: { split: 'train' }, mode: 'as-trained', refresh: false } as const;
      try {
        while (!finished && asked < 200) {
          await client.load({ into: 'here', from: 'current' });
          await client.gradient({ at: 'here', into: 'g', how });
          const status = await client.status({});
          last = { own: status.connectionSeconds, all: status.answeringSeconds };
          asked++;
        }
      } catch (error) {
        // At its end the process is gone.
        assert.equal((error as { code?: string }).code, 'process-ended');
      } finally {
        client.close();
      }
    };
    await hammer();
    const { output, manifest, errors } = await ended;
    await measuring;
    assert.equal(manifest.state, 'finished', errors);
    assert.deepEqual(troubles, []);
    assert.ok(asked > 10);
    const [live, noise, steps] = [await run.readLive(), await run.readNoise(), await run.readSteps()];
    assert.ok(live.length > 0 && noise.length > 0, `${live.length} and ${noise.length}`);
    const cost = measuringCost(live, noise, steps.at(-1) ?? null)!;
    const spent = cost.sharpness.seconds + cost.noise.seconds;
    // The other client's time is not among it: what all answers took is both.
    assert.ok(last.own > 0 && last.own <= last.all);
    // Every measurement began within the budget; by how much the last may pass it is what it took itself.
    const each = [...live, ...noise].sort((a, b) => (a.trained ?? 0) - (b.trained ?? 0));
    let before = 0;
    for (const one of each) {
      assert.ok(
        before <= options.advance + options.budget * (one.trained ?? 0) + 1e-9,
        `${before} s of ${one.trained} s`,
      );
      before += one.seconds;
    }
    assert.ok(Math.abs(before - spent) < 1e-9);
    assert.equal(output, recording.plain('fit.cjs', backend, more).output);
  });

  it('measures each objective at its own weights, all within one budget', async () => {
    const more = { STEPS: '8000' };
    const { training, ended } = await recording.start('two-models.mjs', backend, {
      environment: recording.environment(backend, more),
    });
    const { run } = training;
    const over = new AbortController();
    const options = { budget: 0.3, advance: 0.2, samples: 32 };
    const troubles: string[] = [];
    const measuring = measureWhileTraining(run, {
      ...options,
      signal: over.signal,
      onTrouble: (error, what) => troubles.push(`${what}: ${error.message}`),
    });
    const { output, errors } = await ended;
    over.abort();
    await measuring;
    assert.equal(output, recording.plain('two-models.mjs', backend, more).output, errors);
    assert.deepEqual(troubles, []);
    const live = await run.readLive();
    const of = (objective: number): number[] =>
      live.filter((one) => one.objective === objective).map(({ lambda1 }) => decodeNumber(lambda1));
    // The critic's loss is linear in its weights but for their squares, whose Hessian is 2; the generator's is linear.
    assert.ok(of(0).length > 0 && of(1).length > 0, `${of(0).length} and ${of(1).length} of ${live.length}`);
    for (const lambda1 of of(0)) assert.ok(Math.abs(lambda1 - 2) < 1e-3, `${lambda1}`);
    for (const lambda1 of of(1)) assert.ok(Math.abs(lambda1) < 1e-3, `${lambda1}`);
    const each = [...live, ...(await run.readNoise())].sort((a, b) => (a.trained ?? 0) - (b.trained ?? 0));
    let before = 0;
    for (const one of each) {
      assert.ok(before <= options.advance + options.budget * (one.trained ?? 0) + 1e-9, `${before} s`);
      before += one.seconds;
    }
  });

  it('measures nothing that another process measures, and goes on when that one is gone', async function () {
    if (process.platform === 'win32') this.skip();
    const { training, ended } = await recording.start('fit.cjs', backend, {
      environment: recording.environment(backend, { EPOCHS: '4000' }),
    });
    const { run } = training;
    const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    const pid = other.pid ?? 0;
    writeFileSync(run.path('measuring.json'), JSON.stringify({ pid, startTime: startTimeOf(pid) }));
    const over = new AbortController();
    const measuring = measureWhileTraining(run, { budget: 0.3, advance: 2, signal: over.signal });
    // Long enough for a first λ₁ that nothing would keep from being measured.
    while (((await run.readLastStep())?.step ?? 0) < 400) await pause(50);
    assert.deepEqual(await run.readLive(), []);
    other.kill('SIGKILL');
    while ((await run.readLive()).length === 0) await pause(50);
    over.abort();
    await measuring;
    assert.ok(!existsSync(run.path('measuring.json')));
    training.kill('SIGKILL');
    await ended;
  });

  it('measures nothing with a budget of 0', async () => {
    const { training, ended } = await recording.start('fit.cjs', backend);
    await measureWhileTraining(training.run, { budget: 0, signal: new AbortController().signal });
    await ended;
    assert.deepEqual(await training.run.readLive(), []);
    assert.deepEqual(await training.run.readNoise(), []);
  });
});
