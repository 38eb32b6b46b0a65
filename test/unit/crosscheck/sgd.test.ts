/**
 * Basin's SGD beside the script's own optimizer: a recorded run's snapshots are where torch.optim.SGD and TensorFlow.js's
 * momentum optimizer have come to, on batches in a fixed order that Basin draws again from the script's data.
 */
import assert from 'node:assert/strict';
import path from 'node:path';
import { Sgd, type SgdSettings } from '../../../src/analysis/sgd.ts';
import { withVectors } from '../../../src/analysis/vectors.ts';
import { openEvaluator } from '../../../src/evaluators/openEvaluator.ts';
import { installedProbes } from '../../../src/evaluators/probes.ts';
import { readFloat32 } from '../../../src/runs/safetensorsFile.ts';
import { CommandLine } from '../../fixtures/commandLine.ts';
import { makeWorkspace, type Workspace } from '../../fixtures/runs.ts';
import { needs, testPython } from '../../harness/requires.ts';

const repository = path.resolve(import.meta.dirname, '../../..');
const script = (name: string): string => path.join(repository, 'test/fixtures/scripts', name);
const probes = installedProbes(path.join(repository, 'dist'));

describe("Basin's SGD and the script's own", function () {
  this.timeout(180_000);
  let workspace: Workspace;
  before(async function () {
    needs(this, 'bundles');
    workspace = await makeWorkspace();
  });
  after(() => workspace?.remove());

  /** Records a run, trains from its first snapshot as it did, and holds every step against its snapshot. */
  async function agrees(settings: SgdSettings, source: string, ...command: string[]): Promise<void> {
    const basin = new CommandLine(workspace.root, { OMP_NUM_THREADS: '1' });
    const { code, stderr } = await basin.run('train', '--every', '1', '--', ...command);
    assert.equal(code, 0, stderr);
    const run = await workspace.store.open('last');
    const manifest = await run.readManifest();
    const [objective] = manifest.objectives;
    assert.ok(objective !== undefined && objective.state.length > 0);
    const snapshots = await run.snapshots(0);
    assert.equal(snapshots.length, 11);
    const signal = AbortSignal.timeout(150_000);
    const opened = await openEvaluator(run, manifest, 0, { probes });
    try {
      await withVectors(opened.evaluator, async (vectors) => {
        const first = snapshots[0]?.file ?? '';
        const at = await vectors.load({ file: first }, 'weights', signal);
        const sgd = new Sgd(opened.evaluator, vectors, at, settings, 1, 0);
        const { source: told } = await opened.evaluator.draw({ into: 'no', seed: 1, from: 0, count: 0 });
        assert.deepEqual(told, { kind: source, samples: 90, batches: 5, reason: null });
        const steps = await run.readSteps();
        for (const { step, file } of snapshots.slice(1)) {
          const loss = await sgd.step(0.1, 11 - step, signal);
          const recorded = Number(steps[step - 1]?.loss);
          assert.ok(
            Math.abs(loss - recorded) <= 1e-5 * recorded,
            `loss of step ${step}: ${loss}, ${recorded}`,
          );
          const own = run.path('trained.safetensors');
          await opened.evaluator.save({ vector: at, file: own, metadata: {} });
          for (const { name } of [
            ...objective.parameters,
            ...objective.state.filter((s) => s.shape.length > 0),
          ]) {
            const [mine, theirs] = [await readFloat32(own, name), await readFloat32(file, name)];
            theirs.forEach((x, i) => {
              const off = Math.abs((mine[i] ?? NaN) - x);
              assert.ok(off <= 2e-6 * Math.max(1, Math.abs(x)), `${name} at step ${step} is off by ${off}`);
            });
          }
        }
        assert.equal(sgd.samples, 180);
      });
    } finally {
      await opened.close();
    }
  }

  const settings = (momentum: number, nesterov: boolean, weightDecay: number): SgdSettings => ({
    momentum,
    nesterov,
    weightDecay,
    clip: null,
  });

  for (const [momentum, nesterov, weightDecay] of [
    [0, false, 0.01],
    [0.9, false, 0.01],
    [0.9, true, 0.01],
  ] as const) {
    it(`PyTorch: momentum ${momentum}${nesterov ? ', Nesterov' : ''}, weight decay ${weightDecay}`, async function () {
      needs(this, 'torch');
      const words = [String(momentum), nesterov ? 'nesterov' : 'plain', String(weightDecay)];
      await agrees(
        settings(momentum, nesterov, weightDecay),
        'loader',
        testPython(),
        script('sgd.py'),
        ...words,
      );
    });
  }

  for (const nesterov of [false, true]) {
    it(`TensorFlow.js: ${nesterov ? 'Nesterov' : 'momentum'}`, async () => {
      const word = nesterov ? 'nesterov' : 'plain';
      await agrees(settings(0.9, nesterov, 0), 'tensors', process.execPath, script('sgd.cjs'), word);
    });
  }
});
