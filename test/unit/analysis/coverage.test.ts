/** Stated errors are right: over 200 repeats of an estimate the truth lies in the stated 95 % interval as often as that. */
import assert from 'node:assert/strict';
import { flatness } from '../../../src/analysis/flatness.ts';
import { spectrum } from '../../../src/analysis/spectrum.ts';
import type { SpectrumBlock } from '../../../src/protocol/curvature.ts';
import { flatnessDefaults } from '../../../src/protocol/flatness.ts';
import { assertCovers, countInside, families, REPEATS, withEigenvalues } from '../../fixtures/coverage.ts';
import { gaussians } from '../../fixtures/gaussian.ts';
import { quadratic, type Problem } from '../../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../../fixtures/referenceEvaluator.ts';

const evaluation = { data: { split: 'train' }, mode: 'inference' } as const;
const sum = (values: readonly number[]): number => values.reduce((s, x) => s + x, 0);

async function spectrumOf(
  problem: Problem,
  seed: number,
  wanted: object = {},
): Promise<readonly SpectrumBlock[]> {
  const evaluator = new ReferenceEvaluator(problem);
  const weights = Array<number>(evaluator.description.objective.parameterCount).fill(1);
  const nothing = { top: 0, bottom: 0, trace: false, density: false, perLayer: false };
  const at = { id: '0', vector: evaluator.put('w', weights) };
  const input = { ...nothing, ...evaluation, at, matrix: 'hessian' as const, seed, ...wanted };
  return (await spectrum(evaluator, input, testContext())).blocks;
}

describe('stated errors', function () {
  this.timeout(120_000);

  for (const [name, values] of Object.entries(families)) {
    const matrix = withEigenvalues(values);

    it(`of the trace of a matrix that is ${name}`, async () => {
      const inside = await countInside(async (seed) => {
        const [block] = await spectrumOf(quadratic(matrix), seed, { trace: true, traceTolerance: 0.1 });
        return { interval: block!.trace!.interval, truth: sum(values) };
      });
      // Rank one lies in the sketch whole: nothing is left to chance.
      if (name === 'rank-one') assert.equal(inside, REPEATS);
      else assertCovers(inside, name);
    });

    it(`of the spectral density of a matrix that is ${name}`, async () => {
      const bandwidth = 0.05;
      const exact = (t: number): number =>
        sum(values.map((l) => Math.exp(-0.5 * ((t - l) / bandwidth) ** 2))) /
        (values.length * bandwidth * Math.sqrt(2 * Math.PI));
      const size = Math.max(...values);
      const places = [size, values[5]!, values[20]!];
      const inside = places.map(() => 0);
      for (let seed = 1; seed <= REPEATS; seed++) {
        const wanted = { density: true, bandwidth, steps: 20 };
        const [block] = await spectrumOf(quadratic(matrix), 31 * seed, wanted);
        const { x, interval } = block!.density!;
        places.forEach((place, p) => {
          const i = x.reduce(
            (best, t, k) => (Math.abs(t - place) < Math.abs(x[best]! - place) ? k : best),
            0,
          );
          const truth = exact(x[i]!);
          if (interval!.low[i]! <= truth && truth <= interval!.high[i]!) inside[p]!++;
        });
      }
      inside.forEach((count, p) => assertCovers(count, `${name} at ${places[p]}`));
    });

    it(`of average-case flatness where the Hessian is ${name}`, async () => {
      // One kernel with one unit: d is uniform on the sphere whose radius is the weights' norm.
      const weights = Array.from({ length: values.length }, gaussians(8));
      const problem: Problem = {
        ...quadratic(matrix),
        parameters: [{ name: 'k', shape: [values.length, 1], role: 'kernel', filterAxis: 1, layer: 'k' }],
      };
      const { sigma } = flatnessDefaults;
      const squared = sum(weights.map((w) => w * w));
      const truth = (sigma * sigma * squared * sum(values)) / (2 * values.length);
      const inside = await countInside(async (seed) => {
        const evaluator = new ReferenceEvaluator(problem);
        const at = { id: '0', vector: evaluator.put('w', weights) };
        const input = {
          ...evaluation,
          at,
          measures: ['average-case'] as const,
          settings: { ...flatnessDefaults, seed },
          twin: false,
        };
        const { measures } = await flatness(evaluator, input, testContext());
        return { interval: measures[0]!.interval!, truth };
      });
      assertCovers(inside, name);
    });
  }
});
