import assert from 'node:assert/strict';
import { preconditionedBound, stabilityBound, verdictOf } from '../../../src/protocol/stability.ts';
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
    const ascending = stabilityBound({ name: 'SGD', config: { maximize: true } }, 0.1);
    assert.equal(ascending.bound, null);
    assert.match(ascending.reason ?? '', /ascends/);
  });

  const scale = 0.2;
  const adaptive: { name: string; optimizer: OptimizerInfo; step: Step; bound: number }[] = [
    {
      name: 'Adam',
      optimizer: { name: 'Adam', config: { beta1: beta, epsilon: 1e-8 } },
      step: (t, v, g) => {
        const m = beta * v + (1 - beta) * g;
        return [t - (rate * m) / scale, m];
      },
      bound: 38 / rate,
    },
    {
      name: 'AdamW, decay beside the step',
      optimizer: { name: 'AdamW', config: { beta1: beta, epsilon: 1e-8, weightDecay: 4 } },
      step: (t, v, g) => {
        const m = beta * v + (1 - beta) * g;
        return [t - rate * 4 * t - (rate * m) / scale, m];
      },
      bound: 38 / rate - 4 * 19,
    },
    {
      name: 'RMSProp',
      optimizer: { name: 'RMSprop', config: { epsilon: 1e-8 } },
      step: (t, v, g) => [t - (rate * g) / scale, v],
      bound: 2 / rate,
    },
    {
      name: 'RMSProp with momentum',
      optimizer: { name: 'RMSProp', config: { epsilon: 1e-8, momentum: 0.5 } },
      step: (t, v, g) => {
        const m = 0.5 * v + (rate * g) / scale;
        return [t - m, m];
      },
      bound: 3 / rate,
    },
  ];
  for (const { name, optimizer, step, bound } of adaptive) {
    it(`${name}, preconditioned: 1 % inside converges, 1 % outside diverges`, () => {
      const stated = preconditionedBound(optimizer, 'torch', rate);
      assert.ok(Math.abs(stated!.bound! / bound - 1) < 1e-12);
      // An eigenvalue of P⁻¹H, P the one divisor here.
      assert.ok(iterate(step, 0.99 * bound * scale) < 1e-3);
      assert.ok(!(iterate(step, 1.01 * bound * scale) < 1e3));
    });
  }

  it('tell how the optimizer divides its steps', () => {
    const config = { epsilon: 0.5, centered: true, weight_decay: 2 };
    assert.deepEqual(preconditionedBound({ name: 'RMSprop', config }, 'torch', 1)?.preconditioner, {
      epsilon: 0.5,
      insideRoot: false,
      decay: 2,
      beta1: 0,
    });
    const inTfjs = preconditionedBound({ name: 'RMSProp', config }, 'tfjs', 1)?.preconditioner;
    assert.deepEqual([inTfjs?.epsilon, inTfjs?.insideRoot], [-0.5, true]);
    assert.equal(preconditionedBound({ name: 'SGD', config }, 'torch', 1), null);
    assert.equal(preconditionedBound(null, 'torch', 1), null);
    const reasons: [OptimizerInfo, number | null, RegExp][] = [
      [{ name: 'Adadelta', config }, 1, /Adadelta/],
      [{ name: 'Adam', config: { beta1: 0.9, epsilon: 1 } }, null, /learning rate/],
      [{ name: 'Adam', config: { beta1: 0.9 } }, 1, /ε of Adam/],
      [{ name: 'Adam', config: { epsilon: 1 } }, 1, /β₁ of Adam/],
      [{ name: 'RMSprop', config: { epsilon: 1, momentum: 1 } }, 1, /momentum of 1/],
    ];
    for (const [optimizer, at, reason] of reasons) {
      const stated = preconditionedBound(optimizer, 'torch', at);
      assert.deepEqual([stated?.bound, stated?.preconditioner], [null, null]);
      assert.match(stated?.reason ?? '', reason);
    }
  });

  it('are not stated where parameter groups step differently', () => {
    const config = { learningRate: 0.01, beta1: 0.9, epsilon: 1, groupsDiffer: 'learningRate 0.01, 0.1' };
    const stated = stabilityBound({ name: 'SGD', config }, 0.01);
    assert.equal(stated.bound, null);
    assert.match(stated.reason ?? '', /groups step differently \(learningRate 0\.01, 0\.1\)/);
    const adaptive = preconditionedBound({ name: 'Adam', config }, 'torch', 0.01);
    assert.equal(adaptive?.bound, null);
    assert.match(adaptive?.reason ?? '', /groups step differently/);
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
