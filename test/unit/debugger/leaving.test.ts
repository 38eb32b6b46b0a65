/** A launch that is refused, or left at any moment: no process of the session goes on, and it can be tried again. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { UnderRequest } from '../../../src/debugger/debuggedRun.ts';
import { needs, testPython } from '../../harness/requires.ts';
import { slowly } from './client.ts';
import { debugging, frameworks, until } from './debugging.ts';

/** Gradients that do not come from backward(); the process that it starts ends with it. */
const BY_HAND = `import subprocess
import sys
import time

import torch

subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", __file__])
net = torch.nn.Linear(4, 2)
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for _ in range(10_000):
    loss = net(torch.randn(8, 4)).square().mean()
    for p, g in zip(net.parameters(), torch.autograd.grad(loss, list(net.parameters()))):
        p.grad = g
    optimizer.step()
    time.sleep(0.05)
`;

const GRADS_BY_HAND = `import * as tf from '@tensorflow/tfjs';

await tf.setBackend('cpu');
const weights = tf.variable(tf.ones([4]), true, 'weights');
const optimizer = tf.train.sgd(0.01);
for (let step = 0; step < 10_000; step++) {
  const [gradient] = tf.grads((w) => w.square().sum())([weights]);
  optimizer.applyGradients({ weights: gradient });
  await new Promise((resolve) => setTimeout(resolve, 50));
}
`;

type LaunchArguments = DebugProtocol.LaunchRequestArguments;

describe('a debug session that is left', function () {
  this.timeout(180_000);
  const on = debugging();

  /** Processes whose command names the workspace: the script's, and what it has started. */
  function processes(): string[] {
    const all = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,stat=,command='], { encoding: 'utf8' });
    return all.split('\n').filter((line) => line.includes(on.workspace.root) && !/^\s*\d+\s+Z/.test(line));
  }

  const settings = (framework: (typeof frameworks)[number], more: object = {}): LaunchArguments =>
    ({
      program: on.workspace.programs[framework],
      root: on.workspace.root,
      runtime: framework === 'tfjs' ? process.execPath : testPython(),
      stopOnEntry: true,
      env: { STEPS: '1000000' },
      ...more,
    }) as LaunchArguments;

  const runs = (): string[] => {
    const folder = path.join(on.workspace.root, '.basin/runs');
    return existsSync(folder) ? readdirSync(folder) : [];
  };

  afterEach(async () => {
    await until(() => processes().length === 0);
  });

  const moments = {
    'at once': () => Promise.resolve(),
    'while its process starts': () => until(() => processes().length > 0),
    'while it stands and is not configured': () =>
      until(() =>
        runs().some((run) => existsSync(path.join(on.workspace.root, '.basin/runs', run, 'endpoint.json'))),
      ),
    'while it stands': async () => {
      const stopped = on.client.waitForEvent('stopped');
      await on.client.configurationDoneRequest();
      await stopped;
    },
    'while it trains': async () => {
      const stopped = on.client.waitForEvent('stopped');
      await on.client.configurationDoneRequest();
      await stopped;
      await on.client.continueRequest({ threadId: 1 });
    },
  };
  const ways = {
    disconnected: () => on.client.disconnectRequest({}),
    terminated: () => on.client.terminateRequest({}),
  };
  for (const framework of frameworks)
    for (const [moment, reached] of Object.entries(moments))
      for (const [way, leave] of Object.entries(ways))
        it(`leaves no process when it is ${way} ${moment} (${framework})`, async function () {
          if (framework === 'torch') needs(this, 'torch');
          const before = new Set(runs());
          const ended = on.client.waitForEvent('terminated');
          const launched = on.client.launchRequest(settings(framework)).catch(() => undefined);
          await reached();
          await leave();
          await Promise.all([ended, launched]);
          await until(() => processes().length === 0);
          for (const id of runs().filter((run) => !before.has(run))) {
            const { state, stateReason } = await (await on.workspace.store.open(id)).readManifest();
            assert.equal(state, 'interrupted');
            assert.match(stateReason ?? '', /^Ended by its debugger( before|; \d+ steps)/);
          }
        });

  for (const [way, leave] of Object.entries(ways))
    it(`has the code debugger end the script when it is ${way} before its first step`, async function () {
      needs(this, 'torch');
      const before = new Set(runs());
      let started: Promise<unknown> = Promise.resolve();
      const under = new Promise<() => void>((resolve) =>
        on.client.on('basin.startUnder', ({ body }: { body: UnderRequest }) => {
          const [program = '', ...args] = body.command;
          const code = spawn(program, args, {
            cwd: body.cwd,
            env: { ...process.env, ...body.env },
            stdio: 'ignore',
          });
          started = once(code, 'exit');
          resolve(() => code.kill('SIGKILL'));
        }),
      );
      const slow = slowly(on.workspace, 'torch', path.join(on.workspace.root, 'never'));
      const launched = on.client.launchRequest(settings('torch', { ...slow, under: 'debugpy' }));
      const refused = assert.rejects(launched, /Cancelled/);
      const end = await under;
      await until(() => processes().length > 0);
      let told = 0;
      on.client.on('basin.endUnder', () => told++);
      try {
        // A code debugger may take its time: the answer does not wait for it.
        await leave();
        assert.equal(told, 1, 'the client is told before the answer, behind which it ends the adapter');
      } finally {
        end();
      }
      await Promise.all([refused, started]);
      const [id = ''] = runs().filter((run) => !before.has(run));
      const { state, stateReason } = await (await on.workspace.store.open(id)).readManifest();
      assert.equal(state, 'interrupted');
      assert.match(stateReason ?? '', /^Ended by its debugger before the first training step/);
    });

  it('lets a script train on that is disconnected while it starts, where the client wants that', async () => {
    const before = new Set(runs());
    const launched = on.client.launchRequest(settings('tfjs', { env: { STEPS: '20' } }));
    await until(() => processes().length > 0);
    await on.client.disconnectRequest({ terminateDebuggee: false });
    await launched;
    const [id = ''] = runs().filter((run) => !before.has(run));
    const run = await on.workspace.store.open(id);
    await until(async () => (await run.readManifest()).state === 'finished');
    assert.equal((await run.readSteps()).length, 20);
  });

  it('refuses updates of gradients that it cannot see being taken, with a cure, and leaves nothing running', async () => {
    const program = path.join(on.workspace.root, 'by hand.mjs');
    writeFileSync(program, GRADS_BY_HAND);
    await assert.rejects(
      on.client.launchRequest(settings('tfjs', { program })),
      /applies gradients that it takes by itself[^]*computeGradients/,
    );
    assert.deepEqual(processes(), []);
    const { state, stateReason } = await (await on.workspace.store.open('last')).readManifest();
    assert.equal(state, 'interrupted');
    assert.match(stateReason ?? '', /applies gradients that it takes by itself/);
  });

  it('refuses gradients made by hand with a cure, leaves nothing running, and launches another script then', async function () {
    needs(this, 'torch');
    const program = path.join(on.workspace.root, 'by hand.py');
    writeFileSync(program, BY_HAND);
    await assert.rejects(
      on.client.launchRequest(settings('torch', { program })),
      /did not come from backward\(\)[^]*basin_probe/,
    );
    assert.deepEqual(processes(), []);
    const { state, stateReason } = await (await on.workspace.store.open('last')).readManifest();
    assert.equal(state, 'interrupted');
    assert.match(stateReason ?? '', /did not come from backward/);
    await on.client.halt(on.client.begin('torch', { launch: { stopOnEntry: true } }));
    assert.equal((await on.client.variables('Step')).get('step')?.value, '0');
    await on.client.disconnectRequest({});
  });
});
