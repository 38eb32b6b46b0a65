/** Cycles of SGD on least squares: with a fixed order of the batches, shuffled in every epoch, and drawn at random. */
import assert from 'node:assert/strict';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { mersenne } from 'pure-rand/generator/mersenne';
import { autocorrelation, centre } from '../../../src/analysis/autocorrelation.ts';
import { cycles, stepsPerEpoch } from '../../../src/analysis/cycles.ts';
import { isCancelled } from '../../../src/protocol/errors.ts';
import { gaussianRows, gaussians } from '../../fixtures/gaussian.ts';
import { testContext } from '../../fixtures/referenceEvaluator.ts';

const BATCHES = 10;
const WIDTH = 20;
type Order = 'fixed' | 'shuffled' | 'random';

/** A sketch of these points, at steps from 0 on. */
function sketchOf(points: readonly (readonly number[])[], step: (i: number) => number = (i) => i) {
  return {
    dimension: points[0]?.length ?? 0,
    async *records() {
      for (const [i, values] of points.entries()) yield await Promise.resolve({ step: step(i), values });
    },
  };
}

/** The path of SGD around the minimum of least squares with noise, one row of data a batch of 4. */
function descend(order: Order, steps: number, seed: number, rate = 0.02): number[][] {
  const x = gaussianRows(4 * BATCHES, WIDTH, seed);
  const noise = gaussians(seed + 1);
  const y = x.map(() => 3 * noise());
  const generator = mersenne(seed);
  let weights = Array.from({ length: WIDTH }, () => 0);
  let queue: number[] = [];
  const points: number[][] = [];
  const burnIn = 2000;
  for (let t = 0; t < burnIn + steps; t++) {
    if (queue.length === 0) {
      queue = Array.from({ length: BATCHES }, (_, b) =>
        order === 'random' ? uniformInt(generator, 0, BATCHES - 1) : b,
      );
      if (order === 'shuffled')
        for (let i = BATCHES - 1; i > 0; i--) {
          const j = uniformInt(generator, 0, i);
          [queue[i], queue[j]] = [queue[j]!, queue[i]!];
        }
    }
    const batch = queue.shift()!;
    const gradient = Array.from({ length: WIDTH }, () => 0);
    for (let s = 4 * batch; s < 4 * batch + 4; s++) {
      const error = x[s]!.reduce((sum, v, i) => sum + v * weights[i]!, 0) - y[s]!;
      x[s]!.forEach((v, i) => (gradient[i]! += (2 * error * v) / 4));
    }
    weights = weights.map((w, i) => w - rate * gradient[i]!);
    if (t >= burnIn) points.push(weights);
  }
  return points;
}

const ask = (points: readonly (readonly number[])[], more: object = {}) =>
  cycles({ sketch: sketchOf(points), from: 0, epoch: BATCHES, seed: 1, ...more }, testContext());

describe('autocorrelation', () => {
  it('is that of the definition, of vectors, at any length', () => {
    for (const [length, width] of [
      [17, 3],
      [64, 1],
      [100, 5],
    ] as const) {
      const values = Float64Array.from(
        gaussianRows(length, width, length).flat(),
        (v, i) => v + Math.sin(i / 9),
      );
      const series = { length, width, values };
      centre(series);
      const { r } = autocorrelation(series);
      const dot = (s: number, t: number): number =>
        Array.from({ length: width }, (_, i) => values[s * width + i]! * values[t * width + i]!).reduce(
          (a, b) => a + b,
        );
      const square = Array.from({ length }, (_, t) => dot(t, t)).reduce((a, b) => a + b) / length;
      for (let lag = 0; lag < length; lag++) {
        let sum = 0;
        for (let t = 0; t + lag < length; t++) sum += dot(t, t + lag);
        assert.ok(Math.abs(r[lag]! - sum / (length - lag) / square) < 1e-9, `lag ${lag} of ${length}`);
      }
    }
  });
});

describe('cycles of SGD', () => {
  it('are found where the batches come in a fixed order, and named as that', async () => {
    const result = await ask(descend('fixed', 400, 1));
    assert.equal(result.verdict, 'fixed-order');
    // Without any other noise the path closes on itself.
    assert.ok(result.atEpoch!.value > 0.97, String(result.atEpoch!.value));
    assert.equal(result.strongest!.lag % BATCHES, 0);
    assert.ok(result.exponent! < 0.4);
    assert.match(result.trust[0]!, /repeat every epoch of 10 steps.*Shuffle/);
    // All power is at multiples of one cycle an epoch.
    const { frequency, power } = result.spectrum;
    const outside = power.filter((_, b) => {
      const turns = frequency[b]! * BATCHES;
      return Math.abs(turns - Math.round(turns)) > 0.1;
    });
    assert.ok(outside.reduce((a, b) => a + b, 0) < 0.05);
    assert.ok(Math.abs(power.reduce((a, b) => a + b, 0) - 1) < 1e-9);
  });

  for (const order of ['shuffled', 'random'] as const) {
    it(`are not found with batches ${order === 'random' ? 'drawn at random' : 'shuffled in every epoch'}`, async () => {
      for (const seed of [1, 2, 3, 4, 5]) {
        const result = await ask(descend(order, 400, seed));
        assert.equal(result.verdict, 'none', `${seed}: ${result.atEpoch!.value}, ${result.atEpoch!.p}`);
        assert.ok(Math.abs(result.atEpoch!.value) < 0.1);
      }
    });
  }

  it('are found without knowing the epoch, and from the repeats alone called so', async () => {
    const fixed = await ask(descend('fixed', 400, 2), { epoch: null });
    assert.equal(fixed.verdict, 'repeats');
    assert.equal(fixed.strongest!.lag % BATCHES, 0);
    assert.equal(fixed.atEpoch, null);
    assert.equal((await ask(descend('shuffled', 400, 2), { epoch: null })).verdict, 'none');
  });

  it('are not mistaken for a drift: updates that stay alike for long have no cycle', async () => {
    const draw = gaussians(4);
    let [x, y] = [0, 0];
    const points = Array.from({ length: 500 }, (_, t) => {
      x += 0.5 + Math.cos(t / 150) + 0.1 * draw();
      y += Math.sin(t / 150) + 0.1 * draw();
      return [x, y];
    });
    const result = await ask(points);
    assert.ok(result.atEpoch!.value > 0.5 && result.atEpoch!.p === 0.01);
    assert.equal(result.verdict, 'none');
    assert.ok(result.exponent! > 1.3);
  });

  it('tells a random walk, a bounce, and a standstill apart', async () => {
    const draw = gaussians(5);
    let at = [0, 0, 0];
    const walk = Array.from({ length: 1000 }, () => (at = at.map((v) => v + draw())));
    const wandering = await ask(walk);
    assert.ok(Math.abs(wandering.exponent! - 1) < 0.3, String(wandering.exponent));
    assert.equal(wandering.verdict, 'none');
    const bounce = Array.from({ length: 200 }, (_, t) => [(t % 2) + 0.01 * draw(), 0.01 * draw()]);
    const edge = await ask(bounce, { epoch: null });
    assert.ok(edge.autocorrelation[1]! < -0.9);
    assert.match(edge.trust.join(' '), /bounces between the walls/);
    const still = await ask(Array.from({ length: 40 }, () => [1, 2]));
    assert.equal(still.exponent, null);
    assert.equal(still.verdict, 'none');
  });

  it('uses the latest successive steps only, and says when there are too few', async () => {
    const points = descend('fixed', 100, 6);
    const gap = await cycles(
      { sketch: sketchOf(points, (i) => (i < 40 ? 2 * i : 100 + i)), from: 0, epoch: BATCHES, seed: 1 },
      testContext(),
    );
    assert.deepEqual([gap.from, gap.to], [140, 199]);
    const sparse = sketchOf(points, (i) => 4 * i);
    await assert.rejects(cycles({ sketch: sparse, from: 0, epoch: null, seed: 1 }, testContext()), {
      code: 'bad-input',
      cure: /--every-step/,
    });
    const long = await ask(points, { epoch: 80 });
    assert.equal(long.verdict, 'unknown');
    assert.match(long.trust[0]!, /fewer than two/);
    await assert.rejects(ask(points.map((p) => p.map(() => NaN))), { code: 'non-finite' });
    const context = testContext();
    context.controller.abort();
    await assert.rejects(
      cycles({ sketch: sketchOf(points), from: 0, epoch: 10, seed: 1 }, context),
      isCancelled,
    );
  });

  it('takes the length of an epoch from those that were wholly recorded', () => {
    const of = (...counts: (number | null)[]) => counts.map((epoch) => ({ epoch }));
    assert.equal(stepsPerEpoch(of(0, 0, 0, 1, 1, 1, 2)), 3);
    assert.equal(stepsPerEpoch(of(0, 0)), null);
    assert.equal(stepsPerEpoch(of(null, null, null)), null);
  });
});
