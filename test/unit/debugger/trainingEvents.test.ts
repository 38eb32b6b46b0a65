/** Training events as breakpoints, each in a run in which it happens at a known step. */
import assert from 'node:assert/strict';
import { cpSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Run } from '../../../src/runs/run.ts';
import { decodeNumber } from '../../../src/protocol/run.ts';
import { needs } from '../../harness/requires.ts';
import { debugging, frameworks, until } from './debugging.ts';

const scripts = fileURLToPath(new URL('../../fixtures/scripts', import.meta.url));

for (const framework of frameworks)
  describe(`training events of real runs (${framework})`, function () {
    this.timeout(180_000);
    const on = debugging();
    const file = framework === 'tfjs' ? 'events.mjs' : 'events.py';
    const first = framework === 'tfjs' ? 'first' : 'first\\.weight';
    const program = (): string => path.join(on.workspace.root, file);
    before(function () {
      if (framework === 'torch') needs(this, 'torch');
    });
    beforeEach(() => {
      cpSync(path.join(scripts, file), program());
    });

    async function told(filter: string, env: Readonly<Record<string, string>>): Promise<string> {
      const launch = { program: program(), env };
      const { reason } = await on.client.halt(on.client.begin(framework, { launch, filters: [filter] }));
      assert.equal(reason, 'exception');
      return (await on.client.exceptionInfoRequest({ threadId: 1 })).body.description ?? '';
    }
    const step = async (): Promise<number> => Number((await on.client.variables('Step')).get('step')?.value);
    const leave = () => on.client.disconnectRequest({ terminateDebuggee: true });

    it('finds units dead twenty steps after the last gradient that they had', async () => {
      assert.match(
        await told('dead-units', { EVENT: 'dead' }),
        new RegExp(`^4 of the 12 units of ${first} have had no gradient for 20 steps`),
      );
      assert.equal(await step(), 31);
      await leave();
    });

    it('finds the layer whose gradient vanishes, at the step where it does', async () => {
      assert.match(
        await told('gradient-vanished', { EVENT: 'vanish' }),
        new RegExp(`^The gradient of ${first} is .* of its weights`),
      );
      assert.equal(await step(), 15);
      await leave();
    });

    it('finds the layer whose gradient explodes, before it is applied', async () => {
      assert.match(
        await told('gradient-exploded', { EVENT: 'explode' }),
        new RegExp(`^The gradient of ${first} is \\d+ times its median of 25 steps`),
      );
      assert.equal(await step(), 25);
      await leave();
    });

    it('finds a plateau when a hundred steps of it are there', async () => {
      assert.match(
        await told('plateau', { EVENT: 'plateau', STEPS: '200' }),
        /^Plateau: over the last 100 steps/,
      );
      // The learning rate is zero from step 60 on: the window of ten blocks of ten steps lies behind it at step 159.
      assert.equal(await step(), 159);
      await leave();
    });

    it('finds the edge of stability when the bound comes down to λ₁, and not before', async () => {
      const go = path.join(on.workspace.root, 'go');
      const before = new Set((await on.workspace.store.list()).map(({ id }) => id));
      const halted = told('edge-of-stability', { EVENT: 'edge', GO: go });
      let run: Run | null = null;
      await until(async () => {
        const fresh = (await on.workspace.store.list()).find(({ id }) => !before.has(id));
        run = fresh === undefined ? null : await on.workspace.store.open(fresh.id);
        return run !== null && (await run.readLive()).some(({ bound }) => bound !== null);
      });
      writeFileSync(go, '');
      const text = await halted;
      const measured =
        /^Training has come to the edge of stability: λ₁ (\S+) at step (\d+), bound (\S+) /.exec(text);
      assert.ok(measured !== null, text);
      const risen = Number(/risen at (\d+)/.exec(on.client.output.join(''))?.[1]);
      assert.ok(
        Number(measured[2]) >= risen && (await step()) >= Number(measured[2]),
        `${text}, risen at ${risen}`,
      );
      assert.ok(Math.abs(Number(measured[1]) - 10) < 0.1 && Number(measured[3]) < 10.2, text);
      for (const { step: at, bound } of await (run as unknown as Run).readLive())
        if (at < risen) assert.ok(decodeNumber(bound ?? 0) > 30);
      await leave();
    });

    it('names the layer in which a loss spike began, by layers read at every step', async () => {
      const [folder, planted] =
        framework === 'tfjs' ? [scripts, 'planted.mjs'] : ['test/torch/scripts-planted', 'planted.py'];
      const launch = {
        program: path.resolve(folder, planted),
        args: ['spike', '560', '500'],
        env: { TFJS_BACKEND: 'wasm', FAULT: 'spike', AT: '137' },
      };
      const { reason } = await on.client.halt(
        on.client.begin(framework, { launch, filters: ['loss-spike'] }),
      );
      assert.equal(reason, 'exception');
      const { description } = (await on.client.exceptionInfoRequest({ threadId: 1 })).body;
      assert.match(
        description ?? '',
        framework === 'tfjs'
          ? /Loss spike at step 13[89]: .*It began in layer third \(third\/kernel\): its update .* at step 138\./
          : /Loss spike at step 501: .*It began in layer third \(third\.weight\): its gradient .* at step 500\./,
      );
      await leave();
    });

    // In PyTorch the gradient that the optimizer is given is looked at before.
    if (framework === 'tfjs') {
      it('dates NaN that an update has put into the weights to that update', async () => {
        const launch = {
          program: path.resolve(scripts, 'planted.mjs'),
          env: { TFJS_BACKEND: 'wasm', FAULT: 'applied', AT: '17' },
        };
        await on.client.halt(on.client.begin(framework, { launch, filters: ['non-finite'] }));
        const { description = '' } = (await on.client.exceptionInfoRequest({ threadId: 1 })).body;
        assert.match(description, /^The update of step 17 made weights NaN or infinite/);
        assert.match(description, /Step 18 has not been applied\.$/);
        assert.equal(await step(), 18);
        await leave();
      });
    }

    // The adapter's own tests have these two in TensorFlow.js.
    if (framework === 'torch') {
      it('finds a loss spike when it is more than one batch', async () => {
        assert.match(
          await told('loss-spike', { EVENT: 'spike', STEPS: '200' }),
          /^Loss spike at step 120: up to /,
        );
        const at = await step();
        assert.ok(at >= 122 && at <= 124, String(at));
        await leave();
      });

      it('finds NaN before it is applied, and where it began', async () => {
        assert.match(
          await told('non-finite', { EVENT: 'nan' }),
          /gradient of second\.weight .*is NaN or infinite\. Step 17 has not been applied/,
        );
        assert.equal(await step(), 17);
        await leave();
      });
    }

    it('finds that the updates repeat an epoch later, where the batches come in a fixed order', async () => {
      const text = await told('limit-cycle', { EVENT: 'cycle', SHUFFLE: 'False', STEPS: '420' });
      assert.match(text, /^The updates repeat every epoch of 7 steps/);
      const at = await step();
      assert.ok(at >= 50 && at <= 250, String(at));
      await leave();
    });

    it('finds no limit cycle where every epoch is shuffled', async () => {
      const ended = on.client.waitForEvent('terminated');
      let stopped = false;
      on.client.on('stopped', () => (stopped = true));
      const env = { EVENT: 'cycle', SHUFFLE: 'True', STEPS: '420' };
      await on.client.begin(framework, { launch: { program: program(), env }, filters: ['limit-cycle'] });
      await ended;
      assert.equal(stopped, false);
      assert.match(on.client.output.join(''), /^trained$/m);
    });
  });
