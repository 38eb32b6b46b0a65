import assert from 'node:assert/strict';
import { principalComponents, randomWalkShares } from '../../../src/analysis/pca.ts';
import { gaussianRows, gaussians } from '../../fixtures/gaussian.ts';

const gramOf = (rows: readonly (readonly number[])[], origin: readonly number[]): number[][] =>
  rows.map((a) =>
    rows.map((b) => a.reduce((s, x, i) => s + (x - (origin[i] ?? 0)) * ((b[i] ?? 0) - (origin[i] ?? 0)), 0)),
  );

describe('principal components of a trajectory', () => {
  it('are those of data with known axes, orthonormal, and their coefficients sum to zero', () => {
    // Points with sample covariance diag(9, 4, 1)·(rotation by swapping axes 0 and 2).
    const points = [
      [1, 2, 3],
      [1, 2, -3],
      [1, -2, 3],
      [1, -2, -3],
      [-1, 2, 3],
      [-1, 2, -3],
      [-1, -2, 3],
      [-1, -2, -3],
    ].map((p) => p.map((x) => x + 10));
    const { coefficients, shares, variance } = principalComponents(gramOf(points, [7, -3, 2]), 3);
    shares.forEach((s, k) => assert.ok(Math.abs(s - [9, 4, 1][k]! / 14) < 1e-12));
    assert.ok(Math.abs(variance - 14) < 1e-10);
    const components = coefficients.map((c) =>
      [0, 1, 2].map((j) => c.reduce((s, x, i) => s + x * points[i]![j]!, 0)),
    );
    components.forEach((c, k) => {
      assert.ok(Math.abs(coefficients[k]!.reduce((s, x) => s + x, 0)) < 1e-12);
      components.forEach((d, l) => {
        const product = c.reduce((s, x, i) => s + x * d[i]!, 0);
        assert.ok(Math.abs(product - (k === l ? 1 : 0)) < 1e-10, `${k}·${l} = ${product}`);
      });
      assert.ok(Math.abs(Math.abs(c[2 - k]!) - 1) < 1e-10);
    });
  });

  it('do not depend on the origin of the Gram matrix', () => {
    const rows = gaussianRows(12, 30, 5);
    const one = principalComponents(gramOf(rows, rows[11]!), 2);
    const other = principalComponents(gramOf(rows, Array<number>(30).fill(2)), 2);
    one.shares.forEach((s, k) => assert.ok(Math.abs(s - other.shares[k]!) < 1e-12));
  });

  it('stop where the snapshots span no more dimensions', () => {
    const onALine = [0, 1, 2, 5].map((t) => [t, 2 * t, -t]);
    assert.equal(principalComponents(gramOf(onALine, [0, 0, 0]), 2).coefficients.length, 1);
    assert.equal(
      principalComponents(
        gramOf(
          [
            [1, 1],
            [1, 1],
            [1, 1],
          ],
          [0, 0],
        ),
        2,
      ).coefficients.length,
      0,
    );
  });
});

describe('the random-walk baseline', () => {
  it('goes to 6/(π²k²)', () => {
    const shares = randomWalkShares(
      Array.from({ length: 200 }, (_, i) => 50 * i),
      3,
    );
    [0.608, 0.152, 0.068].forEach((share, k) =>
      assert.ok(Math.abs(shares[k]! - share) < 6e-4, `${shares[k]}`),
    );
  });

  it('has a closed form for n equally spaced snapshots', () => {
    for (const n of [3, 5, 20]) {
      const shares = randomWalkShares(
        Array.from({ length: n }, (_, i) => i),
        2,
      );
      shares.forEach((share, i) => {
        const exact = 3 / ((n * n - 1) * (1 - Math.cos((Math.PI * (i + 1)) / n)));
        assert.ok(Math.abs(share - exact) < 1e-12, `n = ${n}`);
      });
    }
  });

  it('is what walks in many dimensions show, also with unequal gaps', () => {
    const steps = [0, 1, 2, 3, 10, 11, 40, 60];
    const dimension = 4000;
    const next = gaussians(11);
    const rows: number[][] = [Array<number>(dimension).fill(0)];
    for (let i = 1; i < steps.length; i++) {
      const sd = Math.sqrt(steps[i]! - steps[i - 1]!);
      rows.push(rows[i - 1]!.map((x) => x + sd * next()));
    }
    const { shares } = principalComponents(gramOf(rows, rows[0]!), 2);
    const expected = randomWalkShares(steps, 2);
    shares.forEach((s, k) => assert.ok(Math.abs(s - expected[k]!) < 0.02, `${s} beside ${expected[k]}`));
  });
});
