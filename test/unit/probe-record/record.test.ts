import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeNumber, type StepRecord } from '../../../src/protocol/run.ts';
import type { Run } from '../../../src/runs/run.ts';
import { changedSentence, changedSources } from '../../../src/runs/changedSources.ts';
import { readFloat32 } from '../../../src/runs/safetensorsFile.ts';
import { needs } from '../../harness/requires.ts';
import { Recording, scripts, type Backend } from './recording.ts';

/** All values of a snapshot's parameters, in float64 arithmetic from here on. */
async function weights(run: Run, step: number, objective = 0): Promise<Float32Array> {
  const snapshot = (await run.snapshots(objective)).find((s) => s.step === step);
  assert.ok(snapshot, `snapshot ${step} is kept`);
  const manifest = await run.readManifest();
  const parts: number[] = [];
  for (const { name } of manifest.objectives[objective]?.parameters ?? []) {
    parts.push(...(await readFloat32(snapshot.file, name)));
  }
  return Float32Array.from(parts);
}

const distance = (a: Float32Array, b: Float32Array): number =>
  Math.sqrt(a.reduce((sum, x, i) => sum + (x - (b[i] as number)) ** 2, 0));

function close(actual: StepRecord['loss'] | null, expected: number, what: string): void {
  assert.ok(actual !== null, `${what} is recorded`);
  const error = Math.abs(decodeNumber(actual) - expected);
  assert.ok(error <= 2e-5 * Math.max(expected, 1e-3), `${what}: ${decodeNumber(actual)} for ${expected}`);
}

describe('recording a TensorFlow.js script', function () {
  this.timeout(120_000);
  const recording = new Recording();
  before(() => recording.build());
  after(() => {
    recording.close();
  });

  for (const backend of ['cpu', 'wasm', 'tensorflow'] satisfies Backend[]) {
    it(`records every step of fit, with norms that are those of the snapshots (${backend})`, async function () {
      if (backend === 'tensorflow') needs(this, 'tfjs-node');
      const { run, manifest, output, errors } = await recording.record('fit.cjs', backend, {
        everyStep: true,
        every: 1,
      });
      assert.equal(manifest.state, 'finished', errors);
      assert.equal(
        output,
        recording.plain('fit.cjs', backend).output,
        'the script prints what it prints without the probe',
      );
      assert.equal(manifest.framework, 'tfjs');
      assert.equal(manifest.backend, backend);
      assert.match(manifest.versions.tfjs ?? '', /^4\./);
      assert.ok(Object.keys(manifest.sources ?? {}).includes(join(scripts, 'fit.cjs')));
      assert.ok(Object.keys(manifest.sources ?? {}).every((file) => !file.includes('node_modules')));
      assert.deepEqual(await changedSources(manifest), []);
      const gone = { ...manifest.sources, [join(scripts, 'gone.cjs')]: '0' };
      assert.equal(
        await changedSentence({ sources: gone, cwd: scripts }),
        'gone.cjs has changed since the run was recorded: this is about the script as it was then.',
      );

      const steps = await run.readSteps();
      assert.deepEqual(
        steps.map(({ step }) => step),
        Array.from({ length: 20 }, (_, i) => i),
      );
      assert.deepEqual(
        steps.map(({ epoch }) => epoch),
        steps.map(({ step }) => Math.floor(step / 5)),
      );
      assert.deepEqual(
        steps.map(({ learningRate }) => learningRate),
        steps.map(({ step }) => 0.02 / (Math.floor(step / 5) + 1)),
        'a schedule shows in the learning rate',
      );
      const start = await weights(run, 0);
      for (const { step, updateNorm, distance: fromStart, gradientNorm } of steps) {
        const here = await weights(run, step);
        close(fromStart, distance(here, start), `distance at ${step}`);
        if (step === 0) assert.equal(updateNorm, null);
        else close(updateNorm, distance(here, await weights(run, step - 1)), `update before ${step}`);
        assert.ok(gradientNorm !== null && decodeNumber(gradientNorm) > 0);
      }
      assert.equal((await run.snapshots(0)).length, 21, 'first, last and all between');

      const sketch = await run.readSketch(0);
      assert.ok(sketch);
      assert.deepEqual(
        [...sketch.steps],
        steps.map(({ step }) => step),
      );

      const [objective] = manifest.objectives;
      assert.deepEqual(objective?.replay, {
        exact: true,
        checked: 4,
        passed: 4,
        worstRelativeError: objective?.replay?.worstRelativeError,
        reason: null,
        cure: null,
      });
      assert.deepEqual(objective?.optimizer?.name, 'Adam');
      const source = await readFile(join(scripts, 'fit.cjs'), 'utf8');
      const line = source.split('\n').findIndex((text) => text.includes('model.fit(')) + 1;
      assert.deepEqual(objective?.callSite?.file, join(scripts, 'fit.cjs'));
      assert.equal(objective?.callSite?.line, line);
      assert.deepEqual(
        objective?.parameters.map(({ role, filterAxis }) => [role, filterAxis]),
        [
          ['kernel', 1],
          ['bias', null],
          ['norm', null],
          ['norm', null],
          ['kernel', 1],
          ['bias', null],
        ],
      );
      assert.equal(objective?.state.length, 2, 'moving mean and variance');
      assert.equal(manifest.evaluationSet?.train.samples, 160, 'each sample once, over four epochs');
      assert.equal(manifest.evaluationSet?.validation?.samples, 40);
    });
  }

  it('takes the gradient norm of the recorded loss (linear regression in closed form)', async () => {
    const { run } = await recording.record('regression.mjs', 'cpu', { everyStep: true, every: 1 });
    const steps = await run.readSteps();
    const batch = await run.readSteps();
    assert.equal(batch.length, steps.length);
    for (const { step, loss, gradientNorm, updateNorm } of steps) {
      // y = 0 and x = identity: L = ½‖w‖², so ‖∇L‖ = ‖w‖ = √(2L), and SGD moves by η‖∇L‖.
      const w = await weights(run, step);
      const norm = distance(w, new Float32Array(w.length));
      close(loss, norm ** 2 / 2, 'loss');
      close(gradientNorm, norm, 'gradient');
      if (step > 0)
        close(updateNorm, 0.1 * distance(await weights(run, step - 1), new Float32Array(w.length)), 'update');
    }
  });

  it('records fitDataset, its validation data taken as it passes by', async () => {
    const { manifest, run } = await recording.record('fit-dataset.mjs', 'cpu');
    assert.equal(manifest.state, 'finished');
    const steps = await run.readSteps();
    assert.equal(steps.length, 18);
    assert.deepEqual([...new Set(steps.map(({ epoch }) => epoch))], [0, 1, 2]);
    assert.equal(manifest.evaluationSet?.train.samples, 120);
    assert.equal(manifest.evaluationSet?.validation?.samples, 40);
    assert.equal(manifest.objectives[0]?.replay?.exact, true);
    assert.equal(manifest.objectives[0]?.optimizer?.config.momentum, 0.9);
  });

  it('keeps of minimize without a list the variables that have a gradient', async () => {
    const { manifest, run } = await recording.record('minimize.mjs', 'cpu');
    assert.equal(manifest.objectives.length, 1);
    assert.deepEqual(
      manifest.objectives[0]?.parameters.map(({ shape }) => shape),
      [[10, 16], [16], [16, 2], []],
    );
    assert.equal((await run.readSteps()).length, 30);
    assert.equal(manifest.objectives[0]?.replay?.exact, true, JSON.stringify(manifest.objectives[0]?.replay));
    assert.equal(manifest.evaluationSet?.train.samples, 96);
    const source = await readFile(join(scripts, 'minimize.mjs'), 'utf8');
    const line = source.split('\n').findIndex((text) => text.includes('.minimize(')) + 1;
    assert.equal(manifest.objectives[0]?.callSite?.line, line);
  });

  it('takes accumulated gradients for one step, in TypeScript', async () => {
    const { manifest, run, errors } = await recording.record('apply-gradients.ts', 'cpu', { every: 1 });
    assert.equal(manifest.state, 'finished', errors);
    const steps = await run.readSteps();
    assert.equal(steps.length, 12);
    assert.equal(steps[0]?.samples, 64);
    assert.equal((await run.snapshots(0)).length, 13);
    const source = await readFile(join(scripts, 'apply-gradients.ts'), 'utf8');
    const line = source.split('\n').findIndex((text) => text.includes('.applyGradients(')) + 1;
    assert.equal(manifest.objectives[0]?.callSite?.file, join(scripts, 'apply-gradients.ts'));
    assert.equal(manifest.objectives[0]?.callSite?.line, line);
  });

  it('tells several models apart by their variables', async () => {
    const { manifest, run } = await recording.record('two-models.mjs', 'cpu');
    assert.deepEqual(
      manifest.objectives.map(({ parameters, optimizer, state }) => [
        parameters.map(({ name }) => name),
        optimizer?.name,
        state.map(({ name }) => name),
      ]),
      [
        [['critic'], 'Adam', ['generator']],
        [['generator'], 'SGD', ['critic']],
      ],
    );
    const steps = await run.readSteps();
    assert.deepEqual(
      steps.map(({ step, objective }) => [step, objective]),
      Array.from({ length: 20 }, (_, i) => [Math.floor(i / 2), i % 2]),
    );
    const last = await run.snapshots(0);
    assert.equal(last[last.length - 1]?.step, 10, 'the last snapshot was taken before the variable went');
    assert.ok(await run.readSketch(1));
  });

  it('records trainOnBatch, and a script that throws', async () => {
    const { manifest, run } = await recording.record('train-on-batch.cjs', 'cpu');
    assert.equal(manifest.state, 'failed');
    assert.match(manifest.stateReason ?? '', /out of patience/);
    assert.equal(manifest.process?.exitCode, 1);
    assert.equal((await run.readSteps()).length, 6);
    const snapshots = await run.snapshots(0);
    assert.equal(snapshots[snapshots.length - 1]?.step, 6);
    assert.equal(manifest.objectives[0]?.optimizer?.name, 'RMSProp');
    const source = await readFile(join(scripts, 'train-on-batch.cjs'), 'utf8');
    const line = source.split('\n').findIndex((text) => text.includes('trainOnBatch(x')) + 1;
    assert.equal(manifest.objectives[0]?.callSite?.line, line);
  });

  it('says what a script without a step has done', async () => {
    const { manifest } = await recording.record('no-step.cjs', 'cpu');
    assert.equal(manifest.state, 'no-training');
    assert.match(manifest.stateReason ?? '', /loaded its framework .*without a training step/);
  });

  it('records a bundled script, whose classes nobody can see', async () => {
    const esbuild = await import('esbuild');
    const bundle = join(recording.folder, 'bundle.cjs');
    await esbuild.build({
      entryPoints: [join(scripts, 'two-models.mjs')],
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      outfile: bundle.replace('.cjs', '.mjs'),
      external: ['@tensorflow/tfjs-node', '@tensorflow/tfjs-backend-wasm'],
      mainFields: ['module', 'main'],
      banner: {
        js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
      },
      logLevel: 'silent',
    });
    const { manifest, run, errors } = await recording.record('two-models.mjs', 'cpu', {
      command: [process.execPath, bundle.replace('.cjs', '.mjs')],
    });
    assert.equal(manifest.state, 'finished', errors);
    const steps = await run.readSteps();
    assert.equal(steps.length, 20);
    assert.ok(steps.every(({ learningRate }) => learningRate === null));
  });

  it('lets an asynchronous script end that hears warnings, and prints none of its own thread', async () => {
    const environment = recording.environment('cpu', {
      NODE_NO_WARNINGS: '',
      NODE_OPTIONS: '--pending-deprecation',
    });
    const { manifest, errors } = await recording.record('fit.cjs', 'cpu', { environment });
    assert.equal(manifest.state, 'finished', errors);
    assert.doesNotMatch(errors, /process\.binding/);
  });

  it('keeps a run from a process of the same command that trains second', async () => {
    const { manifest, run, errors } = await recording.record('two-processes.cjs', 'cpu');
    assert.equal(manifest.state, 'finished', errors);
    assert.equal((await run.readSteps()).length, 5);
    assert.equal(manifest.process?.exitCode, 0);
  });
});
