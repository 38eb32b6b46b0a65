import assert from 'node:assert/strict';
import type { OptimizerInfo } from '../../../src/protocol/run.ts';
import { edgeRate, stabilityBound } from '../../../src/protocol/stability.ts';

describe('the learning rate at the edge of stability', () => {
  const optimizers: readonly OptimizerInfo[] = [
    { name: 'SGD', config: {} },
    { name: 'SGD', config: { momentum: 0.9 } },
    { name: 'SGD', config: { momentum: 0.9, nesterov: true } },
    { name: 'SGD', config: { momentum: 0.9, weight_decay: 0.5 } },
  ];
  for (const optimizer of optimizers) {
    it(`is where the bound equals λ₁ (${JSON.stringify(optimizer.config)})`, () => {
      for (const [lambda1, learningRate] of [
        [12.5, 0.1],
        [400, 0.1],
        [0.01, 2],
      ] as const) {
        const edge = edgeRate(optimizer, lambda1, learningRate);
        const { bound } = stabilityBound(optimizer, edge);
        assert.ok(Math.abs(bound! / lambda1 - 1) < 1e-9, `${edge}: ${bound} at λ₁ ${lambda1}`);
      }
    });
  }

  it('is 2/λ₁ of gradient descent', () => {
    assert.equal(edgeRate(optimizers[0]!, 50, 0.1), 2 / 50);
  });

  it('is unknown without a bound or a curvature that has one', () => {
    const adam = { name: 'Adam', config: { lr: 0.001 } };
    assert.equal(edgeRate(adam, 50, 0.001), null);
    assert.equal(edgeRate(null, 50, 0.1), null);
    assert.equal(edgeRate(optimizers[0]!, -3, 0.1), null);
    assert.equal(edgeRate(optimizers[0]!, NaN, 0.1), null);
  });
});
