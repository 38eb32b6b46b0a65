import assert from 'node:assert/strict';
import { findLearningRates } from '../../../src/surface/learningRates.ts';

/** What stands at the sites, and what number it means. */
const found = (source: string, language: string): (readonly [string, number | null, string | null])[] =>
  findLearningRates(source, language).map(({ from, to, literal }) => [
    source.slice(from, to),
    literal?.value ?? null,
    literal === null ? null : source.slice(literal.from, literal.to),
  ]);

describe('learning rates', () => {
  it('are the first argument of a TF.js optimizer', () => {
    const source = `
      // tf.train.sgd(1)
      const text = 'tf.train.sgd(2)';
      const a = tf.train.sgd(0.1);
      const b = tf.train.momentum( 1e-2 , 0.9);
      model.compile({ optimizer: tf.train.adam(rate(3, [4])), loss: 'x' });
      const c = tf.train.adam();
      const d = sgd(0.5);`;
    assert.deepEqual(found(source, 'javascript'), [
      ['0.1', 0.1, '0.1'],
      ['1e-2', 0.01, '1e-2'],
      ['rate(3, [4])', null, null],
    ]);
  });

  it('follow a name to the constant it was declared as, where there is only one', () => {
    const source = `
      const RATE = 0.05;
      let other = 1
      let twice = 1; twice = 2;
      const half = 1 / 2;
      function f() { const doubled = 3; } function g() { const doubled = 4; }
      tf.train.sgd(RATE); tf.train.sgd(other); tf.train.sgd(half); tf.train.sgd(doubled); tf.train.sgd(unknown);`;
    assert.deepEqual(
      found(source, 'typescript').map(([text, value]) => [text, value]),
      [
        ['RATE', 0.05],
        ['other', 1],
        ['half', null],
        ['doubled', null],
        ['unknown', null],
      ],
    );
  });

  it('are lr= or the second argument of a torch optimizer', () => {
    const source = `
import torch
from torch import optim
LR = 3e-4
# torch.optim.SGD(p, lr=9)
a = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
b = optim.Adam(model.parameters(), LR)
c = optim.AdamW([{'params': p, 'lr': 7}], betas=(0.9, 0.99), lr=args.lr)
d = optim.SGD(params)
e = StepLR(a, 5)
f = Adam(
    net.parameters(),
    lr=1_0e-3,
)
`;
    assert.deepEqual(found(source, 'python'), [
      ['0.1', 0.1, '0.1'],
      ['LR', 3e-4, '3e-4'],
      ['args.lr', null, null],
      ['1_0e-3', 0.01, '1_0e-3'],
    ]);
  });

  it('are found in text that does not parse yet', () => {
    assert.deepEqual(found('const o = tf.train.sgd(0.1', 'javascript'), [['0.1', 0.1, '0.1']]);
    assert.deepEqual(
      found('import torch\no = torch.optim.SGD(m.parameters(), lr=0.2\nfor x in', 'python').map(([t]) => t),
      ['0.2'],
    );
  });
});
