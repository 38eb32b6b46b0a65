/** Over six seeds: the average of SGD's iterates on noisy labels beats the mean of the iterates that it is made of. */
import assert from 'node:assert/strict';
import { average } from '../../../src/analysis/average.ts';
import { gaussianRows, gaussians } from '../../fixtures/gaussian.ts';
import { average as mean, classifier } from '../../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../../fixtures/referenceEvaluator.ts';

const TRAIN = 160;
const BATCH = 8;

/** Three classes by the largest of three inputs; a third of the training labels is drawn anew, no held-out one is. */
function noisy(seed: number) {
  const labelled = (rows: number, draw: number, noise: boolean) => {
    const x = gaussianRows(rows, 6, draw);
    const next = gaussians(draw + 1);
    const wrong = (): boolean => noise && Math.abs(next()) < 0.43;
    return {
      x,
      labels: x.map(([a = 0, b = 0, c = 0], i) => (wrong() ? i % 3 : [a, b, c].indexOf(Math.max(a, b, c)))),
    };
  };
  return classifier({
    units: [6, 12, 3],
    activation: 'tanh',
    bias: true,
    train: labelled(TRAIN, 1000 * seed, true),
    validation: labelled(1000, 1000 * seed + 500, false),
  });
}

describe('average of iterates on noisy labels', function () {
  this.timeout(60_000);
  for (let seed = 1; seed <= 6; seed++) {
    it(`beats their mean on held-out samples (seed ${seed})`, async () => {
      const problem = noisy(seed);
      const next = gaussians(77 * seed);
      const count = 6 * 12 + 12 + 12 * 3 + 3;
      let weights = Array.from({ length: count }, () => 0.4 * next());
      const evaluator = new ReferenceEvaluator(problem);
      const snapshots: { step: number; vector: { file: string }; loss: null }[] = [];
      const batches = TRAIN / BATCH;
      for (let step = 1; step <= 400; step++) {
        const b = (7 * step + seed) % batches;
        const g = problem.gradient(weights, [], 'train', b * BATCH, (b + 1) * BATCH);
        weights = weights.map((w, k) => w - 0.4 * g[k]!);
        if (step > 200 && step % 10 === 0)
          snapshots.push({ step, vector: evaluator.put(`s${step}`, weights), loss: null });
      }
      const model = { id: 'average-1', file: 'average', metadata: {} };
      const input = { snapshots, window: { from: 0 }, mode: 'inference' as const, model };
      const result = await average(evaluator, input, testContext());
      const iterates = snapshots.map(({ vector }) => {
        const { values } = evaluator.files.get(vector.file)!;
        const predicted = problem.predict!(values, [], 'validation', 0, 1000);
        const right = predicted.filter(
          (p) => p.probabilities.indexOf(Math.max(...p.probabilities)) === p.label,
        );
        return {
          loss: mean(problem.losses(values, [], 'validation', 0, 1000)),
          accuracy: right.length / 1000,
        };
      });
      assert.ok(result.score.validation!.loss! < mean(iterates.map((i) => i.loss)));
      assert.ok(result.score.validation!.accuracy! > mean(iterates.map((i) => i.accuracy)));
    });
  }
});
