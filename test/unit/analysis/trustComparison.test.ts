import assert from 'node:assert/strict';
import type { Measured } from '../../../src/analysis/measure.ts';
import { deviation, mean } from '../../../src/analysis/moments.ts';
import { comparisonOf, comparisonSentences } from '../../../src/analysis/trustComparison.ts';
import type { Score } from '../../../src/protocol/results.ts';
import { gaussianRows } from '../../fixtures/gaussian.ts';

const samples = 400;
const hard = gaussianRows(1, samples, 1)[0]!.map(Math.abs);

/** A model whose every loss is `by` below that of hard samples; wrong where that is above 1. */
function model(by: number, { known = true, split = 'validation' } = {}): Measured {
  const losses = hard.map((x, i) => x - by + 0.002 * (i % 2 === 0 ? 1 : -1) * by);
  const correct = losses.map((l): 0 | 1 => (l > 1 ? 0 : 1));
  const score: Score = {
    loss: mean(losses),
    lossStandardError: deviation(losses) / Math.sqrt(samples),
    accuracy: mean(correct),
    accuracyStandardError: deviation(correct) / Math.sqrt(samples),
    samples,
  };
  return {
    score: { train: score, validation: split === 'train' ? null : score },
    losses: known ? losses : null,
    correct: known ? correct : null,
    confidence: null,
    calibrationError: null,
  };
}

const errors = (sentence: string): number[] =>
  [...sentence.matchAll(/standard error ([\d.]+)/g)].map((found) => Number(found[1]));

describe('comparison of two models in words', () => {
  it('tells a small gain from noise by the same samples: errors are those of the paired differences', () => {
    const [mine, theirs] = [model(0.03), model(0)];
    const said = comparisonOf('The average', mine, theirs, 'snapshot 9');
    const [accuracy, loss] = errors(said);
    const differences = (a: readonly number[], b: readonly number[]): number =>
      deviation(a.map((x, i) => x - b[i]!)) / Math.sqrt(samples);
    assert.ok(Math.abs(accuracy! / 100 / differences(mine.correct!, theirs.correct!) - 1) < 0.05, said);
    assert.ok(Math.abs(loss! / differences(mine.losses!, theirs.losses!) - 1) < 0.05, said);
    assert.match(
      said,
      /^The average: validation accuracy is better by .* than at snapshot 9, standard error/,
    );
    assert.match(
      said,
      /; validation loss is lower by 0\.03, standard error [\d.e-]+ \(sample for sample\)\.$/,
    );
  });

  it('is cautious where single samples are not known, and then calls the same gain noise', () => {
    const [mine, theirs] = [model(0.03, { known: false }), model(0, { known: false })];
    const said = comparisonOf('The average', mine, theirs, 'snapshot 9');
    const error = Math.hypot(
      mine.score.validation!.lossStandardError!,
      theirs.score.validation!.lossStandardError!,
    );
    assert.ok(Math.abs(errors(said)[1]! / error - 1) < 0.05, said);
    assert.match(
      said,
      /loss is lower by 0\.03, standard error [\d.]+: no more than noise \(both on the same/,
    );
  });

  it('says worse and higher, the same, and that a diverged model cannot be compared', () => {
    const [mine, theirs] = [model(0), model(0.2)];
    assert.match(
      comparisonOf('It', mine, theirs, 'b'),
      /accuracy is worse by .*; validation loss is higher by 0\.2,/,
    );
    assert.equal(
      comparisonOf('It', mine, mine, 'b'),
      'It: validation accuracy is the same as at b; validation loss is the same.',
    );
    const score = { ...mine.score.train, loss: null };
    const diverged = { ...mine, score: { train: score, validation: score } };
    assert.match(comparisonOf('It', diverged, theirs, 'b'), /^It cannot be compared with b/);
    assert.match(comparisonOf('It', theirs, diverged, 'b'), /^It cannot be compared with b/);
  });

  it('speaks of training samples where there are no others, and of the loss alone without classes', () => {
    const of = (by: number): Measured => {
      const found = model(by, { split: 'train' });
      const train = { ...found.score.train, accuracy: null, accuracyStandardError: null };
      return { ...found, correct: null, score: { train, validation: null } };
    };
    const [first = '', second] = comparisonSentences('It', of(0.03), of(0), 9);
    assert.match(
      first,
      /^It: training loss is lower by 0\.03 than at snapshot 9, standard error [\d.e-]+ \(sample for sample\)\.$/,
    );
    assert.match(second ?? '', /No validation data was recorded/);
  });
});
