/** The reference that analyses are tested against must itself be right: derivatives against finite differences. */
import assert from 'node:assert/strict';
import { gaussianRows, gaussians } from '../../fixtures/gaussian.ts';
import { classifier, linearRegression, type Problem } from '../../fixtures/problems.ts';

const x = gaussianRows(9, 4, 1);
const labels = [0, 1, 2, 0, 1, 2, 0, 1, 2];
const net = (activation: 'relu' | 'tanh', batchNorm: boolean): Problem =>
  classifier({ units: [4, 5, 4, 3], activation, bias: true, batchNorm, train: { x, labels } });
const problems: Record<string, Problem> = {
  'linear regression': linearRegression(x, labels),
  'softmax regression': classifier({ units: [4, 3], activation: 'tanh', bias: false, train: { x, labels } }),
  'tanh net': net('tanh', false),
  'tanh net with batch norm': net('tanh', true),
  'ReLU net': net('relu', false),
};

describe('reference problems', () => {
  for (const [name, problem] of Object.entries(problems)) {
    it(`${name}: gradient and Hessian-vector product are the derivatives of the loss`, () => {
      const size = problem.parameters.reduce((s, p) => s + p.shape.reduce((a, b) => a * b, 1), 0);
      const next = gaussians(3);
      const w = Array.from({ length: size }, next);
      const v = Array.from({ length: size }, next);
      const state = Array.from({ length: problem.stateSize }, (_, i) =>
        i < problem.stateSize / 2 ? 0.1 : 0.7,
      );
      const loss = (at: number[]): number =>
        problem.losses(at, state, 'train', 0, 9).reduce((s, l) => s + l, 0) / 9;
      const gradient = (at: number[]): number[] => problem.gradient(at, state, 'train', 0, 9);
      const h = 1e-5;
      const moved = (sign: number): number[] => w.map((a, i) => a + sign * h * (v[i] ?? 0));
      const slope = gradient(w).reduce((s, g, i) => s + g * (v[i] ?? 0), 0);
      const numericSlope = (loss(moved(1)) - loss(moved(-1))) / (2 * h);
      assert.ok(
        Math.abs(slope - numericSlope) < 1e-7 * (1 + Math.abs(slope)),
        `${slope} and ${numericSlope}`,
      );
      const [up, down] = [gradient(moved(1)), gradient(moved(-1))];
      problem.hvp(w, v, state, 'train', 0, 9).forEach((value, i) => {
        const numeric = ((up[i] ?? 0) - (down[i] ?? 0)) / (2 * h);
        assert.ok(
          Math.abs(value - numeric) < 1e-6 * (1 + Math.abs(value)),
          `entry ${i}: ${value} and ${numeric}`,
        );
      });
    });
  }
});
