/** What is written into PyTorch scripts: the text, and that the scripts then run and do what was asked. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { averageInPython, updateBatchNormInPython } from '../../../../src/surface/fixes/averagePython.ts';
import { shuffleInPython } from '../../../../src/surface/fixes/shufflePython.ts';
import { applyEdits, type SourceEdit } from '../../../../src/surface/fixes/sourceEdit.ts';
import { needs, testPython } from '../../../harness/requires.ts';

const script = `import torch
from torch.utils.data import DataLoader, TensorDataset  # the data

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 2))
data = TensorDataset(torch.randn(64, 4), torch.randint(0, 2, (64,)))
loader = DataLoader(data, batch_size=16)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
EPOCHS = 8
for epoch in range(EPOCHS):
    for x, y in loader:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()  # one update
    print(epoch)
print('done')
`;
const edited = (source: string, fix: (source: string) => SourceEdit[] | null): string => {
  const edits = fix(source);
  assert.ok(edits !== null, 'something is offered');
  return applyEdits(source, edits);
};

describe('averaging, written into a PyTorch script', () => {
  it('averages at the end of each of the last epochs, with batch-norm statistics of its own', () => {
    const after = edited(script, averageInPython);
    assert.deepEqual(
      after.split('\n').filter((line) => !script.split('\n').includes(line)),
      [
        'from torch.optim.swa_utils import AveragedModel, update_bn',
        'swa_model = AveragedModel(model)',
        '    if epoch >= 3 * (EPOCHS) // 4:',
        '        swa_model.update_parameters(model)',
        'update_bn(loader, swa_model)',
      ],
    );
    assert.match(after, /# one update\n {4}if epoch/);
    assert.match(after, /swa_model = AveragedModel\(model\)\nfor epoch/);
    assert.match(after, /print\(epoch\)\nupdate_bn\(loader, swa_model\)\nprint\('done'\)/);
    assert.equal(averageInPython(after), null, 'it is offered once');
  });

  it('is a moving average at every step where no counter says how far training is', () => {
    const after = edited(
      script.replace('for epoch in range(EPOCHS):', 'while not finished():'),
      averageInPython,
    );
    assert.match(after, /AveragedModel\(model, multi_avg_fn=get_ema_multi_avg_fn\(0\.999\)\)/);
    assert.match(after, /# one update\n {8}swa_model\.update_parameters\(model\)\n/);
  });

  it('stays inside of a function, and keeps tabs and line ends', () => {
    const inside = [
      'import torch',
      'def main(net, n):',
      '\tadam = torch.optim.Adam(net.parameters(), lr=0.1)',
      '\tfor i in range(2, n):',
      '\t\tadam.step()',
      '',
      'main(None, 3)',
      '',
    ].join('\r\n');
    assert.equal(
      edited(inside, averageInPython),
      [
        'import torch',
        'from torch.optim.swa_utils import AveragedModel',
        'def main(net, n):',
        '\tadam = torch.optim.Adam(net.parameters(), lr=0.1)',
        '\tswa_model = AveragedModel(net)',
        '\tfor i in range(2, n):',
        '\t\tadam.step()',
        '\t\tif i >= 3 * (n) // 4:',
        '\t\t\tswa_model.update_parameters(net)',
        '',
        'main(None, 3)',
        '',
      ].join('\r\n'),
    );
  });

  it('is not offered where the loop is not understood', () => {
    assert.equal(averageInPython('import torch\nopt.step()\n'), null);
    assert.equal(
      averageInPython(
        'import torch\nopt = torch.optim.SGD(m.parameters(), 1)\ndef f():\n  for _ in x:\n    opt.step()\n',
      ),
      null,
    );
  });

  it('adds the statistics that an average lacks', () => {
    const without = applyEdits(script, averageInPython(script)!)
      .replace('update_bn(loader, swa_model)\n', '')
      .replace(', update_bn', '');
    const after = edited(without, updateBatchNormInPython);
    assert.match(after, /print\(epoch\)\nupdate_bn\(loader, swa_model\)\n/);
    assert.match(after, /import update_bn\n/);
    assert.equal(updateBatchNormInPython(after), null);
    assert.equal(updateBatchNormInPython(script), null);
  });
});

describe('shuffling, written into a PyTorch script', () => {
  it('is asked of the loader that the loop goes over', () => {
    assert.match(edited(script, shuffleInPython), /loader = DataLoader\(data, batch_size=16, shuffle=True\)/);
    const two = script.replace('EPOCHS = 8', 'held = DataLoader(data, shuffle=False)\nEPOCHS = 8');
    assert.match(edited(two, shuffleInPython), /held = DataLoader\(data, shuffle=False\)/);
    assert.match(edited(two.replace('16)', '16, shuffle=False,)'), shuffleInPython), /16, shuffle=True,\)/);
    assert.match(
      edited(script.replace('DataLoader(data, batch_size=16)', 'DataLoader(\n  data,\n)'), shuffleInPython),
      /DataLoader\(\n {2}data, shuffle=True,\n\)/,
    );
  });

  it('is not asked of a loader that shuffles or has a sampler, nor of one that is not known', () => {
    assert.equal(shuffleInPython(script.replace('16)', '16, shuffle=True)')), null);
    assert.equal(shuffleInPython(script.replace('16)', '16, shuffle=args.shuffle)')), null);
    assert.equal(shuffleInPython(script.replace('16)', '16, sampler=s)')), null);
    assert.equal(shuffleInPython('a = DataLoader(x)\nb = DataLoader(y)\n'), null);
  });
});

describe('edited PyTorch scripts', function () {
  this.timeout(120_000);
  it('run, and average what they say', async function () {
    needs(this, 'torch');
    const folder = await mkdtemp(path.join(tmpdir(), 'basin-fixes-'));
    try {
      const after = edited(script, averageInPython);
      const check = `
weights = swa_model.module[0].weight
assert int(swa_model.n_averaged) == 2, swa_model.n_averaged
assert not torch.equal(weights, model[0].weight)
hidden = swa_model.module[0](data.tensors[0])
assert torch.allclose(swa_model.module[1].running_mean, hidden.mean(0), atol=1e-5)
`;
      const file = path.join(folder, 'averaged.py');
      await writeFile(file, applyEdits(after + check, shuffleInPython(after) ?? []));
      const { stdout } = await promisify(execFile)(testPython(), [file]);
      assert.match(stdout, /done/);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
