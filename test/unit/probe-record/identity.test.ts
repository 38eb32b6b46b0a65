import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { needs } from '../../harness/requires.ts';
import { attach } from '../../../src/evaluators/openEvaluator.ts';
import { Recording, type Backend } from './recording.ts';

describe('a script that trains under the probe', function () {
  this.timeout(180_000);
  const recording = new Recording();
  before(() => recording.build());
  after(() => {
    recording.close();
  });

  // Each prints a digest of its final weights, tf.memory(), and the next number of Math.random.
  const kinds = {
    'fit.cjs': 'fit with batch norm, dropout and Adam',
    'fit-dataset.mjs': 'fitDataset with noise and momentum',
    'minimize.mjs': 'a synchronous minimize loop with dropout and momentum',
    'apply-gradients.ts': 'variableGrads and applyGradients',
    'two-models.mjs': 'two models with an optimizer each',
    'regression.mjs': 'an update by hand',
  };
  for (const backend of ['tensorflow', 'wasm', 'cpu'] satisfies Backend[]) {
    for (const [script, what] of Object.entries(kinds)) {
      it(`ends as without it, bit for bit: ${what} (${backend})`, async function () {
        if (backend === 'tensorflow') needs(this, 'tfjs-node');
        const { output, errors, manifest } = await recording.record(script, backend, { everyStep: true });
        assert.equal(manifest.state, 'finished', errors);
        assert.deepEqual(manifest.recording.notes, []);
        const plain = recording.plain(script, backend);
        assert.match(plain.output, /"weights":"[0-9a-f]{64}"/);
        assert.equal(output, plain.output);
        // TensorFlow's own log has the time in every line.
        if (backend !== 'tensorflow') assert.equal(errors, plain.errors);
      });
    }
  }

  for (const backend of ['tensorflow', 'wasm'] satisfies Backend[]) {
    for (const script of ['fit.cjs', 'minimize.mjs']) {
      it(`ends as without it while it is asked for gradients and Hessian products: ${script} (${backend})`, async function () {
        if (backend === 'tensorflow') needs(this, 'tfjs-node');
        const more = { EPOCHS: '60', STEPS: '1500' };
        const { training, ended } = await recording.start(script, backend, {
          environment: recording.environment(backend, more),
        });
        let asked = 0;
        let finished = false;
        void ended.then(() => (finished = true));
        while (!finished && !existsSync(training.run.path('endpoint.json'))) await pause(20);
        const evaluator = await attach(training.run, 0);
        assert.ok(evaluator, 'it answers while it trains');
        const how = { data: { split: 'train', samples: 64 }, mode: 'as-trained', refresh: false } as const;
        try {
          while (asked < 6) {
            await evaluator.load({ into: 'here', from: 'current' });
            await evaluator.random({
              into: 'v',
              seed: asked,
              like: 'here',
              normalisation: 'none',
              include: { bias: true, norm: true },
            });
            await evaluator.gradient({ at: 'here', into: 'g', how });
            await evaluator.hvp({ at: 'here', vector: 'v', into: 'hv', how, method: 'auto' });
            asked++;
          }
          // A question that is given up half-way.
          const controller = new AbortController();
          const given = evaluator.hvp(
            { at: 'here', vector: 'v', into: 'hv', how, method: 'auto' },
            controller.signal,
          );
          controller.abort();
          await assert.rejects(given, { code: 'cancelled' });
          const status = await evaluator.status({});
          assert.equal(status.state, 'training');
          assert.ok(status.answeringSeconds > 0);
        } finally {
          evaluator.close();
        }
        const { output, manifest, errors } = await ended;
        assert.equal(manifest.state, 'finished', errors);
        assert.equal(output, recording.plain(script, backend, more).output);
      });
    }
  }
});

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));
