import assert from 'node:assert/strict';
import { findPythonCalls } from '../../../src/surface/pythonCalls.ts';

const found = (source: string) => findPythonCalls(source).map((c) => `${c.name}@${c.line}:${c.character}`);

describe('training calls in Python', () => {
  it('finds optimizer steps, by the optimizer’s name or by what it was made of', () => {
    const source = [
      'import torch',
      'from torch.optim import SGD',
      'weird = SGD(model.parameters(), lr=0.1)',
      'self.o = torch.optim.AdamW(params)',
      'for x, y in loader:',
      '    loss_of(x, y).backward()',
      '    weird.step()',
      '    self.o.step(closure)',
      '    optimizer_d.step()',
      '    self.optimizers[0].step()',
      '    scaler.step(optimizer)',
    ].join('\r\n');
    assert.deepEqual(found(source), ['step@6:10', 'step@7:11', 'step@8:16', 'step@9:23', 'step@10:11']);
  });

  it('leaves schedulers, environments, profilers and evaluation alone', () => {
    const source =
      'import torch\nscheduler.step()\nenv.step(action)\nprof.step()\nmodel.train()\nmodel.fit(x)\n';
    assert.deepEqual(found(source), []);
  });

  it('tells an optimizer from what is called after one', () => {
    const source = (name: string): string => `import torch\n${name}.step()\n`;
    for (const name of [
      'optimizerD',
      'optG',
      'opt2',
      'optimizer_actor',
      'self.g_opt',
      'SGD',
      'AdamW',
      'opts["g"]',
    ]) {
      assert.equal(found(source(name)).length, 1, name);
    }
    for (const name of ['optimizer_scheduler', 'opt_sched', 'options', 'lr_opt', 'optimal', 'adaptive']) {
      assert.deepEqual(found(source(name)), [], name);
    }
  });

  it('follows optimizers that are made in one assignment', () => {
    const source =
      'import torch\nfirst, self.second = SGD(p), torch.optim.Adam(q)\n(a, b) = (1, Adam(r))\n' +
      'x: Optimizer = Adam(s)\nfirst.step()\nsecond.step()\na.step()\nb.step()\nx.step()\n';
    assert.deepEqual(found(source), ['step@4:6', 'step@5:7', 'step@7:2', 'step@8:2']);
  });

  it('leaves a trainer of the script’s own alone', () => {
    assert.deepEqual(found('import torch\ntrainer = Trainer(net)\ntrainer.train()\n'), []);
  });

  it('finds the trainers of Lightning and Hugging Face', () => {
    assert.deepEqual(found('import lightning as L\ntrainer = L.Trainer()\ntrainer.fit(net, data)\n'), [
      'fit@2:8',
    ]);
    assert.deepEqual(found('from transformers import Trainer\nmy_trainer.train()\n'), ['train@1:11']);
  });

  it('is not taken in by comments and strings', () => {
    const source = [
      'import torch',
      '# optimizer.step()',
      '"""',
      'optimizer.step()',
      '"""',
      "print(f'{x} optimizer.step()')",
      "r'''",
      "it's optimizer.step()",
      "'''",
      'optimizer.step()',
    ].join('\n');
    assert.deepEqual(found(source), ['step@9:10']);
  });

  it('offers the start of a script whose training is elsewhere', () => {
    const source = 'import torch\nfrom engine import run\n\nif __name__ == "__main__":\n    run()\n';
    assert.deepEqual(found(source), ['__main__@3:0']);
    assert.deepEqual(found(source.replace('__name__ == "__main__"', "'__main__' == __name__")), [
      '__main__@3:0',
    ]);
    assert.deepEqual(found(source.replace('import torch\n', '')), []);
  });

  it('finds what there is in a file that does not parse yet', () => {
    assert.deepEqual(found('import torch\ndef f(:\n  optimizer.step()\nloss = cross('), ['step@2:12']);
    assert.deepEqual(found(''), []);
  });

  it('wants a library that trains, not its name in some text', () => {
    assert.deepEqual(found('# torch\noptimizer.step()\n'), []);
    assert.deepEqual(found('import os, torch.nn as nn\noptimizer.step()\n'), ['step@1:10']);
  });
});
