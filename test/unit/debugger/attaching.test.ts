/** Attaching: a run that is held at its end, one that is over (its script started again), and how a script's end is told. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { needs } from '../../harness/requires.ts';
import { Client, startSlowly, third } from './client.ts';
import { debugging, frameworks, until } from './debugging.ts';

describe('attaching and ending', function () {
  this.timeout(180_000);
  const on = debugging();

  for (const framework of frameworks) {
    it(`walks the snapshots of a run that was held, then of one that is over (${framework})`, async function () {
      if (framework === 'torch') needs(this, 'torch');
      const launch = { stopOnEntry: true, snapshotEvery: 2, hold: 60, env: { STEPS: '8' } };
      await on.client.halt(on.client.begin(framework, { launch }));
      const run = await on.client.runId();
      assert.match(
        (await on.client.go()).description ?? '',
        /^The script is done; its model can still be asked/,
      );
      const norm = await on.client.evaluate(`norm("${third[framework]}")`);
      const loss = await on.client.evaluate('loss("train")');
      assert.match(await on.client.evaluate('line(0, "last")'), /barrier/);
      await on.client.disconnectRequest({ terminateDebuggee: false });
      await on.reopen();
      const held = await on.client.halt(on.client.join({ run }));
      assert.match(held.description ?? '', /^The script is done/);
      assert.equal(await on.client.evaluate(`norm("${third[framework]}")`), norm);
      await assert.rejects(
        Promise.all([on.client.trouble(), on.client.stepBackRequest({ threadId: 1 })]),
        /script is done/,
      );
      await on.client.finish();
      assert.equal((await (await on.workspace.store.open(run)).readManifest()).state, 'finished');
      await on.reopen();
      const { description } = await on.client.halt(on.client.join({ run, snapshot: 4 }));
      assert.match(description ?? '', /^Snapshot 4 of run/);
      assert.equal((await on.client.variables('Step')).get('step')?.value, '4');
      const [early] = [await on.client.evaluate(`norm("${third[framework]}")`)];
      assert.notEqual(early, norm);
      await on.client.over();
      assert.equal((await on.client.variables('Step')).get('step')?.value, '6');
      await on.client.go();
      assert.equal(await on.client.evaluate(`norm("${third[framework]}")`), norm, 'the last weights');
      assert.equal(await on.client.evaluate('loss("train")'), loss);
      assert.match(await on.client.evaluate('sharpness()'), /^λ₁ [\d.]+/);
      await on.client.back();
      await on.client.back();
      assert.equal(await on.client.evaluate(`norm("${third[framework]}")`), early);
      await assert.rejects(on.client.customRequest('basin.trainOn'), /before its first step/);
      const ended = on.client.waitForEvent('terminated');
      await on.client.disconnectRequest({});
      await ended;
    });

    it(`stops before a NaN of step 137 is applied, names its layer, and trains on without it from a step back (${framework})`, async function () {
      if (framework === 'torch') needs(this, 'torch');
      const { reason } = await on.client.halt(
        on.client.begin(framework, {
          launch: { env: { STEPS: '200', PLANT_NAN: '137' } },
          filters: ['non-finite'],
        }),
      );
      assert.equal(reason, 'exception');
      const { description } = (await on.client.exceptionInfoRequest({ threadId: 1 })).body;
      const name = third[framework].replace('.', '\\.');
      assert.match(
        description ?? '',
        new RegExp(
          `^The gradient of ${name}( \\(layer 4\\))? is NaN or infinite\\. Step 137 has not been applied`,
        ),
      );
      const { stackFrames } = (await on.client.stackTraceRequest({ threadId: 1 })).body;
      assert.equal(stackFrames[0]?.name, third[framework]);
      const requireFinite = async (): Promise<void> => {
        for (const layer of (await on.client.variables('Parameters')).values())
          for (const parameter of (await on.client.unfold(layer.variablesReference)).values()) {
            const numbers = await on.client.unfold(parameter.variablesReference);
            assert.ok(Number.isFinite(Number(numbers.get('norm')?.value)));
            assert.equal(numbers.get('weights NaN or infinite'), undefined);
          }
      };
      await requireFinite();

      // Back over the update that was never wanted: momentum is what it was, and the batches after this one are learned.
      const back = (await on.client.back()).description ?? '';
      assert.match(back, /^Back at the weights of step 137: weights, the optimizer's state.* is undone\. /);
      await requireFinite();
      await on.client.over();
      const { description: next } = await on.client.over();
      assert.match(next ?? '', /^After 140 steps/);
      assert.ok(Number.isFinite(Number((await on.client.variables('Step')).get('loss')?.value)));
      await requireFinite();
      await on.client.disconnectRequest({ terminateDebuggee: true });
    });

    const ways = {
      tfjs: { throw: 'RangeError: the data ran out', reject: 'the data ran out', exit: 'code 3' },
      torch: {
        throw: 'ValueError: the data ran out',
        memory: 'MemoryError',
        exit: 'sys.exit\\(3\\)',
        'hard exit': 'os._exit\\(3\\)',
        'builtin exit': 'exit\\(3\\)',
        'raised exit': 'SystemExit\\(3\\)',
        'deep exit': 'SystemExit, in what line \\d+ of train mé.py calls',
      },
    }[framework];
    for (const [how, why] of Object.entries(ways)) {
      it(`keeps what a script has left that fails, with the reason: ${how} (${framework})`, async function () {
        if (framework === 'torch') needs(this, 'torch');
        // A debugger outstays the time that the process is held for anybody's questions.
        const hold = how === 'throw' ? 0.01 : 0;
        const { reason, description } = await on.client.halt(
          on.client.begin(framework, { launch: { hold, env: { STEPS: '20', FAIL: '6', HOW: how } } }),
        );
        assert.equal(reason, 'exception');
        assert.match(description ?? '', new RegExp(`^The script has failed: .*${why}`));
        const run = await on.workspace.store.open(await on.client.runId());
        const held = await run.readManifest();
        assert.equal(held.state, 'held');
        assert.match(held.stateReason ?? '', new RegExp(why));
        assert.match(await on.client.evaluate('loss("train")'), /on 96 train samples/);
        assert.ok(Number(await on.client.evaluate(`norm("${third[framework]}")`)) > 0);
        const exited = on.client.waitForEvent('exited');
        await on.client.finish();
        assert.equal(
          ((await exited) as { body: { exitCode?: number } }).body.exitCode,
          how.endsWith('exit') ? 3 : 1,
        );
        const manifest = await run.readManifest();
        assert.equal(manifest.state, 'failed');
        assert.match(manifest.stateReason ?? '', new RegExp(how.endsWith('exit') ? '3' : why));
        assert.match(on.client.output.join(''), /failed: 7 steps/);
      });
    }
  }

  it('takes no exit for a failure that the script has caught', async function () {
    needs(this, 'torch');
    const env = { STEPS: '20', FAIL: '6', HOW: 'caught exit' };
    await on.client.halt(on.client.begin('torch', { launch: { env, stopOnEntry: true } }));
    await on.client.finish();
    assert.match(on.client.output.join(''), /finished: 20 steps/);
  });

  it('lets a script that has failed end when its debugger goes', async () => {
    await on.client.halt(on.client.begin('tfjs', { launch: { env: { FAIL: '6', HOW: 'throw' } } }));
    const run = await on.workspace.store.open(await on.client.runId());
    await on.client.disconnectRequest({ terminateDebuggee: false });
    await until(async () => (await run.readManifest()).state === 'failed');
  });

  it('tells of a full heap and of a signal why the run is over', async () => {
    const runtimeArgs = ['--max-old-space-size=60'];
    const env = { FAIL: '3', HOW: 'memory' };
    const full = on.client.waitForEvent('terminated');
    await on.client.begin('tfjs', { launch: { runtimeArgs, env } });
    await full;
    assert.match(on.client.output.join(''), /failed: \d+ steps.*heap is full/);
    await on.reopen();
    await on.client.halt(on.client.begin('tfjs', { launch: { stopOnEntry: true } }));
    const run = await on.workspace.store.open(await on.client.runId());
    const { process: training } = await run.readManifest();
    const gone = on.client.waitForEvent('terminated');
    process.kill(training?.pid ?? 0, 'SIGTERM');
    await gone;
    assert.match(on.client.output.join(''), /interrupted: 0 steps.*Ended by SIGTERM/);
    const late: Readonly<Record<string, object>> = {
      ...Object.fromEntries(
        ['next', 'continue', 'stepBack', 'pause', 'stackTrace'].map((command) => [command, { threadId: 1 }]),
      ),
      scopes: { frameId: 1 },
      variables: { variablesReference: 1 },
      evaluate: { expression: 'loss("train")' },
      'basin.snapshot': {},
      'basin.trainOn': {},
    };
    for (const [command, given] of Object.entries(late))
      await assert.rejects(on.client.send(command, given), /The session is over/, command);
  });

  for (const framework of frameworks)
    it(`refuses a run that another session debugs, and names that one (${framework})`, async function () {
      if (framework === 'torch') needs(this, 'torch');
      const launch = { stopOnEntry: true, name: 'Train it' };
      await on.client.halt(on.client.begin(framework, { launch }));
      const run = await on.client.runId();
      const other = await Client.open(on.workspace);
      try {
        await assert.rejects(
          other.join({ run }),
          /is debugged already, by the session "Train it" of a debug client \(process \d+\)\. Go on in that session/,
        );
      } finally {
        await other.stop();
      }
      await on.client.over();
      assert.equal((await on.client.variables('Step')).get('step')?.value, '0');
      await on.client.disconnectRequest({ terminateDebuggee: true });
    });

  for (const framework of frameworks)
    it(`waits for the first step of a run that is starting (${framework})`, async function () {
      if (framework === 'torch') needs(this, 'torch');
      const go = path.join(on.workspace.root, `go ${framework}`);
      const slow = await startSlowly(on.workspace, framework, go);
      const stopped = on.client.waitForEvent('stopped');
      const joined = on.client.join({ run: slow.run.id });
      await until(() => on.client.output.join('').includes('is still starting: waiting for its first'));
      writeFileSync(go, '');
      await joined;
      await stopped;
      assert.ok(Number((await on.client.variables('Step')).get('step')?.value) >= 0);
      await on.client.disconnectRequest({});
      slow.kill('SIGKILL');
      await slow.ended;
    });

  it('says of a run that ends while it starts that it has never taken a step', async () => {
    const slow = await startSlowly(on.workspace, 'tfjs', path.join(on.workspace.root, 'never'));
    const joined = on.client.join({ run: slow.run.id });
    joined.catch(() => undefined);
    await until(() => on.client.output.join('').includes('is still starting'));
    slow.kill('SIGKILL');
    await assert.rejects(joined, /is interrupted and has never taken a step/);
  });

  it('refuses an attachment to what is not there', async () => {
    await assert.rejects(on.client.join({ run: 'nothing' }), /No run has the id nothing/);
    await on.reopen();
    await assert.rejects(on.client.join({ snapshot: 'first' }), /"snapshot" cannot be "first"/);
  });
});
