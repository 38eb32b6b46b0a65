/** Going back, on and back again: the weights that stand are those that the stop says, bit for bit. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { attach } from '../../../src/evaluators/openEvaluator.ts';
import { headerLength } from '../../../src/protocol/safetensors.ts';
import type { Run } from '../../../src/runs/run.ts';
import { needs } from '../../harness/requires.ts';
import { debugging, frameworks } from './debugging.ts';

/** Of the tensors of a safetensors file, without its header. */
function digestOf(file: string): string {
  const bytes = readFileSync(file);
  const data = bytes.subarray(8 + headerLength(bytes.subarray(0, 8), bytes.length));
  return createHash('sha256').update(data).digest('hex');
}

for (const framework of frameworks)
  describe(`going back (${framework})`, function () {
    this.timeout(120_000);
    const on = debugging();
    before(function () {
      if (framework === 'torch') needs(this, 'torch');
    });
    afterEach(() => on.client.disconnectRequest({ terminateDebuggee: true }));

    const run = async (): Promise<Run> => on.workspace.store.open(await on.client.runId());
    /** The weights that the process has at this moment, asked for past the debugger. */
    async function weights(): Promise<string> {
      const connection = await attach(await run(), 0);
      assert.ok(connection !== null);
      const file = path.join(on.workspace.root, `weights-${framework}.safetensors`);
      await connection.load({ into: 'now', from: 'current' });
      await connection.save({ vector: 'now', file, metadata: {} });
      connection.close();
      return digestOf(file);
    }
    /** By step, of a run that goes straight on. */
    async function straight(last: number): Promise<string[]> {
      const of: string[] = [await weights()];
      for (let step = 1; step <= last; step++) {
        await on.client.over();
        of.push(await weights());
      }
      assert.equal(new Set(of).size, last + 1);
      return of;
    }
    const told = async (): Promise<number> => {
      const { description } = await on.client.back();
      return Number(/^Back at the weights of step (\d+):/.exec(description ?? '')?.[1] ?? NaN);
    };

    for (const [what, snapshotEvery] of [
      ['checkpoints', 1000],
      ['snapshots', 1],
    ] as const)
      it(`lands on the weights that it names, after going on and back again (${what})`, async () => {
        await on.client.halt(on.client.begin(framework, { launch: { stopOnEntry: true, snapshotEvery } }));
        const of = await straight(6);
        assert.equal(await told(), 5);
        assert.equal(await weights(), of[5]);
        // Two steps on from there are new: their numbers are 6 → 7, 8.
        await on.client.over();
        const seventh = await weights();
        await on.client.over();
        assert.notEqual(await weights(), seventh);
        assert.equal(await told(), 7);
        assert.equal(await weights(), seventh);
        assert.equal(await told(), 5, 'what was trained before the first jump is not on the way here');
        assert.equal(await weights(), of[5]);
        assert.equal(await told(), 4);
        assert.equal(await weights(), of[4]);
        assert.equal((await on.client.variables('Step')).get('weights')?.value, 'those of step 4');

        // Inside of the step after that the weights are still those.
        await on.client.into();
        assert.equal((await on.client.variables('Step')).get('weights')?.value, 'those of step 4');
        assert.equal(await told(), 4, 'the beginning of the step is before its inside');
        assert.equal(await weights(), of[4]);
        assert.equal(await told(), 3);
        assert.equal(await weights(), of[3]);

        const first = await on.client.halt(on.client.reverseContinueRequest({ threadId: 1 }));
        assert.match(first.description ?? '', /^Back at the weights of step 0:/);
        assert.equal(await weights(), of[0]);
      });

    it('keeps the weights that stand after going back by the number of their step, also where none was', async () => {
      const env = { STEPS: '4' };
      await on.client.halt(
        on.client.begin(framework, { launch: { stopOnEntry: true, snapshotEvery: 1000, env } }),
      );
      const of = await straight(3);
      await on.client.into();
      assert.equal(await told(), 3, 'the last step of the script has a place behind its update as well');
      assert.equal(await weights(), of[3]);
      assert.equal(await told(), 2);
      assert.equal(await on.client.evaluate('snapshot()'), 'snapshot 2');
      assert.equal(digestOf((await run()).snapshotPath(2)), of[2]);
    });

    it('has the console draw the weights that stand after going back', async () => {
      await on.client.halt(on.client.begin(framework, { launch: { stopOnEntry: true, snapshotEvery: 1 } }));
      const of = await straight(4);
      assert.equal(await told(), 3);
      assert.equal(await on.client.evaluate('snapshot()'), 'snapshot 3');
      assert.equal(digestOf((await run()).snapshotPath(3)), of[3]);
      assert.equal(digestOf((await run()).snapshotPath(4)), of[4], 'what was left keeps its number');
      await on.client.over();
      assert.equal(await on.client.evaluate('snapshot()'), 'snapshot 5');
      assert.equal(digestOf((await run()).snapshotPath(5)), await weights());
    });
  });
