/** Signals to a script that stands still: those that end it, and in Python those that raise an exception where it stands. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import type { Run } from '../../../src/runs/run.ts';
import { needs } from '../../harness/requires.ts';
import { third } from './client.ts';
import { debugging } from './debugging.ts';

const CATCHING = `import signal

import torch


def changed(number, frame):
    raise RuntimeError("the file has changed")


signal.signal(signal.SIGUSR1, changed)

torch.manual_seed(0)
x = torch.randn(32, 4)
net = torch.nn.Linear(4, 2)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
caught = 0
for step in range(12):
    try:
        optimizer.zero_grad()
        net(x).square().mean().backward()
        optimizer.step()
    except (KeyboardInterrupt, RuntimeError):
        caught += 1
print("caught", caught)
`;

describe('signals to a script that stands (torch)', function () {
  this.timeout(180_000);
  const on = debugging();
  before(function () {
    needs(this, 'torch');
  });

  async function signalled(signal: NodeJS.Signals): Promise<Run> {
    const run = await on.workspace.store.open(await on.client.runId());
    const { process: training } = await run.readManifest();
    process.kill(training?.pid ?? 0, signal);
    return run;
  }

  for (const place of ['gradient', 'boundary'] as const) {
    it(`tells of Ctrl+C at a ${place}, and what is left can be asked`, async () => {
      await on.client.halt(on.client.begin('torch', { launch: { stopOnEntry: true } }));
      await on.client.over();
      if (place === 'gradient') await on.client.into();
      let run: Run | null = null;
      const { reason, description } = await on.client.halt(async () => (run = await signalled('SIGINT')));
      assert.equal(reason, 'exception');
      assert.match(description ?? '', /^The script has failed: Interrupted \(Ctrl\+C\)/);
      assert.match(await on.client.evaluate('loss("train")'), /on 96 train samples/);
      assert.ok(Number(await on.client.evaluate(`norm("${third.torch}")`)) > 0);
      await on.client.finish();
      const manifest = await (run as unknown as Run).readManifest();
      assert.equal(manifest.state, 'interrupted');
      assert.match(manifest.stateReason ?? '', /Ctrl\+C/);
      const output = on.client.output.join('');
      assert.match(output, /Traceback[^]*train mé\.py[^]*KeyboardInterrupt/);
      assert.doesNotMatch(output, /basin_probe/, 'the frames are those of the script');
    });
  }

  for (const [signal, what] of [
    ['SIGINT', 'Ctrl+C'],
    ['SIGUSR1', "its own handler's exception"],
  ] as const)
    it(`stands again where a script that caught ${what} trains on`, async () => {
      const program = path.join(on.workspace.root, 'catching.py');
      writeFileSync(program, CATCHING);
      await on.client.halt(on.client.begin('torch', { launch: { stopOnEntry: true, program } }));
      await on.client.over();
      await on.client.over();
      await on.client.into();
      const { reason, description } = await on.client.halt(() => signalled(signal));
      assert.equal(reason, 'pause');
      assert.match(description ?? '', /A signal has taken the script away.*Inside of step 2/);
      await on.client.over();
      assert.equal((await on.client.variables('Step')).get('step')?.value, '2');
      await on.client.finish();
      assert.match(on.client.output.join(''), /^caught 1$/m);
    });

  for (const [signal, code, words] of [
    ['SIGTERM', 143, /interrupted: 1 steps.*Ended by SIGTERM/],
    ['SIGKILL', 137, /interrupted: 1 steps.*Killed \(SIGKILL/],
    ['SIGABRT', 134, /failed: 1 steps.*Crashed \(SIGABRT: a library/],
    ['SIGBUS', 128 + constants.signals.SIGBUS, /failed: 1 steps.*Crashed \(SIGBUS\)/],
  ] as const)
    it(`says which signal has ended it, and its exit code: ${signal}`, async () => {
      await on.client.halt(on.client.begin('torch', { launch: { stopOnEntry: true } }));
      await on.client.over();
      const exited = on.client.waitForEvent('exited');
      const gone = on.client.waitForEvent('terminated');
      const run = await signalled(signal);
      await gone;
      assert.equal(((await exited) as { body: { exitCode?: number } }).body.exitCode, code);
      assert.match(on.client.output.join(''), words);
      assert.equal((await run.readManifest()).recording.steps, (await run.readSteps()).length);
    });
});
