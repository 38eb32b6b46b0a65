import assert from 'node:assert/strict';
import type { LineResult } from '../../src/protocol/results.ts';
import { inBothFrameworks, slowRuns } from '../fixtures/slowRun.ts';

/**
 * Goodfellow, Vinyals & Saxe 2015: on the straight line from the initialisation to the solution the training loss only
 * falls. A network 64-32-32-10 with ReLU on digits.
 */
describe('from initialisation to solution', function () {
  this.timeout(600_000);
  const runs = slowRuns('test');

  for (const { framework, command } of inBothFrameworks('relu-digits')) {
    it(`the training loss never rises (${framework})`, async () => {
      const cli = runs();
      const trained = await cli.run('train', '--', ...(await command()));
      assert.equal(trained.code, 0, trained.stderr);
      const line = await cli.ask<LineResult>('line', '--from', 'first', '--to', 'last', '--points', '41');
      assert.equal(line.monotone?.downhill, 'forward');
      assert.equal(line.monotone.largestIncrease, 0, line.loss.join(' '));
      assert.equal(line.monotone.verdict, 'monotone');
      assert.ok((line.loss.at(-1) ?? NaN) < 0.1 * (line.loss[0] ?? NaN), 'it has been trained');
      assert.ok(line.trust.some((sentence) => /the training loss never rises, at 41 points/.test(sentence)));
    });
  }
});
