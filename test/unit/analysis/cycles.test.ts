/** Cycles of SGD on least squares: with a fixed order of the batches, shuffled in every epoch, and drawn at random. */
import assert from 'node:assert/strict';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { mersenne } from 'pure-rand/generator/mersenne';
import { autocorrelation, centre } from '../../../src/analysis/autocorrelation.ts';
import { cycles, stepsPerEpoch, type CyclesInput } from '../../../src/analysis/cycles.ts';
import { innovations } from '../../../src/analysis/innovations.ts';
import { isCancelled } from '../../../src/protocol/errors.ts';
import { momentumOf } from '../../../src/protocol/momentum.ts';
import type { OptimizerInfo } from '../../../src/protocol/run.ts';
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

type Optimizer = 'sgd' | 'heavy-ball' | 'nesterov' | 'adam';
const BETA = 0.9;
const optimizers: Record<Optimizer, OptimizerInfo> = {
  sgd: { name: 'SGD', config: { momentum: 0 } },
  'heavy-ball': { name: 'Momentum', config: { momentum: BETA, useNesterov: false } },
  nesterov: { name: 'SGD', config: { momentum: BETA, nesterov: true } },
  adam: { name: 'Adam', config: { beta1: BETA, beta2: 0.999 } },
};

interface Descent {
  readonly optimizer?: Optimizer;
  readonly rate?: number | ((step: number) => number);
  /** Steps of an epoch. */
  readonly batches?: number;
  readonly burnIn?: number;
  /** Share of the inputs that each step leaves out at random. */
  readonly dropout?: number;
  /** Neighbouring batches are alike, as in data sorted by class. */
  readonly sorted?: boolean;
  /** How far the labels are from any line: without it SGD has no noise at its minimum. */
  readonly noise?: number;
}

/** The path of an optimizer around the minimum of least squares with noise; more rows of data than weights. */
function descend(order: Order, steps: number, seed: number, how: Descent = {}): number[][] {
  const { optimizer = 'sgd', batches = BATCHES, burnIn = 2000, dropout = 0, noise: size = 3 } = how;
  const rate = (t: number): number => (typeof how.rate === 'function' ? how.rate(t) : (how.rate ?? 0.02));
  const rows = Math.max(4, Math.ceil(60 / batches));
  const x = gaussianRows(rows * batches, WIDTH, seed);
  const noise = gaussians(seed + 1);
  if (how.sorted === true)
    x.forEach((row, s) =>
      row.forEach((_, i) => (row[i]! += i < 2 ? 3 * Math.cos((Math.PI * s) / x.length + i) : 0)),
    );
  const y = x.map(() => size * noise());
  const generator = mersenne(seed);
  let weights = Array.from({ length: WIDTH }, () => 0);
  let first = Array.from({ length: WIDTH }, () => 0);
  let second = Array.from({ length: WIDTH }, () => 0);
  let queue: number[] = [];
  const points: number[][] = [];
  for (let t = 0; t < burnIn + steps; t++) {
    if (queue.length === 0) {
      queue = Array.from({ length: batches }, (_, b) =>
        order === 'random' ? uniformInt(generator, 0, batches - 1) : b,
      );
      if (order === 'shuffled')
        for (let i = batches - 1; i > 0; i--) {
          const j = uniformInt(generator, 0, i);
          [queue[i], queue[j]] = [queue[j]!, queue[i]!];
        }
    }
    const batch = queue.shift()!;
    const gradient = Array.from({ length: WIDTH }, () => 0);
    for (let s = rows * batch; s < rows * (batch + 1); s++) {
      const row = x[s]!.map((v) =>
        uniformInt(generator, 1, 1000) <= 1000 * dropout ? 0 : v / (1 - dropout),
      );
      const error = row.reduce((sum, v, i) => sum + v * weights[i]!, 0) - y[s]!;
      row.forEach((v, i) => (gradient[i]! += (2 * error * v) / rows));
    }
    // Recorded from the burn-in on, as step 0: what is corrected for early steps has passed by then, but for Adam from 0.
    if (t >= burnIn) points.push(weights);
    const eta = rate(t - burnIn);
    if (optimizer === 'adam') {
      first = first.map((m, i) => BETA * m + (1 - BETA) * gradient[i]!);
      second = second.map((v, i) => 0.999 * v + 0.001 * gradient[i]! ** 2);
      const [c1, c2] = [1 - BETA ** (t + 1), 1 - 0.999 ** (t + 1)];
      weights = weights.map((w, i) => w - (eta * first[i]!) / c1 / (Math.sqrt(second[i]! / c2) + 1e-8));
      continue;
    }
    const beta = optimizer === 'sgd' ? 0 : BETA;
    first = first.map((v, i) => beta * v + gradient[i]!);
    const step = optimizer === 'nesterov' ? first.map((v, i) => gradient[i]! + beta * v) : first;
    weights = weights.map((w, i) => w - eta * step[i]!);
  }
  return points;
}

const ask = (points: readonly (readonly number[])[], more: Partial<CyclesInput> = {}) =>
  cycles(
    {
      sketch: sketchOf(points),
      from: 0,
      epoch: BATCHES,
      seed: 1,
      optimizer: optimizers.sgd,
      rate: () => null,
      ...more,
    },
    testContext(),
  );

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

describe('innovations', () => {
  /** Updates of an optimizer whose gradients do not depend on the weights, and those gradients. */
  function updatesOf(optimizer: Optimizer, rates: readonly number[]) {
    const gradients = gaussianRows(rates.length, 3, 7);
    let v = [0, 0, 0];
    const updates = gradients.map((g, t) => {
      if (optimizer === 'adam') {
        // v̂ held at 1: what is left is the corrected average.
        v = v.map((m, i) => BETA * m + (1 - BETA) * g[i]!);
        return v.map((m) => (-rates[t]! * m) / (1 - BETA ** (t + 1)));
      }
      const beta = optimizer === 'sgd' ? 0 : BETA;
      v = v.map((m, i) => beta * m + g[i]!);
      return (optimizer === 'nesterov' ? v.map((m, i) => g[i]! + beta * m) : v).map((u) => -rates[t]! * u);
    });
    return { gradients, updates };
  }

  for (const optimizer of ['sgd', 'heavy-ball', 'nesterov', 'adam'] as const) {
    it(`of ${optimizer} are its gradients, also where the learning rate changes`, () => {
      const rates = Array.from({ length: 60 }, (_, t) => 0.1 * (1 + Math.cos(t / 20)));
      const { gradients, updates } = updatesOf(optimizer, rates);
      const series = { length: 60, width: 3, values: Float64Array.from(updates.flat()) };
      const momentum = momentumOf(optimizers[optimizer])!;
      const fresh = innovations(series, Array.from(rates.keys()), rates, momentum);
      const skipped = 60 - fresh.length;
      assert.equal(skipped, optimizer === 'sgd' ? 0 : 1);
      const scale = optimizer === 'adam' ? 1 - BETA : 1;
      // What Nesterov's first step hides is forgotten by half a step.
      for (let t = optimizer === 'nesterov' ? 45 : 0; t < fresh.length; t++)
        for (let i = 0; i < 3; i++) {
          const error = fresh.values[t * 3 + i]! + scale * gradients[t + skipped]![i]!;
          assert.ok(Math.abs(error) < 1e-9, `${t}: ${error}`);
        }
    });
  }

  it('know the momentum of the frameworks’ optimizers, and say when they do not', () => {
    const of = (name: string, config: OptimizerInfo['config'] = {}) => momentumOf({ name, config });
    assert.deepEqual(of('SGD', { momentum: 0.9, nesterov: true }), {
      beta: 0.9,
      kind: 'nesterov',
      corrected: false,
    });
    assert.deepEqual(of('SGD'), { beta: 0, kind: 'none', corrected: false });
    assert.deepEqual(of('RMSprop', { momentum: 0.5 }), { beta: 0.5, kind: 'adaptive', corrected: false });
    assert.deepEqual(of('AdamW', { beta1: 0.8 }), { beta: 0.8, kind: 'adaptive', corrected: true });
    assert.deepEqual(of('Adagrad')?.kind, 'none');
    for (const unknown of [
      of('Lion', { beta1: 0.9 }),
      of('Adam'),
      of('SGD', { momentum: 1.5 }),
      momentumOf(null),
    ])
      assert.equal(unknown, null);
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
    // Shuffled within epochs the drift is still there.
    const { value, shuffled } = result.atEpoch!;
    assert.ok(value > 0.5 && value - shuffled.mean < 0.01);
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
    // An epoch of an even number of steps is a multiple of the bounce, and is no cycle of the data for that.
    const fading = Array.from({ length: 400 }, (_, t) => [(-0.999) ** t + 0.01 * draw(), 0.01 * draw()]);
    for (const epoch of [4, 6, 10]) assert.equal((await ask(fading, { epoch })).verdict, 'none');
    // Nor is one that is a multiple of any other oscillation's period, or near to it.
    const swing = Array.from({ length: 400 }, (_, t) => [
      Math.cos((2 * Math.PI * t) / 6) + 0.1 * draw(),
      Math.sin((2 * Math.PI * t) / 6) + 0.1 * draw(),
    ]);
    for (const epoch of [5, 7, 12, 18]) assert.equal((await ask(swing, { epoch })).verdict, 'none');
    for (const epoch of [1, 2]) {
      const short = await ask(bounce, { epoch });
      assert.equal(short.verdict, 'unknown');
      assert.match(short.trust[0]!, /so short a cycle/);
    }
  });

  // Momentum smears an epoch out, the shorter the more; dropout adds noise of its own to every step.
  for (const optimizer of ['sgd', 'heavy-ball', 'nesterov', 'adam'] as const) {
    it(`are found with ${optimizer} and dropout in a fixed order, at any length of an epoch, and not in others`, async () => {
      for (const batches of [3, 6, 25]) {
        const how = { optimizer, batches, dropout: 0.2, rate: optimizer === 'sgd' ? 0.02 : 0.002 };
        const asked = { epoch: batches, optimizer: optimizers[optimizer] };
        for (const seed of [1, 2]) {
          const fixed = await ask(descend('fixed', 400, seed, how), asked);
          assert.equal(fixed.verdict, 'fixed-order', `${batches}, ${seed}: ${fixed.trust.join(' ')}`);
          for (const order of ['shuffled', 'random'] as const) {
            const other = await ask(descend(order, 400, seed, how), asked);
            assert.equal(other.verdict, 'none', `${order} ${batches}, ${seed}: ${other.trust.join(' ')}`);
          }
        }
      }
    });
  }

  it('are found beside a drift, in sorted data, and under a changing learning rate', async () => {
    const optimizer = 'heavy-ball' as const;
    const asked = { epoch: 6, optimizer: optimizers[optimizer] };
    const drifting = { optimizer, batches: 6, burnIn: 0, rate: 0.0005, noise: 1 };
    const falling = (t: number): number => 0.004 * (1 + Math.cos((Math.PI * t) / 500));
    for (const seed of [1, 2, 3]) {
      assert.equal((await ask(descend('fixed', 500, seed, drifting), asked)).verdict, 'fixed-order');
      assert.equal((await ask(descend('shuffled', 500, seed, drifting), asked)).verdict, 'none');
      const sorted = { optimizer, sorted: true, rate: 0.002, batches: 20 };
      const long = { ...asked, epoch: 20 };
      assert.equal((await ask(descend('fixed', 500, seed, sorted), long)).verdict, 'fixed-order');
      assert.equal((await ask(descend('shuffled', 500, seed, sorted), long)).verdict, 'none');
      const annealed = { ...asked, rate: falling };
      const cooled = await ask(
        descend('fixed', 400, seed, { optimizer, batches: 6, rate: falling }),
        annealed,
      );
      assert.equal(cooled.verdict, 'fixed-order');
      assert.ok(cooled.rateScaled && cooled.atEpoch!.value > 0.95, String(cooled.atEpoch!.value));
      assert.match(cooled.trust.join(' '), /β = 0\.9.*some 10 steps.*divided by its learning rate/);
      const mixed = await ask(
        descend('shuffled', 400, seed, { optimizer, batches: 6, rate: falling }),
        annealed,
      );
      assert.equal(mixed.verdict, 'none');
    }
  });

  it('have the values of the reference: 0.97 in a fixed order, 0 reshuffled and at random', async () => {
    // At the minimum the gradient is each batch's own and nothing else, so r is 1, −1/(B−1) or so, and 0 by construction.
    const [fixed, shuffled, random] = await Promise.all(
      (['fixed', 'shuffled', 'random'] as const).map(async (order) =>
        ask(descend(order, 2000, 3, { optimizer: 'heavy-ball', rate: 0.001 }), {
          optimizer: optimizers['heavy-ball'],
        }),
      ),
    );
    assert.ok(Math.abs(fixed!.atEpoch!.value - 1) < 0.03, String(fixed!.atEpoch!.value));
    assert.ok(Math.abs(shuffled!.atEpoch!.value) < 0.03, String(shuffled!.atEpoch!.value));
    assert.ok(Math.abs(random!.atEpoch!.value) < 0.03, String(random!.atEpoch!.value));
  });

  it('are not looked for in what an unknown optimizer may have smeared out without saying so', async () => {
    const points = descend('shuffled', 100, 1);
    for (const optimizer of [null, { name: 'Lion', config: {} }]) {
      const result = await ask(points, { optimizer });
      assert.equal(result.momentum, null);
      assert.deepEqual(result.autocorrelation, result.ofUpdates);
      assert.match(result.trust.join(' '), /momentum of the optimizer is not known/);
    }
  });

  it('uses the latest successive steps only, and says when there are too few', async () => {
    const points = descend('fixed', 100, 6);
    const gap = await ask([], { sketch: sketchOf(points, (i) => (i < 40 ? 2 * i : 100 + i)) });
    assert.deepEqual([gap.from, gap.to], [140, 199]);
    const sparse = sketchOf(points, (i) => 4 * i);
    await assert.rejects(ask([], { sketch: sparse, epoch: null }), {
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
      cycles(
        { sketch: sketchOf(points), from: 0, epoch: 10, seed: 1, optimizer: null, rate: () => null },
        context,
      ),
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
