/**
 * λ₁ to 1 % in how many Hessian-vector products: Lanczos (as `basin sharpness` does it) beside plain power iteration
 * on the same start vectors. The truth is the dense Hessian's, of a network at its initialisation and after training.
 */
import { Matrix } from 'ml-matrix';
import { eigenSymmetric } from '../../src/analysis/eigen.ts';
import { lanczos } from '../../src/analysis/lanczos.ts';
import { withVectors } from '../../src/analysis/vectors.ts';
import { gaussianRows } from '../fixtures/gaussian.ts';
import { classifier } from '../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../fixtures/referenceEvaluator.ts';
import { report } from './measure.ts';

const samples = 120;
const x = gaussianRows(samples, 8, 1);
const labels = x.map((row) => row.slice(0, 4).indexOf(Math.max(...row.slice(0, 4))));
const net = classifier({ units: [8, 10, 4], activation: 'tanh', bias: true, train: { x, labels } });
const size = 8 * 10 + 10 + 10 * 4 + 4;
const initial = gaussianRows(1, size, 7)[0]!.map((v) => v * 0.4);
const trained = [...initial];
for (let step = 0; step < 1500; step++) {
  net.gradient(trained, [], 'train', 0, samples).forEach((g, i) => (trained[i] = trained[i]! - 0.3 * g));
}
const seeds = [1, 2, 3, 4, 5];

for (const [name, weights] of [
  ['at initialisation', initial],
  ['after training', trained],
] as const) {
  const hvp = (v: readonly number[]): number[] => net.hvp(weights, v, [], 'train', 0, samples);
  const columns = new Matrix(weights.map((_, j) => hvp(weights.map((_, i) => (i === j ? 1 : 0)))));
  const truth = eigenSymmetric(Matrix.add(columns, columns.transpose()).mul(0.5)).values[0]!;
  const krylov: number[] = [];
  const power: number[] = [];
  for (const seed of seeds) {
    for (let products = 1; products <= size; products++) {
      const evaluator = new ReferenceEvaluator(net, { batchSize: 40 });
      const found = await withVectors(evaluator, async (vectors) => {
        const at = await vectors.load(evaluator.put('w', weights), 'model', testContext().signal);
        const how = { data: { split: 'train' as const }, mode: 'inference' as const, refresh: false };
        const multiply = (vector: string, into: string) =>
          evaluator.hvp({ at, vector, into, how, method: 'auto' });
        const options = { top: 1, maxProducts: products, tolerance: 0, seed, like: at };
        return lanczos(evaluator, vectors, multiply, options, testContext());
      });
      if (Math.abs(found.values[0]! - truth) > 0.01 * truth) continue;
      krylov.push(products);
      break;
    }
    let v = gaussianRows(1, size, seed)[0]!;
    for (let products = 1; products <= 2000; products++) {
      const length = Math.hypot(...v);
      const unit = v.map((c) => c / length);
      v = hvp(unit);
      const quotient = unit.reduce((s, c, i) => s + c * v[i]!, 0);
      if (Math.abs(quotient - truth) > 0.01 * truth && products < 2000) continue;
      power.push(products);
      break;
    }
  }
  report(`Lanczos, ${name}: products to 1 % of λ₁`, krylov, {});
  report(`power iteration, ${name}: products to 1 % of λ₁`, power, {});
  report(
    `Lanczos over power iteration, ${name}`,
    krylov.map((k, i) => k / power[i]!),
    { atMost: 1 },
  );
}
