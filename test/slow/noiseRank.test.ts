import assert from 'node:assert/strict';
import type { NoiseResult } from '../../src/protocol/noise.ts';
import { inBothFrameworks, slowRuns } from '../fixtures/slowRun.ts';

/**
 * Chaudhari & Soatto 2018: after training the noise of gradients lies in about 1 % of the directions. A network 64-32-32-10
 * with ReLU on digits, in batches so small that there are far more of them than such directions.
 */
describe('gradient noise after training', function () {
  this.timeout(600_000);
  const runs = slowRuns('test');

  for (const { framework, command } of inBothFrameworks('relu-digits')) {
    it(`lies in about one per cent of the directions, and in more before it (${framework})`, async () => {
      const cli = runs();
      const trained = await cli.run('train', '--live-budget', '0', '--', ...(await command('8')));
      assert.equal(trained.code, 0, trained.stderr);
      const rankAt = async (at: string): Promise<NoiseResult['rank']> =>
        (await cli.ask<NoiseResult>('noise', '--at', at, '--batches', '128', '--top', '0')).rank;
      const [first, last] = [await rankAt('first'), await rankAt('last')];
      assert.equal(last.parameters, 64 * 32 + 32 + 32 * 32 + 32 + 32 * 10 + 10);
      const shares = [first, last].map(({ directions, parameters }) => directions / parameters);
      const told = `${shares.join(' before, after ')}; as many as ${last.limit / last.parameters} could be seen`;
      assert.ok(last.limit / last.parameters > 0.03, told);
      assert.ok(shares[1]! > 0.001 && shares[1]! < 0.015, told);
      assert.ok(shares[0]! > shares[1]!, told);
    });
  }
});
