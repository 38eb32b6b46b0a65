/** PyTorch loops of other kinds: steps by closures, an optimizer made anew, gradients that are clipped together. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { needs } from '../../harness/requires.ts';
import { debugging } from './debugging.ts';

/** Trains by closures, with another optimizer from step 8 on; NaN comes at step PLANT_NAN. Ends well if its group is still in use. */
const SCRIPT = `import os
import torch

torch.manual_seed(0)
x = torch.randn(64, 4)
y = x.sum(1, keepdim=True)
net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
kind = getattr(torch.optim, os.environ["KIND"])
optimizer = kind(net.parameters(), lr=0.01)
group = optimizer.param_groups[0]


def closure():
    optimizer.zero_grad()
    loss = ((net(x) - y) ** 2).mean()
    loss.backward()
    if step == int(os.environ.get("PLANT_NAN", -1)):
        net[0].weight.grad[0, 0] = float("nan")
    return loss


for step in range(12):
    if step == 8 and kind is torch.optim.Adam:
        assert optimizer.param_groups[0] is group
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    optimizer.step(closure)
assert all(p.isfinite().all() for p in net.parameters())
print("trained well")
`;
const stepLine = 1 + SCRIPT.split('\n').findIndex((line) => line.includes('optimizer.step(closure)'));

describe('optimizers with closures in the debugger', function () {
  this.timeout(120_000);
  const on = debugging();
  let program = '';
  before(function () {
    needs(this, 'torch');
    program = path.join(on.workspace.root, 'closures.py');
    writeFileSync(program, SCRIPT);
  });
  const back = async (): Promise<string> => (await on.client.back()).description ?? '';

  for (const kind of ['Adam', 'LBFGS'])
    it(`stop inside of a step, before a NaN is applied, and go back over it (${kind})`, async () => {
      const { reason, description } = await on.client.halt(
        on.client.begin('torch', {
          launch: { program, env: { KIND: kind, PLANT_NAN: '6' }, snapshotEvery: 1000 },
          source: program,
          breakpoints: [{ line: stepLine, condition: 'step == 4' }],
          filters: ['non-finite'],
        }),
      );
      assert.deepEqual([reason, description], ['breakpoint', 'step == 4 at step 4']);
      const loss = Number(await on.client.evaluate('loss'));
      const norm = Number(await on.client.evaluate('gradient("0.weight")'));
      assert.ok(loss > 0 && norm > 0);
      assert.ok(
        Math.abs(Number(await on.client.evaluate('loss("train")').then(parseFloat)) - loss) < 1e-4 * loss,
      );

      const nan = await on.client.halt(on.client.continueRequest({ threadId: 1 }));
      assert.equal(nan.reason, 'exception');
      const told = (await on.client.exceptionInfoRequest({ threadId: 1 })).body.description ?? '';
      assert.match(
        told,
        /^The gradient of 0\.weight \(layer 0\) is NaN or infinite\. Step 6 has not been applied/,
      );
      assert.match(
        await back(),
        /^Back at the weights of step 6: weights, the optimizer's state.* is undone\./,
      );
      await on.client.finish();
      assert.match(on.client.output.join(''), /trained well/);
    });

  it('leave an optimizer alone that has taken the place of the one that was kept', async () => {
    await on.client.halt(
      on.client.begin('torch', {
        launch: { program, env: { KIND: 'Adam' }, snapshotEvery: 1000 },
        source: program,
        breakpoints: ['step == 7', 'step == 9'].map((condition) => ({ line: stepLine, condition })),
      }),
    );
    await on.client.halt(on.client.continueRequest({ threadId: 1 }));
    assert.match(await back(), /^Back at the weights of step 9: weights, the optimizer's state/);
    assert.match(
      await back(),
      /^Back at the weights of step 7: weights, .* Not put back: the optimizer's state \(the script has made another optimizer since\)/,
    );
    await on.client.finish();
    assert.match(on.client.output.join(''), /trained well/);
  });
});

/** Registered in another order than it runs; the gradient of what comes in is NaN at step 5, and all are clipped together. */
const CLIPPED = `import torch

torch.manual_seed(0)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(12, 3)
        self.body = torch.nn.Linear(6, 12)
        self.stem = torch.nn.Linear(6, 6)

    def forward(self, x):
        h = self.body(torch.tanh(self.stem(x)))
        if step == 5:
            h.register_hook(lambda g: g * float("nan"))
        return self.head(torch.tanh(h))


net = Net()
x = torch.randn(96, 6)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(8):
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(net(x), x[:, :3].argmax(1)).backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
`;

describe('where NaN began in the debugger', function () {
  this.timeout(120_000);
  const on = debugging();

  it('is told as it was before clipping, in the order in which layers run', async function () {
    needs(this, 'torch');
    const program = path.join(on.workspace.root, 'clipped.py');
    writeFileSync(program, CLIPPED);
    await on.client.halt(on.client.begin('torch', { launch: { program }, filters: ['non-finite'] }));
    const { description } = (await on.client.exceptionInfoRequest({ threadId: 1 })).body;
    assert.match(
      description ?? '',
      /^The gradients of 4 of 6 parameters are NaN or infinite, stem\.\w+ to body\.\w+: by their order it comes from body\.\w+ \(layer body\) or behind it\. Step 5/,
    );
    await on.client.disconnectRequest({ terminateDebuggee: true });
  });
});
