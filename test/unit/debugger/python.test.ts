/** The debug adapter over a PyTorch script: a breakpoint, λ₁, a planted NaN, a step back with random streams, and a module. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { DebugClient } from '@vscode/debugadapter-testsupport';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { makeWorkspace, type Workspace } from '../../fixtures/runs.ts';
import { needs } from '../../harness/requires.ts';

const adapter = fileURLToPath(new URL('../../../dist/debugAdapter.cjs', import.meta.url));

const SCRIPT = `import os
import torch
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(160, 6)
loader = DataLoader(TensorDataset(x, x[:, :3].argmax(1)), batch_size=32, shuffle=True, num_workers=1)
net = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 8), torch.nn.Linear(8, 3))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
step = 0
for _ in range(6):
    for a, b in loader:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(a), b).backward()
        if step == int(os.environ.get("PLANT_NAN", -1)):
            net[2].weight.grad[0, 0] = float("nan")
        optimizer.step()
        step += 1
print("trained")
`;
const STEP_LINE = 1 + SCRIPT.split('\n').findIndex((line) => line.includes('optimizer.step()'));

describe('the debug adapter in Python', function () {
  this.timeout(180_000);
  let workspace: Workspace;
  let client: DebugClient;
  let program = '';
  let python = '';

  before(async function () {
    needs(this, 'bundles');
    needs(this, 'torch');
    python = process.env.BASIN_TEST_PYTHON ?? '';
    workspace = await makeWorkspace();
    mkdirSync(path.join(workspace.root, 'package'));
    program = path.join(workspace.root, 'package', 'train.py');
    writeFileSync(program, SCRIPT);
    writeFileSync(path.join(workspace.root, 'package', '__init__.py'), '');
  });
  after(() => workspace.remove());
  beforeEach(async () => {
    client = new DebugClient(process.execPath, adapter, 'basin');
    client.defaultTimeout = 90_000;
    await client.start();
  });
  afterEach(() => client.stop());

  const thread = { threadId: 1 };
  const stopped = () => client.waitForEvent('stopped') as Promise<DebugProtocol.StoppedEvent>;
  const evaluate = async (expression: string): Promise<string> =>
    (await client.evaluateRequest({ expression, context: 'repl' })).body.result;

  async function launch(
    more: object,
    breakpoints: DebugProtocol.SourceBreakpoint[],
    filters: string[] = [],
  ): Promise<void> {
    await client.initializeRequest();
    const settings = {
      root: workspace.root,
      runtime: python,
      ...more,
    } as DebugProtocol.LaunchRequestArguments;
    const launched = client.launchRequest(settings);
    await client.setBreakpointsRequest({ source: { path: program }, breakpoints });
    await client.setExceptionBreakpointsRequest({ filters });
    await launched;
    await client.configurationDoneRequest();
  }

  it('stops at a condition in a module with loader workers, ends an epoch, steps back, and ends with the script', async () => {
    const output: string[] = [];
    client.on('output', (event: DebugProtocol.OutputEvent) => output.push(event.body.output));
    const first = stopped();
    await launch({ module: 'package.train' }, [
      { line: STEP_LINE, condition: 'step == 3 && gradientNorm > 0' },
    ]);
    assert.equal((await first).body.reason, 'breakpoint');
    assert.equal(await evaluate('epoch'), '0');
    assert.match(await evaluate('sharpness()'), /^λ₁ [\d.]+, bound 38$/);
    assert.ok(Number(await evaluate('gradient("0.weight")')) > 0);

    let next = stopped();
    await client.stepOutRequest(thread);
    assert.match((await next).body.description ?? '', /^Epoch 0 is over/);
    assert.equal(await evaluate('step'), '5');
    next = stopped();
    await client.nextRequest(thread);
    await next;
    next = stopped();
    await client.nextRequest(thread);
    await next;
    next = stopped();
    await client.stepBackRequest(thread);
    assert.match(
      (await next).body.description ?? '',
      /Back at the weights of step 6: .*random stream of torch/,
    );

    const ended = client.waitForEvent('terminated');
    await client.continueRequest(thread);
    await ended;
    assert.match(output.join(''), /^trained$/m);
  });

  it('stops before a planted NaN is applied, and names the parameter', async () => {
    const stop = stopped();
    await launch({ program, env: { PLANT_NAN: '11' } }, [], ['non-finite']);
    assert.equal((await stop).body.reason, 'exception');
    const { description } = (await client.exceptionInfoRequest(thread)).body;
    assert.match(
      description ?? '',
      /gradient of 2\.weight \(layer 2\) is NaN or infinite\. Step 11 has not been applied/,
    );
    assert.ok(Number.isFinite(Number(await evaluate('norm("2.weight")'))));
    await client.disconnectRequest({ terminateDebuggee: true });
  });
});
