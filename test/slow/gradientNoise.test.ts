/**
 * Stated errors of the noise of gradients, over 200 draws of the data: linear regression on Gaussian inputs, where the
 * gradient and the covariance of single samples' gradients are known. With w = w* + δ, x ~ N(0, S) and noise of variance σ²,
 * a sample's gradient 2(δ·x − ε)x has the mean 2Sδ and the covariance Σ = 4(δᵀSδ + σ²)S + 4Sδ(Sδ)ᵀ (Isserlis 1918).
 */
import jstat from 'jstat';
import { Matrix } from 'ml-matrix';
import { eigenSymmetric } from '../../src/analysis/eigen.ts';
import { gradientNoise } from '../../src/analysis/gradientNoise.ts';
import type { NoiseResult, WithError } from '../../src/protocol/noise.ts';
import { Coverage, REPEATS, type Interval } from '../fixtures/coverage.ts';
import { gaussians, scattered } from '../fixtures/gaussian.ts';
import { linearRegression } from '../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../fixtures/referenceEvaluator.ts';

const deviation = 0.5;
const batchSize = 10;
const top = 2;
/** Diagonal of S. */
const variances = Array.from({ length: 8 }, (_, k) => (1 + 0.5 * k) ** -2);
const width = variances.length;

/** What is true of all data, in whatever directions and for whatever Hessian. */
function truthOf(far: number): { weights: number[]; gradient: Matrix; covariance: Matrix } {
  const weights = variances.map((_, k) => (k % 2 === 0 ? -far : far));
  const gradient = variances.map((s, k) => 2 * s * weights[k]!);
  const excess = variances.reduce((sum, s, k) => sum + s * weights[k]! ** 2, 0);
  const covariance = variances.map((s, a) =>
    variances.map((_, b) => gradient[a]! * gradient[b]! + (a === b ? 4 * (excess + deviation ** 2) * s : 0)),
  );
  return { weights, gradient: Matrix.columnVector(gradient), covariance: new Matrix(covariance) };
}

const around = ({ value, standardError }: WithError, batches: number): Interval | null => {
  if (value === null || standardError === null) return null;
  const half = jstat.studentt.inv(0.975, batches - 1) * standardError;
  return [value - half, value + half];
};

describe('standard errors of gradient noise over draws of the data', function () {
  this.timeout(300_000);

  for (const [samples, far] of [
    [640, 0.3],
    [320, 0.3],
    // The gradient is hardly told from the noise.
    [640, 0.05],
  ] as const) {
    it(`${samples / batchSize} batches of ${batchSize}, ${far} from the minimum`, async () => {
      const { weights, gradient, covariance } = truthOf(far);
      const power = gradient.transpose().mmul(gradient).get(0, 0);
      const trace = covariance.trace();
      const covered = new Coverage();
      for (let seed = 1; seed <= REPEATS; seed++) {
        const next = gaussians(scattered(31 * seed));
        const x = Array.from({ length: samples }, () => variances.map((s) => Math.sqrt(s) * next()));
        const y = x.map(() => deviation * next());
        const evaluator = new ReferenceEvaluator(linearRegression(x, y), { batchSize });
        const at = { id: 'w', vector: evaluator.put('w', weights) };
        const input = { at, data: { split: 'train' }, mode: 'inference', batches: 64, top, seed } as const;
        const found = await gradientNoise(evaluator, input, testContext());
        const against: NonNullable<NoiseResult['hessian']> = found.hessian!;
        const { scale, rank, batches } = found;
        // The Hessian is that of the samples, and so are its eigenvectors.
        const inputs = new Matrix(x);
        const hessian = inputs
          .transpose()
          .mmul(inputs)
          .mul(2 / samples);
        const { vector } = eigenSymmetric(hessian);
        const along = (m: Matrix): number =>
          Array.from({ length: top }, (_, k) => Matrix.columnVector(vector(k))).reduce(
            (sum, v) => sum + v.transpose().mmul(m).mmul(v).get(0, 0),
            0,
          );
        const product = hessian.mmul(covariance).trace();
        covered.look('‖∇L‖²', scale.gradient.interval!, power);
        covered.look('tr Σ', scale.trace.interval!, trace);
        covered.look('noise scale', scale.interval, trace / power);
        covered.look(
          'participation',
          around(rank.participation, batches),
          trace ** 2 / covariance.mmul(covariance).trace(),
        );
        covered.look('Tr(HΣ)', against.trace.interval!, product);
        covered.look('share of the noise', around(against.noise, batches), along(covariance) / trace);
        covered.look(
          'share of ‖∇L‖²',
          around(against.gradient, batches),
          along(gradient.mmul(gradient.transpose())) / power,
        );
        covered.look(
          'anisotropy',
          around(against.anisotropy, batches),
          (product * width) / (hessian.trace() * trace),
        );
      }
      // What is not stated most of the time is not judged by the few times that it is.
      covered.assert(REPEATS / 2);
    });
  }
});
