/** What is recorded of each parameter, and where NaN began, in TensorFlow.js. */
import assert from 'node:assert/strict';
import { DEAD_AFTER } from '../../../src/protocol/layerStatistics.ts';
import { readFloat32 } from '../../../src/runs/safetensorsFile.ts';
import { needs } from '../../harness/requires.ts';
import { Recording, type Backend } from './recording.ts';

const norm = (x: ArrayLike<number>): number => Math.sqrt(Array.from(x).reduce((s, v) => s + v * v, 0));
const near = (a: number, b: number, what: string): void => {
  assert.ok(Math.abs(a - b) <= 3e-4 * Math.max(Math.abs(b), 1e-3), `${what}: ${a} for ${b}`);
};

describe('each parameter of a TensorFlow.js script', function () {
  this.timeout(120_000);
  const recording = new Recording();
  before(() => recording.build());
  after(() => {
    recording.close();
  });

  for (const backend of ['cpu', 'wasm', 'tensorflow'] satisfies Backend[]) {
    it(`has the norms of its snapshots, the alignment of its gradients, and its dead units counted (${backend})`, async function () {
      if (backend === 'tensorflow') needs(this, 'tfjs-node');
      const { run, manifest, errors } = await recording.record('planted.mjs', backend, {
        everyStep: true,
        every: 1,
        environment: recording.environment(backend, { STEPS: '14' }),
      });
      assert.equal(manifest.state, 'finished', errors);
      assert.deepEqual(manifest.recording.notes, []);
      const layers = await run.readLayers();
      assert.ok(layers);
      const parameters = manifest.objectives[0]?.parameters ?? [];
      assert.equal(layers.parameters, 8);
      assert.deepEqual(
        layers.records.map((r) => r.step),
        Array.from({ length: 14 }, (_, i) => i),
      );
      const steps = await run.readSteps();
      const snapshots = await run.snapshots();
      const weights = (step: number, name: string): Promise<Float32Array> =>
        readFloat32(snapshots.find((s) => s.step === step)!.file, name);
      for (const { step, value } of layers.records) {
        const total = (field: 'gradientNorm' | 'updateNorm'): number =>
          norm(parameters.map((_, i) => value(i, field)));
        near(total('gradientNorm'), Number(steps[step]?.gradientNorm), `gradient at ${step}`);
        if (step > 0) near(total('updateNorm'), Number(steps[step]?.updateNorm), `update at ${step}`);
        for (const [i, { name }] of parameters.entries()) {
          const here = await weights(step, name);
          near(value(i, 'weightNorm'), norm(here), `${name} at ${step}`);
          if (step === 0) {
            assert.ok(Number.isNaN(value(i, 'updateNorm')) && Number.isNaN(value(i, 'alignment')));
            continue;
          }
          const before = await weights(step - 1, name);
          near(value(i, 'updateNorm'), norm(here.map((v, k) => v - before[k]!)), `update of ${name}`);
          // Plain SGD: gradients are differences of weights.
          const after = await weights(step + 1, name);
          const [a, b] = [here.map((v, k) => v - before[k]!), after.map((v, k) => v - here[k]!)];
          const cosine = a.reduce((s, v, k) => s + v * b[k]!, 0) / (norm(a) * norm(b));
          if (norm(a) > 1e-4 && norm(b) > 1e-4)
            assert.ok(Math.abs(value(i, 'alignment') - cosine) < 0.01, `alignment of ${name} at ${step}`);
          near(value(i, 'gradientNorm'), norm(b) / 0.05, `gradient of ${name}`);
        }
      }
      const dead = (record: number, layer: string): number => {
        const i = parameters.findIndex((p) => p.layer === layer && p.role === 'kernel');
        return layers.records[record]?.value(i, 'dead') ?? NaN;
      };
      assert.equal(dead(DEAD_AFTER - 2, 'second'), 0);
      assert.equal(dead(DEAD_AFTER - 1, 'second'), 3);
      assert.equal(dead(13, 'second'), 3);
      assert.equal(dead(13, 'fourth'), 0);
      const bias = parameters.findIndex((p) => p.role === 'bias');
      assert.ok(Number.isNaN(layers.records[13]?.value(bias, 'dead')));
    });

    for (const fault of ['gradient', 'applied', 'forward', 'data'] as const) {
      // Read at every step the gradient itself shows it, else the weights that it has spoilt.
      for (const everyStep of fault === 'gradient' ? [true, false] : [false]) {
        it(`names the step and the layer of NaN: ${fault}, ${everyStep ? 'every step read' : 'as usual'} (${backend})`, async function () {
          if (backend === 'tensorflow') needs(this, 'tfjs-node');
          const { run, manifest, errors, output } = await recording.record('planted.mjs', backend, {
            everyStep,
            environment: recording.environment(backend, { FAULT: fault }),
          });
          assert.equal(manifest.state, 'finished', errors);
          assert.deepEqual(manifest.recording.notes, []);
          const found = (await run.readSteps()).filter((s) => s.nonFinite !== undefined);
          assert.equal(found.length, 1, 'told once');
          const [{ step, nonFinite }] = found as [(typeof found)[0]];
          assert.equal(nonFinite?.began, 137);
          const inForward = fault === 'forward' || fault === 'data';
          assert.equal(nonFinite.first?.layer, inForward ? 'first' : 'third');
          assert.equal(nonFinite.last?.layer, nonFinite.first?.layer);
          if (inForward) {
            assert.equal(nonFinite.what, 'forward');
            assert.equal(nonFinite.cameIn, fault === 'data' ? true : undefined);
            assert.ok(nonFinite.operation !== null && nonFinite.operation !== undefined);
          } else {
            assert.match(nonFinite.first?.parameter ?? '', /^third/);
            assert.equal(nonFinite.parameters, 1);
            if (fault === 'applied') assert.equal(nonFinite.what, 'weights');
            if (fault === 'gradient' && everyStep) assert.equal(nonFinite.what, 'gradient');
          }
          assert.equal(step, nonFinite.what === 'weights' ? 138 : 137);
          assert.equal(output, recording.plain('planted.mjs', backend, { FAULT: fault }).output);
        });
      }
    }
  }
});
