/** Conditions, norms and events whose stop is not the usual one: not known, not to be calculated, over, told already. */
import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { needs } from '../../harness/requires.ts';
import { stepLine, third, type Framework } from './client.ts';
import { debugging, frameworks } from './debugging.ts';

const scripts = fileURLToPath(new URL('../../fixtures/scripts', import.meta.url));

/** The optimizer that no bound on λ₁ is known for; in TensorFlow.js by fit. */
const ADAM: Readonly<Record<Framework, readonly [file: string, source: string]>> = {
  tfjs: [
    'adam.mjs',
    `import * as tf from '@tensorflow/tfjs';
await tf.setBackend('cpu');
const x = tf.randomNormal([96, 6], 0, 1, 'float32', 1);
const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [6] })] });
model.compile({ optimizer: tf.train.adam(0.01), loss: 'meanSquaredError' });
await model.fit(x, x.sum(1, true), { epochs: 20, batchSize: 24, verbose: 0 });
`,
  ],
  torch: [
    'adam.py',
    `import torch
torch.manual_seed(0)
x = torch.randn(96, 6)
net = torch.nn.Linear(6, 1)
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for _ in range(80):
    optimizer.zero_grad()
    torch.nn.functional.mse_loss(net(x), x.sum(1, keepdim=True)).backward()
    optimizer.step()
`,
  ],
};

for (const framework of frameworks)
  describe(`stops (${framework})`, function () {
    this.timeout(120_000);
    const on = debugging();
    before(function () {
      if (framework === 'torch') needs(this, 'torch');
    });
    afterEach(() => on.client.disconnectRequest({ terminateDebuggee: true }));

    const line = stepLine[framework];
    const step = async (): Promise<number> => Number((await on.client.variables('Step')).get('step')?.value);
    const description = async (): Promise<string> =>
      (await on.client.exceptionInfoRequest({ threadId: 1 })).body.description ?? '';
    const program = (): string => on.workspace.programs[framework];
    const place = (breakpoints: DebugProtocol.SourceBreakpoint[], file = program()) =>
      on.client.setBreakpointsRequest({ source: { path: file }, breakpoints });

    it('says what of a condition cannot be calculated, and stands there', async () => {
      const stop = await on.client.halt(
        on.client.begin(framework, { breakpoints: [{ line, condition: 'step == 3 && loss * "2" > 1' }] }),
      );
      assert.equal(stop.reason, 'breakpoint');
      assert.match(stop.description ?? '', /Step 3: .*cannot be told: "2" is not a number/);
      assert.equal(await step(), 3);
      assert.match(on.client.output.join(''), /cannot be told: "2" is not a number/);
      await place([{ line, condition: 'step == 7' }]);
      await on.client.go();
      assert.equal(await step(), 7);
    });

    it('measures λ₁ only where a condition comes to need it', async () => {
      await on.client.halt(
        on.client.begin(framework, {
          launch: { liveBudget: 0 },
          breakpoints: [
            { line, condition: 'step > 1000 && lambda1 > 0' },
            { line, condition: 'step == 5' },
          ],
        }),
      );
      assert.equal(await step(), 5);
      assert.match((await on.client.variables('Step')).get('lambda1')?.value ?? '', /not measured yet/);
      await place([{ line, condition: 'step == 8 && eta * lambda1 > 0' }]);
      await on.client.go();
      assert.equal(await step(), 8);
      assert.match((await on.client.variables('Step')).get('lambda1')?.value ?? '', /^[\d.]+$/);
    });

    it('does not stop where a value is not known, and says so once', async () => {
      await on.client.halt(
        on.client.begin(framework, {
          breakpoints: [
            { line, condition: 'epoch != 5' },
            { line, condition: 'step == 9' },
          ],
        }),
      );
      assert.equal(await step(), 9);
      const said = on.client.output.filter((text) => text.includes('epoch is not known'));
      assert.deepEqual(said.length, 1, said.join(''));
      await assert.rejects(on.client.evaluate('loss("test")'), /no split "test".*"train"/);
    });

    it('goes on counting hits when breakpoints of other files change', async () => {
      await on.client.halt(
        on.client.begin(framework, {
          breakpoints: [
            { line, hitCondition: '8' },
            { line, condition: 'step == 4' },
          ],
        }),
      );
      assert.equal(await step(), 4);
      await place([{ line: 3 }], path.join(on.workspace.root, 'other.mjs'));
      await on.client.go();
      assert.equal(await step(), 7);
    });

    it('keeps a data breakpoint that was set before there was training, and stops once where the norm leaves', async () => {
      const placed = (
        await on.client.setDataBreakpointsRequest({
          breakpoints: [{ dataId: third[framework], condition: '' }],
        })
      ).body.breakpoints;
      assert.deepEqual(
        placed.map(({ verified, message }) => [verified, message]),
        [[false, 'Waiting for the first training step.']],
      );
      const told: DebugProtocol.Breakpoint[] = [];
      on.client.on('breakpoint', (event: DebugProtocol.BreakpointEvent) => told.push(event.body.breakpoint));
      const breakpoints = [{ line, condition: 'step == 3' }];
      await on.client.halt(on.client.begin(framework, { launch: { env: { STEPS: '100000' } }, breakpoints }));
      assert.equal(await step(), 3);
      const bounds = ({ message }: Partial<DebugProtocol.Breakpoint> = {}): string =>
        /its bounds: (.*)\.$/.exec(message ?? '')?.[1] ?? 'none';
      const begun = bounds(told.find(({ id, verified }) => id === placed[0]?.id && verified));
      // Clients send all of them when there is another one: those that stay stay where they are.
      const [kept, added] = (
        await on.client.setDataBreakpointsRequest({
          breakpoints: [{ dataId: third[framework] }, { dataId: third[framework], condition: '< 1e9' }],
        })
      ).body.breakpoints;
      assert.equal(kept?.id, placed[0]?.id);
      assert.equal(bounds(kept), begun);
      assert.equal(bounds(added), 'at most 1000000000');
      const stop = await on.client.go();
      assert.equal(stop.reason, 'data breakpoint');
      assert.ok((stop.description ?? '').endsWith(`its bounds, ${begun}.`), stop.description);
      assert.match(
        stop.description ?? '',
        /^The norm of \S+ is [\d.]+: it has left its bounds, [\d.]+ … [\d.]+\.$/,
      );
      assert.ok(told.some(({ id, verified }) => id === placed[0]?.id && verified));
      // It is outside from now on, which is no news.
      const at = await step();
      await place([{ line, condition: `step == ${at + 5}` }]);
      assert.equal((await on.client.go()).reason, 'breakpoint');
      assert.equal(await step(), at + 5);
      const outside = (
        await on.client.setDataBreakpointsRequest({
          breakpoints: [{ dataId: third[framework], condition: '< 0.001' }],
        })
      ).body.breakpoints[0];
      assert.match(outside?.message ?? '', /outside of its bounds already: at most 0\.001/);
    });

    it('takes the losses after going back for no spike', async () => {
      await on.client.halt(
        on.client.begin(framework, {
          launch: { env: { STEPS: '400' } },
          filters: ['loss-spike'],
          breakpoints: [{ line, condition: 'step == 150' }],
        }),
      );
      await on.client.halt(on.client.reverseContinueRequest({ threadId: 1 }));
      await place([{ line, condition: 'step == 190' }]);
      assert.equal((await on.client.go()).reason, 'breakpoint');
      assert.equal(await step(), 190);
    });

    it('tells of NaN once, and of weights that are NaN already where it began', async () => {
      const { reason } = await on.client.halt(
        on.client.begin(framework, {
          launch: { env: { PLANT_NAN: '17' } },
          filters: ['non-finite'],
          breakpoints: [{ line, condition: 'step == 20' }],
        }),
      );
      assert.equal(reason, 'exception');
      assert.equal(await step(), 17);
      assert.equal((await on.client.go()).reason, 'breakpoint');
      assert.equal(await step(), 20);
      await on.client.setExceptionBreakpointsRequest({ filters: [] });
      await on.client.setExceptionBreakpointsRequest({ filters: ['non-finite'] });
      assert.equal((await on.client.go()).reason, 'exception');
      assert.equal(await step(), 21);
      assert.match(
        await description(),
        new RegExp(`^The weights of \\d+ of \\d+ parameters are NaN .*already\\. .*${third[framework]}`),
      );
    });

    it('names every layer whose gradient vanishes at a step, also where the filter comes on later', async () => {
      const file = path.join(on.workspace.root, framework === 'tfjs' ? 'events.mjs' : 'events.py');
      cpSync(path.join(scripts, path.basename(file)), file);
      const launch = { program: file, env: { EVENT: 'vanish', STEPS: '80' } };
      await on.client.halt(
        on.client.begin(framework, { launch, filters: ['gradient-exploded', 'gradient-vanished'] }),
      );
      const both =
        framework === 'tfjs' ? /of first is .* of bias is/ : /of first\.weight is .* of first\.bias is/;
      assert.equal(await step(), 15);
      assert.match(await description(), both);
      await on.client.setExceptionBreakpointsRequest({ filters: ['gradient-exploded'] });
      await on.client.over();
      await on.client.over();
      await on.client.setExceptionBreakpointsRequest({ filters: ['gradient-exploded', 'gradient-vanished'] });
      assert.equal((await on.client.go()).reason, 'exception');
      assert.match(await description(), both);
    });

    it('says why the edge of stability cannot be watched for', async () => {
      const [name, source] = ADAM[framework];
      const file = path.join(on.workspace.root, name);
      writeFileSync(file, source);
      await on.client.halt(on.client.begin(framework, { launch: { program: file, stopOnEntry: true } }));
      const values = await on.client.variables('Step');
      assert.equal(values.get('lr')?.value, '0.01');
      assert.match(values.get('bound')?.value ?? '', /not known: Adam scales each parameter by itself/);
      const { body } = await on.client.setExceptionBreakpointsRequest({ filters: ['edge-of-stability'] });
      const [filter] = (body as { breakpoints: DebugProtocol.Breakpoint[] }).breakpoints;
      assert.equal(filter?.verified, false);
      assert.match(filter?.message ?? '', /cannot be watched for: Adam/);
      await on.client.finish();
      assert.equal(on.client.output.filter((text) => text.includes('cannot be watched for: Adam')).length, 1);
    });

    it('says of breakpoints of a run that is over that they can never be hit', async () => {
      await on.client.begin(framework, { launch: { hold: 600 } });
      await on.client.waitForEvent('stopped');
      const run = await on.client.runId();
      const [held] = (await place([{ line }])).body.breakpoints;
      assert.deepEqual([held?.verified, held?.message], [false, OVER]);
      await on.client.finish();
      await on.reopen();
      await on.client.halt(on.client.join({ run }));
      const [walked] = (await place([{ line }])).body.breakpoints;
      assert.deepEqual([walked?.verified, walked?.message], [false, OVER]);
      const { body } = await on.client.setExceptionBreakpointsRequest({ filters: ['plateau'] });
      assert.equal((body as { breakpoints: DebugProtocol.Breakpoint[] }).breakpoints[0]?.verified, false);
    });
  });

describe('stops where several gradients make an update, by optimizers in turn (tfjs)', function () {
  this.timeout(60_000);
  const on = debugging();
  afterEach(() => on.client.disconnectRequest({ terminateDebuggee: true }));

  it('looks at the whole gradient before it is applied, goes on through another optimizer, and says what is new', async () => {
    const file = path.join(on.workspace.root, 'accumulating.mjs');
    cpSync(path.join(scripts, 'accumulating.mjs'), file);
    const line =
      1 +
      readFileSync(file, 'utf8')
        .split('\n')
        .findIndex((text) => text.includes('applyGradients('));
    const breakpoints = [{ line, condition: 'step == 4 && gradientNorm > 0' }];
    const launch = { program: file, stopOnEntry: true };
    await on.client.halt(
      on.client.begin('tfjs', { launch, source: file, breakpoints, filters: ['non-finite'] }),
    );
    // The first step as well stands where both of its gradients are about to be applied.
    assert.equal((await on.client.variables('Optimizer')).get('name')?.value, 'SGD');
    const before = Number(await on.client.evaluate('norm("w")'));
    const first = Number(await on.client.evaluate('gradient("w")'));
    const inside = Number(await on.client.evaluate('gradientNorm'));
    assert.ok(before > 0 && Math.abs(inside / first - 1) < 1e-3, `${inside} and ${first}`);
    assert.equal((await on.client.into()).description, 'After 1 steps.');

    const stop = await on.client.go();
    assert.equal(stop.reason, 'breakpoint');
    assert.equal((await on.client.variables('Optimizer')).get('name')?.value, 'Adam');
    const whole = Number((await on.client.variables('Step')).get('gradientNorm')?.value);
    assert.ok(whole > 0);
    // The same gradient as the record's, to the digits that are shown.
    assert.ok(Math.abs(Number(await on.client.evaluate('gradient("w")')) / whole - 1) < 1e-3);

    assert.equal((await on.client.go()).reason, 'exception');
    const { description } = (await on.client.exceptionInfoRequest({ threadId: 1 })).body;
    assert.equal(
      description,
      'The gradient of w is NaN or infinite. Step 5 has not been applied: the weights are those before it.',
    );
    assert.match(await on.client.evaluate('norm("w")'), /^0\.\d+$/);
    const back = await on.client.back();
    assert.match(
      back.description ?? '',
      /^Back at the weights of step 5: weights, the optimizer's state\. .*undone/,
    );
    assert.match(await on.client.evaluate('norm("w")'), /^0\.\d+$/);
    await on.client.finish();
    const said = on.client.output.filter((text) => text.includes('begun to train other weights'));
    assert.equal(said.length, 1, on.client.output.join(''));
    assert.match(said[0] ?? '', /objective 1 of the run/);
  });
});

const OVER = 'No more steps are taken here: it can never be hit.';

describe('requests that training cannot do', function () {
  this.timeout(60_000);
  const on = debugging();

  it('are refused, with what can be done instead', async () => {
    for (const [command, expected] of [
      ['restart', /restarted by ending this session/],
      ['goto', /step back, or set a breakpoint/],
      ['gotoTargets', /no other place/],
      ['setVariable', /looked at and not changed/],
      ['setExpression', /looked at and not changed/],
      ['restartFrame', /step back/],
      ['setFunctionBreakpoints', /line that takes the step/],
      ['readMemory', /code debugger/],
    ] as const)
      await assert.rejects(on.client.send(command, { breakpoints: [] }), expected, command);
  });
});
