/** Training on from a stop into a run of its own, in both frameworks: its parent, its files, and that training is the same. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { needs } from '../../harness/requires.ts';
import { Client, makeDebuggedWorkspace, third, type DebuggedWorkspace, type Framework } from './client.ts';

const cli = fileURLToPath(new URL('../../../dist/cli.cjs', import.meta.url));

describe('training on from a stop', function () {
  this.timeout(180_000);
  let workspace: DebuggedWorkspace;
  let client: Client;

  before(async function () {
    needs(this, 'bundles');
    workspace = await makeDebuggedWorkspace();
  });
  after(() => workspace.remove());
  beforeEach(async () => {
    client = await Client.open(workspace);
  });
  afterEach(() => client.stop());

  const basin = (...words: string[]): string => {
    const { stdout, stderr } = spawnSync(process.execPath, [cli, '--root', workspace.root, ...words], {
      encoding: 'utf8',
    });
    assert.equal(stderr.includes('error:'), false, stderr);
    return stdout;
  };

  for (const framework of ['tfjs', 'torch'] as const satisfies readonly Framework[]) {
    it(`begins a run at the weights after going back, with its parent, and trains the same there (${framework})`, async function () {
      if (framework === 'torch') needs(this, 'torch');
      const SNAPSHOTS = 5;
      await client.halt(client.begin(framework, { launch: { stopOnEntry: true, snapshotEvery: SNAPSHOTS } }));
      await client.over();
      await client.over();
      for (let i = 0; i < 3; i++) await client.over();
      const parent = await client.runId();
      await client.back();
      const norm = await client.evaluate(`norm("${third[framework]}")`);
      const weightsOf = 4;

      const branched = client.waitForEvent('stopped');
      const { run } = (await client.customRequest('basin.trainOn')).body as { run: string };
      await branched;
      assert.notEqual(run, parent);
      assert.equal(await client.runId(), run);
      assert.equal(
        await client.evaluate(`norm("${third[framework]}")`),
        norm,
        'the weights stand as they stood',
      );
      assert.equal((await client.variables('Run')).get('parent')?.value, `run ${parent}, step ${weightsOf}`);
      assert.match(await client.evaluate('loss("train")'), /^[\d.]+( ± [\d.]+)? on 96 train samples$/);
      // The full batch: three steps from there are the three steps that the parent took.
      await client.over();
      await client.finish();

      const made = await workspace.store.open(run);
      const manifest = await made.readManifest();
      assert.deepEqual(manifest.parent, { run: parent, step: weightsOf });
      assert.equal(manifest.state, 'finished');
      const before = await (await workspace.store.open(parent)).readManifest();
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
      const again = (await (await workspace.store.open(parent)).readSteps()).find((r) => r.step === 4);
      assert.equal(records[0]?.loss, again?.loss);

      assert.match(basin('show', run), new RegExp(`parent.*${parent}, step 4`));
      assert.match(basin('show', parent), new RegExp(`went on as.*${run}`));
      // The new run answers for itself: its script is started again and held against its own record.
      assert.match(basin('sharpness', run, '--at', '0'), /λ₁|eigenvalue/i);
    });
  }

  it('says where it cannot: without training, and behind the end', async () => {
    await assert.rejects(client.customRequest('basin.trainOn'), /Launch or attach first/);
    await client.halt(client.begin('tfjs', { launch: { stopOnEntry: true, hold: 60, env: { STEPS: '3' } } }));
    const { description } = await client.go();
    assert.match(description ?? '', /script is done/);
    await assert.rejects(client.customRequest('basin.trainOn'), /no more steps/);
    await client.finish();
  });

  it('ends the step that it stands in first, from the debug console', async () => {
    await client.halt(client.begin('tfjs', { launch: { stopOnEntry: true } }));
    await client.over();
    await client.into();
    const parent = await client.runId();
    const stopped = client.waitForEvent('stopped');
    assert.match(await client.evaluate('trainOn()'), /^run \S+ begins at these weights/);
    await stopped;
    assert.equal((await client.variables('Run')).get('parent')?.value, `run ${parent}, step 2`);
    await client.disconnectRequest({ terminateDebuggee: true });
    assert.equal(
      path.dirname((await workspace.store.open(parent)).directory),
      path.join(workspace.root, '.basin/runs'),
    );
  });
});
