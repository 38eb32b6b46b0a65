/** The debug console's analyses, on a run that stands and on one that is over, its script started again. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { RunStore } from '../../../src/runs/runStore.ts';
import { needs } from '../../harness/requires.ts';
import type { Framework } from './client.ts';
import { third } from './client.ts';
import { debugging, frameworks } from './debugging.ts';

const SCRIPTS: Readonly<Record<Framework, readonly [string, string]>> = {
  tfjs: [
    'held out.mjs',
    `import * as tf from '@tensorflow/tfjs';
await tf.setBackend('cpu');
const x = tf.randomNormal([128, 6], 0, 1, 'float32', 1);
const y = tf.oneHot(tf.argMax(x.slice([0, 0], [128, 3]), 1), 3);
const model = tf.sequential({ layers: [
  tf.layers.dense({ units: 8, activation: 'tanh', inputShape: [6], kernelInitializer: tf.initializers.glorotNormal({ seed: 1 }) }),
  tf.layers.dense({ units: 3, activation: 'softmax', kernelInitializer: tf.initializers.glorotNormal({ seed: 2 }) }),
] });
model.compile({ optimizer: tf.train.sgd(0.1), loss: 'categoricalCrossentropy' });
await model.fit(x, y, { epochs: 10, batchSize: 24, validationSplit: 0.25, verbose: 0 });
`,
  ],
  torch: [
    'held out.py',
    `import torch
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(128, 6)
y = x[:, :3].argmax(1)
loader = DataLoader(TensorDataset(x[:96], y[:96]), batch_size=24)
held_out = DataLoader(TensorDataset(x[96:], y[96:]), batch_size=32)
net = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(10):
    net.train()
    for a, b in loader:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(a), b).backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        for a, b in held_out:
            torch.nn.functional.cross_entropy(net(a), b)
`,
  ],
};

describe('the debug console', function () {
  this.timeout(240_000);
  const on = debugging();

  async function askEverything(last: number): Promise<void> {
    const opened: string[] = [];
    const listen = (event: DebugProtocol.Event): void =>
      void opened.push((event.body as { kind: string }).kind);
    on.client.on('basin.result', listen);
    assert.match(await on.client.evaluate('sharpness()'), /^λ₁ [\d.]+, bound 20$/);
    assert.match(
      await on.client.evaluate('loss("validation")'),
      /^[\d.]+( ± [\d.]+)? on 32 validation samples$/,
    );
    assert.match(await on.client.evaluate(`line(0, ${last})`), /barrier/i);
    assert.match(await on.client.evaluate('contour()'), /\S/);
    assert.deepEqual(opened, ['line', 'contour']);
  }

  for (const framework of frameworks) {
    it(`answers questions that overlap as one after the other (${framework})`, async function () {
      if (framework === 'torch') needs(this, 'torch');
      await on.client.halt(on.client.begin(framework, { launch: { stopOnEntry: true } }));
      await on.client.over();
      await on.client.over();
      const model = await on.client.evaluate('model', 'hover');
      const numbers = [...(await on.client.numbers(third[framework]))].map(([name, { value }]) => [
        name,
        value,
      ]);
      assert.ok(
        numbers.some(([name]) => name === 'update norm'),
        'a step was made',
      );
      const loss = await on.client.evaluate('loss("train")');
      for (let i = 0; i < 3; i++) {
        // What is unfolded is computed once a stop: another one at the same weights.
        const [again, losses, ...hovers] = await Promise.all([
          freshNumbers(),
          Promise.all([1, 2].map(() => on.client.evaluate('loss("train")'))),
          ...Array.from({ length: 6 }, async (_, i) => {
            // One behind the other, so that each finds the others at another place of their work.
            for (let k = 0; k < i; k++) await on.client.evaluate(`norm("${third[framework]}")`);
            return on.client.evaluate('model', 'hover');
          }),
        ]);
        assert.deepEqual(again, numbers);
        assert.deepEqual(losses, [loss, loss]);
        assert.deepEqual(new Set(hovers), new Set([model]));
      }
      await on.client.disconnectRequest({});

      async function freshNumbers(): Promise<unknown[][]> {
        return [...(await on.client.numbers(third[framework]))].map(([name, { value }]) => [name, value]);
      }
    });

    it(`answers sharpness, losses, lines and contours at a stop and at a snapshot of a run that is over (${framework})`, async function () {
      if (framework === 'torch') needs(this, 'torch');
      const [name, source] = SCRIPTS[framework];
      const program = path.join(on.workspace.root, name);
      writeFileSync(program, source);
      const launch = { program, stopOnEntry: true, snapshotEvery: 4 };
      await on.client.halt(on.client.begin(framework, { launch }));
      // Past the first epoch, at whose end the held-out data are seen.
      for (let i = 0; i < 12; i++) await on.client.over();
      const step = Number((await on.client.variables('Step')).get('step')?.value);
      const run = await on.client.runId();
      await askEverything(step + 1);
      // At once behind a step, before the run's files say that it stands: it answers itself, no other process is started.
      await on.client.over();
      await on.client.evaluate('line(0)');
      const opened = await new RunStore(on.workspace.root).open(run);
      const lines = (await opened.analyses()).filter(({ kind }) => kind === 'line');
      assert.equal(lines.length, 2);
      for (const { provenance } of lines) assert.equal(provenance.evaluator, 'live');
      await on.client.finish();
      await on.reopen();
      await on.client.halt(on.client.join({ run, snapshot: 8 }));
      await askEverything(40);
      await on.client.disconnectRequest({});
    });
  }

  it('answers nothing of a loss that is another one at each call, which is called once more at most', async () => {
    const program = path.join(on.workspace.root, 'counted.mjs');
    writeFileSync(
      program,
      `import * as tf from '@tensorflow/tfjs';
await tf.setBackend('cpu');
const xs = tf.split(tf.randomNormal([64, 4], 0, 1, 'float32', 1), 4);
const w = tf.variable(tf.randomNormal([4, 1], 0, 0.4, 'float32', 3), true, 'w');
const optimizer = tf.train.sgd(0.05);
let calls = 0;
for (let step = 0; step < 12; step++) optimizer.minimize(() => xs[calls++ % 4].matMul(w).square().mean());
console.log('calls', calls);
`,
    );
    const line = 7;
    const breakpoints = [{ line, condition: 'step == 8' }];
    await on.client.halt(on.client.begin('tfjs', { launch: { program }, source: program, breakpoints }));
    for (const expression of ['loss("train")', 'sharpness()'])
      await assert.rejects(on.client.evaluate(expression), /does not come out again.*counters/);
    await on.client.finish();
    assert.match(on.client.output.join(''), /calls 13\b/);
  });
});
