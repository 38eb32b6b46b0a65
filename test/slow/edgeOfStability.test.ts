import assert from 'node:assert/strict';
import type { StabilityResult } from '../../src/protocol/curvature.ts';
import { inBothFrameworks, slowRuns } from '../fixtures/slowRun.ts';

/**
 * Cohen et al. 2021: under full-batch gradient descent λ₁ comes to 2/η, from either side, and hovers there. A network 64-40-40-10 with tanh and ½‖·‖² on 500 digits.
 */
describe('edge of stability', function () {
  this.timeout(600_000);
  const runs = slowRuns('test');

  for (const { framework, command } of inBothFrameworks('edge-of-stability')) {
    for (const [rate, steps] of [
      [0.2, 3000],
      [0.1, 6000],
    ] as const) {
      it(`λ₁·η/2 comes to 1 and hovers there at η = ${rate} (${framework})`, async () => {
        const cli = runs();
        const trained = await cli.run('train', '--', ...(await command(String(rate), String(steps))));
        assert.equal(trained.code, 0, trained.stderr);
        const { points, formula, method } = await cli.ask<StabilityResult>('stability', '--snapshots', '13');
        assert.equal(formula, '2/η');
        assert.equal(method, 'exact');
        const ratios = points.map((p) => p.ratio ?? NaN);
        const second = ratios.slice(Math.ceil(ratios.length / 2));
        const mean = second.reduce((s, r) => s + r, 0) / second.length;
        // The larger rate begins above its bound and flattens first; the smaller one begins below and sharpens.
        const [first = NaN] = ratios;
        assert.ok(rate === 0.2 ? first > 1.2 : first < 0.95, `it begins elsewhere: ${ratios.join(' ')}`);
        assert.ok(mean > 0.93 && mean < 1.15, `second half's mean ${mean}: ${ratios.join(' ')}`);
      });
    }
  }
});
