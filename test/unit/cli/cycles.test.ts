/** The order of the data as `basin cycles` finds it in real runs: fit and DataLoader, with and without shuffling. */
import assert from 'node:assert/strict';
import { copyFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { CyclesResult } from '../../../src/protocol/cycles.ts';
import { CommandLine } from '../../fixtures/commandLine.ts';
import { makeWorkspace, type Workspace } from '../../fixtures/runs.ts';
import { needs, testPython } from '../../harness/requires.ts';

const repository = path.resolve('.');

describe('the order of the data', function () {
  this.timeout(180_000);
  let workspace: Workspace;
  before(async function () {
    needs(this, 'bundles');
    workspace = await makeWorkspace();
    await copyFile(
      path.join(repository, 'test', 'fixtures', 'scripts', 'clouds.mjs'),
      path.join(workspace.root, 'clouds.mjs'),
    );
    await symlink(path.join(repository, 'node_modules'), path.join(workspace.root, 'node_modules'));
  });
  after(() => workspace?.remove());

  async function cyclesOf(command: readonly string[], env: NodeJS.ProcessEnv): Promise<CyclesResult> {
    const basin = new CommandLine(workspace.root, { OMP_NUM_THREADS: '1', ...env });
    const { code, stderr } = await basin.run('train', '--every-step', '--', ...command);
    assert.equal(code, 0, stderr);
    return basin.ask<CyclesResult>('cycles');
  }

  it("is found in fit's epochs of six batches, behind momentum 0.9, batch norm and dropout", async () => {
    const fixed = await cyclesOf(['node', 'clouds.mjs'], { EPOCHS: '60' });
    assert.equal(fixed.epoch, 6);
    assert.deepEqual(fixed.momentum, { beta: 0.9, kind: 'heavy-ball', corrected: false });
    assert.equal(fixed.verdict, 'fixed-order', fixed.trust.join(' '));
    const shuffled = await cyclesOf(['node', 'clouds.mjs'], { EPOCHS: '60', SHUFFLE: 'true' });
    assert.equal(shuffled.epoch, 6);
    assert.equal(shuffled.verdict, 'none', shuffled.trust.join(' '));
  });

  it("is found in a DataLoader's epochs of seven batches, behind Nesterov momentum", async function () {
    needs(this, 'torch');
    await writeFile(
      path.join(workspace.root, 'loader.py'),
      [
        'import sys, torch',
        'torch.manual_seed(0)',
        'x = torch.randn(112, 6); y = (x[:, 0] + torch.randn(112) > 0).long()',
        'data = torch.utils.data.TensorDataset(x, y)',
        'loader = torch.utils.data.DataLoader(data, batch_size=16, shuffle=sys.argv[1] == "True")',
        'net = torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.ReLU(), torch.nn.Dropout(0.2), torch.nn.Linear(16, 2))',
        'optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9, nesterov=True)',
        'for epoch in range(60):',
        '    for inputs, labels in loader:',
        '        optimizer.zero_grad()',
        '        torch.nn.functional.cross_entropy(net(inputs), labels).backward()',
        '        optimizer.step()',
      ].join('\n'),
    );
    for (const [shuffle, verdict] of [
      ['False', 'fixed-order'],
      ['True', 'none'],
    ] as const) {
      const result = await cyclesOf([testPython(), 'loader.py', shuffle], {});
      assert.deepEqual(result.momentum, { beta: 0.9, kind: 'nesterov', corrected: false });
      assert.equal(result.epoch, 7);
      assert.equal(result.verdict, verdict, `${shuffle}: ${result.trust.join(' ')}`);
    }
  });
});
