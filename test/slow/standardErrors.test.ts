/**
 * Stated errors that come from the samples: over 200 draws of the data the truth of all data lies in the stated 95 %
 * interval, or within its quantile of the standard error, 90 to 99 % of the time.
 */
import { calibration } from '../../src/analysis/calibration.ts';
import { margins } from '../../src/analysis/margins.ts';
import { score } from '../../src/analysis/score.ts';
import { sharpness } from '../../src/analysis/sharpness.ts';
import { sweep } from '../../src/analysis/sweep.ts';
import { assertCovers, countInside, Coverage } from '../fixtures/coverage.ts';
import { draw, expected, lossAt, sigmoid, twoClasses, weights } from '../fixtures/drawnClasses.ts';
import { gaussians, scattered } from '../fixtures/gaussian.ts';
import { linearRegression } from '../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../fixtures/referenceEvaluator.ts';

const mode = 'inference' as const;
const mean = (values: readonly number[]): number => values.reduce((s, x) => s + x, 0) / values.length;
/** Student's t at 97.5 % with 7 degrees of freedom: λ₁'s error comes from eight parts. */
const T7 = 2.365;
const Z = 1.96;

describe('standard errors over draws of the data', function () {
  this.timeout(600_000);

  for (const [w, samples] of [
    [1, 400],
    [1.3, 400],
    [4, 400],
    [1.3, 1500],
  ] as const) {
    it(`of the calibration error at weights ${w} times the calibrated ones, ${samples} samples`, async () => {
      const bins = 15;
      // Of all data: what each bin holds of accuracy less confidence.
      const gapOf = (bin: number): number =>
        expected((x, label) => {
          const confidence = sigmoid(2 * w * Math.abs(x));
          if (Math.min(bins - 1, Math.ceil(confidence * bins) - 1) !== bin) return 0;
          return ((x > 0 ? 0 : 1) === label ? 1 : 0) - confidence;
        });
      const truth = Array.from({ length: bins }, (_, bin) => Math.abs(gapOf(bin))).reduce(
        (s, gap) => s + gap,
      );
      const inside = await countInside(async (seed) => {
        const evaluator = new ReferenceEvaluator(twoClasses(draw(samples, seed)));
        const at = { id: '0', vector: evaluator.put('w', weights(w)) };
        const input = { data: { split: 'train' }, mode, at, bins, binning: 'width', seed } as const;
        const { interval } = await calibration(evaluator, input, testContext());
        return { interval: interval!, truth };
      });
      assertCovers(inside, `calibration at ${w}`);
    });
  }

  it('of loss and accuracy, of margins, and of the gap between splits', async () => {
    const w = 1.5;
    const correct = (x: number, label: 0 | 1): number => ((x > 0 ? 0 : 1) === label ? 1 : 0);
    const truths = {
      loss: expected(lossAt(w)),
      accuracy: expected(correct),
      margin: expected((x, label) => (label === 0 ? 2 * w * x : -2 * w * x)),
      distance: expected((x, label) => (label === 0 ? x : -x)),
      gap: 0,
      accuracyGap: 0,
    };
    const covered = new Coverage();
    for (let seed = 1; seed <= 200; seed++) {
      const evaluator = new ReferenceEvaluator(twoClasses(draw(300, seed), draw(200, 7000 + seed)), {
        batchSize: 20,
      });
      const at = { id: '0', vector: evaluator.put('w', weights(w)) };
      const { train } = (await score(evaluator, { at, mode }, testContext())).score;
      const found = await margins(evaluator, { at, mode }, testContext());
      const stated = {
        loss: [train.loss, train.lossStandardError],
        accuracy: [train.accuracy, train.accuracyStandardError],
        margin: [found.train.output.mean, found.train.output.standardError],
        distance: [found.train.input!.mean, found.train.input!.standardError],
        gap: [found.gap!.loss.value, found.gap!.loss.standardError],
        accuracyGap: [found.gap!.accuracy.value, found.gap!.accuracy.standardError],
      };
      for (const [name, truth] of Object.entries(truths)) {
        const [value, error] = stated[name as keyof typeof stated];
        covered.look(name, [value! - Z * error!, value! + Z * error!], truth);
      }
    }
    covered.assert();
  });

  it("of a window's paired gain", async () => {
    const at = [1.2, 2.4, 3];
    const truth = expected(lossAt(3)) - expected(lossAt(mean(at)));
    const inside = await countInside(async (seed) => {
      const evaluator = new ReferenceEvaluator(twoClasses(draw(60, seed), draw(300, 9000 + seed)));
      const snapshots = at.map((w, i) => ({
        step: i,
        vector: evaluator.put(`${i}`, weights(w)),
        loss: null,
      }));
      const input = { snapshots, places: 3, decays: [], mode, scratch: (b: number) => `block-${b}` };
      const { windows } = await sweep(evaluator, input, testContext());
      const { value, standardError } = windows.find((one) => one.snapshots === 3)!.gain!;
      return { interval: [value - Z * standardError, value + Z * standardError], truth };
    });
    assertCovers(inside, 'gain');
  });

  it('of λ₁ over batches', async () => {
    // H = (2/N)·XᵀX of Gaussian rows with variances 4, 1 and 1.
    const truth = 8;
    const inside = await countInside(async (seed) => {
      const next = gaussians(scattered(seed));
      const rows = Array.from({ length: 800 }, () => [2 * next(), next(), next()]);
      const evaluator = new ReferenceEvaluator(linearRegression(rows, Array<number>(800).fill(0)), {
        batchSize: 50,
      });
      const at = { id: '0', vector: evaluator.put('w', [0, 0, 0]) };
      const input = {
        at,
        top: 1,
        optimizer: null,
        learningRate: null,
        data: { split: 'train' },
        mode,
      } as const;
      const { eigenvalues, standardError } = await sharpness(evaluator, input, testContext());
      const half = T7 * standardError!;
      return { interval: [eigenvalues[0]! - half, eigenvalues[0]! + half], truth };
    });
    assertCovers(inside, 'λ₁');
  });
});
