/**
 * Averages of real runs: the sample's digits and network in TensorFlow.js, recorded by `basin train`. What is fixed and
 * not the sample's own: the first 2048 training digits, η = 0.2 with momentum ½, 8 epochs or 30 (the sample: 8000,
 * 0.5, 10), and noise, which the sample has none of: where a test asks for it, one training label in four is replaced by a
 * digit that tells nothing; held-out labels are right. A seed gives split, order and initialisation. The annealed run
 * has right labels and one seed.
 */
import assert from 'node:assert/strict';
import type { SweepResult } from '../../src/protocol/averaging.ts';
import type { AverageResult, EnsembleResult, LineResult } from '../../src/protocol/results.ts';
import { slowRuns, slowScript } from '../fixtures/slowRun.ts';

const script = slowScript('noisy-digits.mjs');
const mean = (values: readonly number[]): number => values.reduce((s, x) => s + x, 0) / values.length;

describe('averages of digits', function () {
  this.timeout(900_000);
  const runs = slowRuns('test');

  const train = async (
    seed: number,
    noise: number,
    schedule: 'constant' | 'annealed',
    epochs = 8,
  ): Promise<void> => {
    const words = [process.execPath, script, `${seed}`, `${noise}`, `${epochs}`, schedule];
    const { code, stderr } = await runs().run('train', '--every', '16', '--', ...words);
    assert.equal(code, 0, stderr);
  };

  for (let seed = 1; seed <= 6; seed++) {
    it(`SWA on noisy labels beats the mean of its own iterates on held-out digits (seed ${seed})`, async () => {
      await train(seed, 0.25, 'constant');
      const { members, score } = await runs().ask<AverageResult>('average');
      assert.equal(members.length, 5);
      const iterates = await runs().ask<EnsembleResult>('ensemble', '--members', members.join(','));
      assert.equal(iterates.memberScores.length, 5);
      const held = iterates.memberScores.map((s) => s.validation!);
      assert.deepEqual(new Set(held.map((s) => s.samples)), new Set([score.validation!.samples]));
      const loss = mean(held.map((s) => s.loss!));
      const accuracy = mean(held.map((s) => s.accuracy!));
      assert.ok(score.validation!.loss! < loss, `loss ${score.validation!.loss} and ${loss}`);
      assert.ok(
        score.validation!.accuracy! > accuracy,
        `accuracy ${score.validation!.accuracy} and ${accuracy}`,
      );
    });
  }

  it('a run annealed to nothing has nothing to gain, one at a constant rate on noisy labels has', async () => {
    const sweep = (): Promise<SweepResult> => runs().ask<SweepResult>('sweep', '--places', '8');
    await train(7, 0, 'annealed');
    const annealed = await sweep();
    assert.equal(annealed.verdict, 'no-gain', JSON.stringify(annealed.expectedGain));
    assert.match(annealed.trust.join(' '), /No gain: the last snapshot is as good/);
    await train(7, 0.25, 'constant');
    const constant = await sweep();
    assert.equal(constant.verdict, 'gain', JSON.stringify(constant.expectedGain));
  });

  for (const seed of [1, 2]) {
    // Izmailov et al. 2018: SWA lies in the flat middle, where held-out loss is low, and the last iterate at the rim.
    it(`from SWA to the last iterate held-out loss is lowest near SWA, training loss further on (seed ${seed})`, async () => {
      // 960 steps on noisy labels: long enough that the training samples, their noise too, are nearly learnt.
      await train(seed, 0.25, 'constant', 30);
      const { model } = await runs().ask<AverageResult>('average', '--from', '320');
      const line = await runs().ask<LineResult>('line', '--from', model, '--to', 'last', '--points', '21');
      const lowest = (losses: readonly (number | null)[]): number =>
        line.t[losses.indexOf(Math.min(...losses.map((l) => l ?? Infinity)))]!;
      const held = line.validation!.loss;
      const told = `training ${line.loss.join(' ')}; held out ${held.join(' ')}`;
      assert.ok(lowest(held) <= 0.2, told);
      assert.ok(lowest(line.loss) >= 0.35, told);
      assert.ok(
        held.at(-1)! > held[0]! && line.loss[0]! > Math.min(...line.loss.map((l) => l ?? Infinity)),
        told,
      );
    });
  }
});
