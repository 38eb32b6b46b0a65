/** Training on from a stop into a run of its own, in both frameworks: its parent, its files, and that training is the same. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { needs } from '../../harness/requires.ts';
import { third } from './client.ts';
import { debugging, frameworks } from './debugging.ts';

const cli = fileURLToPath(new URL('../../../dist/cli.cjs', import.meta.url));

describe('training on from a stop', function () {
  this.timeout(180_000);
  const on = debugging();

  const basin = (...words: string[]): string => {
    const { stdout, stderr } = spawnSync(process.execPath, [cli, '--root', on.workspace.root, ...words], {
      encoding: 'utf8',
    });
    assert.equal(stderr.includes('error:'), false, stderr);
    return stdout;
  };

  for (const framework of frameworks) {
    it(`begins a run at the weights after going back, with its parent, and trains the same there (${framework})`, async function () {
      if (framework === 'torch') needs(this, 'torch');
      const SNAPSHOTS = 5;
      await on.client.halt(
        on.client.begin(framework, { launch: { stopOnEntry: true, snapshotEvery: SNAPSHOTS } }),
      );
      await on.client.over();
      await on.client.over();
      for (let i = 0; i < 3; i++) await on.client.over();
      const parent = await on.client.runId();
      await on.client.back();
      const norm = await on.client.evaluate(`norm("${third[framework]}")`);
      const weightsOf = 4;

      const branched = on.client.waitForEvent('stopped');
      const { run } = (await on.client.customRequest('basin.trainOn')).body as { run: string };
      await branched;
      assert.notEqual(run, parent);
      assert.equal(await on.client.runId(), run);
      assert.equal(
        await on.client.evaluate(`norm("${third[framework]}")`),
        norm,
        'the weights stand as they stood',
      );
      assert.equal(
        (await on.client.variables('Run')).get('parent')?.value,
        `run ${parent}, step ${weightsOf}`,
      );
      assert.match(await on.client.evaluate('loss("train")'), /^[\d.]+( ± [\d.]+)? on 96 train samples$/);
      // The full batch: three steps from there are the three steps that the parent took.
      await on.client.over();
      await on.client.finish();

      const made = await on.workspace.store.open(run);
      const manifest = await made.readManifest();
      assert.deepEqual(manifest.parent, { run: parent, step: weightsOf });
      assert.equal(manifest.state, 'finished');
      const before = await (await on.workspace.store.open(parent)).readManifest();
      assert.deepEqual([before.state, before.successor?.run, before.recording.steps], ['finished', run, 5]);
      assert.equal(manifest.recording.steps, 40 - 5);
      const records = await made.readSteps();
      assert.deepEqual(
        records.map((r) => r.step),
        Array.from({ length: 35 }, (_, i) => i),
      );
      assert.equal(records[0]?.distance, 0, 'the way begins at the new run’s first weights');
      const files = readdirSync(made.path('snapshots'));
      assert.ok(files.includes('step-00000000.safetensors') && files.includes('step-00000035.safetensors'));
      // Step 4 was taken twice, first in the parent, then from the weights it was put back to.
      const again = (await (await on.workspace.store.open(parent)).readSteps()).find((r) => r.step === 4);
      assert.equal(records[0]?.loss, again?.loss);

      assert.match(basin('show', run), new RegExp(`parent.*${parent}, step 4`));
      assert.match(basin('show', parent), new RegExp(`went on as.*${run}`));
      // The new run answers for itself: its script is started again and held against its own record.
      assert.match(basin('sharpness', run, '--at', '0'), /λ₁|eigenvalue/i);
    });
  }

  it('says where it cannot: without training, and behind the end', async () => {
    await assert.rejects(on.client.customRequest('basin.trainOn'), /Launch or attach first/);
    await on.client.halt(
      on.client.begin('tfjs', { launch: { stopOnEntry: true, hold: 60, env: { STEPS: '3' } } }),
    );
    const { description } = await on.client.go();
    assert.match(description ?? '', /script is done/);
    await assert.rejects(on.client.customRequest('basin.trainOn'), /no more steps/);
    await on.client.finish();
  });

  it('ends the step that it stands in first, from the debug console', async () => {
    await on.client.halt(on.client.begin('tfjs', { launch: { stopOnEntry: true } }));
    await on.client.over();
    await on.client.into();
    const parent = await on.client.runId();
    const stopped = on.client.waitForEvent('stopped');
    assert.match(await on.client.evaluate('trainOn()'), /^run \S+ begins at these weights/);
    await stopped;
    assert.equal((await on.client.variables('Run')).get('parent')?.value, `run ${parent}, step 2`);
    await on.client.disconnectRequest({ terminateDebuggee: true });
    assert.equal(
      path.dirname((await on.workspace.store.open(parent)).directory),
      path.join(on.workspace.root, '.basin/runs'),
    );
  });
});
