import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { LineResult } from '../../src/protocol/results.ts';
import { CommandLine } from '../fixtures/commandLine.ts';

/**
 * Goodfellow, Vinyals & Saxe 2015: on the straight line from the initialisation to the solution the training loss only
 * falls. A network 64-32-32-10 with ReLU on digits.
 */
describe('from initialisation to solution', function () {
  this.timeout(600_000);
  const root = path.resolve(import.meta.dirname, '../..');
  const script = path.join(import.meta.dirname, 'scripts/relu-digits.mjs');
  let folder = '';
  before(() => {
    folder = mkdtempSync(path.join(root, 'out/slow-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('the training loss never rises', async () => {
    const cli = new CommandLine(folder, { TF_CPP_MIN_LOG_LEVEL: '2' });
    const trained = await cli.run('train', '--', process.execPath, script);
    assert.equal(trained.code, 0, trained.stderr);
    const line = await cli.ask<LineResult>('line', '--from', 'first', '--to', 'last', '--points', '41');
    assert.equal(line.monotone?.downhill, 'forward');
    assert.equal(line.monotone.largestIncrease, 0, line.loss.join(' '));
    assert.equal(line.monotone.verdict, 'monotone');
    assert.ok((line.loss.at(-1) ?? NaN) < 0.1 * (line.loss[0] ?? NaN), 'it has been trained');
    assert.ok(line.trust.some((sentence) => /the training loss never rises, at 41 points/.test(sentence)));
  });
});
