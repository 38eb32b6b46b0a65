import assert from 'node:assert/strict';
import { stabilityBound, verdictOf } from '../../../src/protocol/stability.ts';
import type { OptimizerInfo } from '../../../src/protocol/run.ts';

const rate = 0.1;
const beta = 0.9;
/** One optimizer step on ½λθ²: [θ, velocity] ← …, as the frameworks write them. */
type Step = (theta: number, velocity: number, gradient: number) => [number, number];
const cases: { name: string; optimizer: OptimizerInfo; step: Step; bound: number; formula: string }[] = [
  {
    name: 'gradient descent',
    optimizer: { name: 'SGD', config: { learningRate: rate } },
    step: (t, v, g) => [t - rate * g, v],
    bound: 2 / rate,
    formula: '2/η',
  },
  {
    name: 'Polyak momentum',
    optimizer: { name: 'Momentum', config: { learningRate: rate, momentum: beta, useNesterov: false } },
    step: (t, v, g) => [t - rate * (beta * v + g), beta * v + g],
    bound: (2 + 2 * beta) / rate,
    formula: '(2+2β)/η',
  },
  {
    name: 'Nesterov momentum',
    optimizer: { name: 'Momentum', config: { learningRate: rate, momentum: beta, useNesterov: true } },
    step: (t, v, g) => [t - rate * (g + beta * (beta * v + g)), beta * v + g],
    bound: (2 + 2 * beta) / (rate * (1 + 2 * beta)),
    formula: '(2+2β)/(η(1+2β))',
  },
  {
    name: 'torch.optim.SGD with momentum and dampening',
    optimizer: { name: 'SGD', config: { lr: rate, momentum: beta, dampening: 0.5, nesterov: false } },
    step: (t, v, g) => [t - rate * (beta * v + 0.5 * g), beta * v + 0.5 * g],
    bound: (2 + 2 * beta) / (rate * 0.5),
    formula: '(2+2β)/(η(1−dampening))',
  },
  {
    name: 'torch.optim.SGD with weight decay',
    optimizer: { name: 'SGD', config: { lr: rate, momentum: 0, weight_decay: 3 } },
    step: (t, v, g) => [t - rate * (g + 3 * t), v],
    bound: 2 / rate - 3,
    formula: '2/η − weight decay',
  },
];

function iterate(step: Step, lambda: number): number {
  let [theta, velocity] = [1, 0];
  for (let i = 0; i < 5000; i++) [theta, velocity] = step(theta, velocity, lambda * theta);
  return Math.abs(theta);
}

describe('stability bounds', () => {
  for (const { name, optimizer, step, bound, formula } of cases) {
    it(`${name}: 1 % inside converges, 1 % outside diverges`, () => {
      const stated = stabilityBound(optimizer, null);
      assert.ok(stated.bound !== null && Math.abs(stated.bound - bound) < 1e-12);
      assert.equal(stated.formula, formula);
      assert.ok(iterate(step, 0.99 * stated.bound) < 1e-3);
      assert.ok(!(iterate(step, 1.01 * stated.bound) < 1e3));
    });
  }

  it('use the rate in force before the configured one', () => {
    assert.equal(stabilityBound({ name: 'SGD', config: { learningRate: 0.1 } }, 0.5).bound, 4);
  });

  it('are not stated for optimizers that the plain Hessian does not bound', () => {
    for (const name of ['Adam', 'AdamW', 'RMSProp', 'Adagrad', 'Adadelta', 'Adamax', 'Lion']) {
      const { bound, formula, reason } = stabilityBound({ name, config: { learningRate: 0.001 } }, 0.001);
      assert.deepEqual([bound, formula], [null, null]);
      assert.match(reason ?? '', new RegExp(name));
    }
    assert.equal(stabilityBound(null, 0.1).bound, null);
    assert.equal(stabilityBound({ name: 'SGD', config: {} }, null).bound, null);
    assert.equal(stabilityBound({ name: 'SGD', config: {} }, 0).bound, null);
    assert.equal(stabilityBound({ name: 'SGD', config: { momentum: 1.2 } }, 0.1).bound, null);
  });

  it('give a verdict: edge within 10 %', () => {
    assert.deepEqual(
      [8.9, 9.1, 10.9, 11.1].map((l) => verdictOf(l, 10)),
      ['below', 'edge', 'edge', 'above'],
    );
    assert.equal(verdictOf(-3, 10), 'below');
    assert.equal(verdictOf(5, null), 'unknown');
    assert.equal(verdictOf(NaN, 10), 'unknown');
  });
});
