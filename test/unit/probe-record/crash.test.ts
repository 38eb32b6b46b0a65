import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkSnapshot } from '../../../src/runs/safetensorsFile.ts';
import { Recording } from './recording.ts';

describe('a training process that is killed', function () {
  this.timeout(240_000);
  const recording = new Recording();
  before(() => recording.build());
  after(() => {
    recording.close();
  });

  for (let i = 0; i < 20; i++) {
    // Half of them in a loop that never returns to the event loop.
    const script = i % 2 === 0 ? 'minimize.mjs' : 'fit.cjs';
    it(`loses only what was in flight (${script}, ${i + 1} of 20)`, async () => {
      const { training, ended } = await recording.start(script, 'wasm', {
        environment: recording.environment('wasm', { STEPS: '100000', EPOCHS: '20000' }),
      });
      const { run } = training;
      while (!existsSync(run.path('claim'))) await sleep(10);
      // From the first step, over the start of the worker, into the steady state.
      await sleep(Math.random() * 60 * (i + 1));
      const seen = await completeLines(run.path('steps.jsonl'));
      training.kill('SIGKILL');
      const { manifest } = await ended;
      assert.equal(manifest.state, 'interrupted');
      const steps = await run.readSteps();
      assert.ok(steps.length >= seen, 'whatever was on the disk is still there');
      assert.deepEqual(
        steps.map(({ step }) => step),
        steps.map((_, k) => k),
      );
      assert.equal(manifest.recording.steps, steps.length, 'run.json counts what the file has');
      const [objective] = manifest.objectives;
      if (objective === undefined) return;
      assert.equal(manifest.recording.snapshots, (await run.snapshots(0)).length);
      for (const { file } of await run.snapshots(0)) await checkSnapshot(file, objective);
      const sketch = await run.readSketch(0);
      for (const point of sketch?.points ?? []) assert.ok(point.every(Number.isFinite));
      const [entry] = (await recording.store.list()).filter(({ id }) => id === run.id);
      assert.ok(entry, 'and the store lists it');
    });
  }

  it('has every step on the disk within 200 ms or so, in a synchronous loop too', async () => {
    const { training, ended } = await recording.start('minimize.mjs', 'wasm', {
      environment: recording.environment('wasm', { STEPS: '100000' }),
    });
    const file = training.run.path('steps.jsonl');
    while ((await completeLines(file)) < 10) await sleep(10);
    for (let i = 0; i < 3; i++) {
      const before = await completeLines(file);
      await sleep(400);
      assert.ok((await completeLines(file)) > before);
    }
    training.kill('SIGKILL');
    await ended;
  });
});

describe('a training process that a signal ends', function () {
  this.timeout(120_000);
  const recording = new Recording();
  before(async function () {
    if (process.platform !== 'linux') this.skip(); // elsewhere a process cannot tell whether its script listens
    await recording.build();
  });
  after(() => {
    recording.close();
  });

  /** What the script has said of its steps, and the run. */
  async function signalled(signal: NodeJS.Signals, more: Readonly<Record<string, string>> = {}) {
    const { training, ended } = await recording.start('counting.mjs', 'cpu', {
      environment: recording.environment('cpu', more),
    });
    while ((await completeLines(training.run.path('steps.jsonl'))) < 10) await sleep(10);
    training.kill(signal);
    const { output, manifest } = await ended;
    const said = output.trim().split('\n');
    const recorded = (await training.run.readSteps()).map(({ step }) => step);
    assert.deepEqual(
      recorded,
      recorded.map((_, k) => k),
    );
    return { said, recorded, manifest };
  }

  for (const [signal, why] of [
    ['SIGTERM', /^Ended by SIGTERM; /],
    ['SIGINT', /^Interrupted \(Ctrl\+C\); /],
    ['SIGHUP', /^Ended by SIGHUP; /],
  ] as const)
    it(`loses no step that was done, and ends by it: ${signal}`, async () => {
      const { said, recorded, manifest } = await signalled(signal);
      assert.equal(manifest.state, 'interrupted');
      assert.match(manifest.stateReason ?? '', why);
      assert.equal(manifest.process?.exitCode, null, 'by the signal itself');
      // One may be between its end and its record.
      assert.ok(recorded.length >= said.length - 1, `${said.length} done, ${recorded.length} recorded`);
    });

  it('goes on where the script listens itself, which hears the signal once', async () => {
    const { said, recorded, manifest } = await signalled('SIGTERM', { LISTEN: '1' });
    assert.equal(manifest.state, 'finished');
    assert.equal(said.filter((line) => line === 'caught').length, 1);
    assert.equal(recorded.length, said.length - 1);
  });
});

describe('a probe that fails', function () {
  this.timeout(120_000);
  const recording = new Recording();
  before(() => recording.build());
  after(() => {
    recording.close();
  });

  it('lets training go on when the snapshot directory vanishes under it', async () => {
    const more = { STEPS: '800' };
    const { training, ended } = await recording.start('minimize.mjs', 'cpu', {
      environment: recording.environment('cpu', more),
    });
    while (!existsSync(training.run.path('steps.jsonl'))) await sleep(10);
    await rename(training.run.path('snapshots'), join(recording.folder, 'gone'));
    const { output, manifest } = await ended;
    assert.match(manifest.recording.notes.join(), /Recording stopped/);
    assert.equal(output, recording.plain('minimize.mjs', 'cpu', more).output);
  });

  it('lets training go on when its files cannot be written', async () => {
    const { training, ended } = await recording.start('fit.cjs', 'cpu');
    await mkdir(training.run.path('steps.jsonl'));
    const { output, manifest } = await ended;
    assert.equal(output, recording.plain('fit.cjs', 'cpu').output);
    assert.match(manifest.recording.notes.join(), /Recording stopped: .*steps\.jsonl/);
  });

  it('leaves nothing behind of what it wrote beside', async () => {
    const { run } = await recording.record('fit.cjs', 'cpu');
    const names = await readdir(run.directory, { recursive: true });
    assert.deepEqual(
      names.filter((name) => name.endsWith('.tmp') || name === 'endpoint.json'),
      [],
    );
  });
});

async function completeLines(file: string): Promise<number> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').length - 1;
}
