/** Whether SGD circles, on planted paths: Ornstein–Uhlenbeck processes, descents, walks and annealed noise. */
import assert from 'node:assert/strict';
import { circling } from '../../../src/analysis/circling.ts';
import { circlingSentences } from '../../../src/analysis/trustCircling.ts';
import { gaussians, scattered } from '../../fixtures/gaussian.ts';
import { step } from '../../fixtures/runs.ts';

const { signal } = new AbortController();
const DIMENSION = 30;
const N = 1600;

interface Planted {
  /** Pull to the minimum of a step, learning rate × curvature. */
  readonly pull: number;
  /** Standard deviation of a step's noise. */
  readonly noise: (t: number) => number;
  /** Of each coordinate at the start. */
  readonly start?: number;
  /** Added at each step. */
  readonly drift?: number;
}

/** θ ← θ − pull·θ + noise; its loss is ½‖θ‖² with the noise of a batch. */
function path({ pull, noise, start = 0, drift = 0 }: Planted, seed: number, length = N) {
  const next = gaussians(scattered(seed));
  let theta = Array.from({ length: DIMENSION }, () => start);
  const points: number[][] = [];
  const steps = [];
  for (let t = 0; t < length; t++) {
    points.push(theta);
    const loss = 1 + 0.5 * theta.reduce((s, x) => s + x * x, 0) + 0.1 * next();
    steps.push(step(t, { loss }));
    theta = theta.map((x) => (1 - pull) * x + noise(t) * next() + drift);
  }
  const records = async function* () {
    await Promise.resolve();
    for (const [t, values] of points.entries()) yield { step: t, values };
  };
  return { sketch: { dimension: DIMENSION, records }, steps };
}
const ask = (planted: Planted, seed: number, length?: number) => {
  const { sketch, steps } = path(planted, seed, length);
  return circling(sketch, steps, signal);
};
const seeds = [1, 2, 3, 4, 5, 6, 7, 8];
const constant = (value: number) => (): number => value;

describe('circling', () => {
  it('is what an Ornstein–Uhlenbeck process around a minimum does, with the rounds and angle of its theory', async () => {
    const pull = 0.05;
    for (const seed of seeds) {
      const { verdict, stretch } = await ask({ pull, noise: constant(0.1) }, seed);
      assert.equal(verdict, 'circling');
      // Begun in the middle, it takes a moment to reach its stationary spread.
      assert.ok(stretch!.from <= N / 8, `from ${stretch!.from}`);
      // Σ_{τ≥1} (1 − pull)^τ = (1 − pull)/pull, so n_eff = n·pull/(2 − pull).
      const rounds = (stretch!.points * pull) / (2 - pull);
      assert.ok(Math.abs(stretch!.rounds / rounds - 1) < 0.25, `${stretch!.rounds} of ${rounds} rounds`);
      // cos = −(1 − ρ)/2 with ρ = (1 − pull)^lag, 0 at an eighth of the path.
      assert.ok(Math.abs(stretch!.turning - 120) < 6, `${stretch!.turning}°`);
      assert.ok(stretch!.drift < 0.5 && Math.abs(Math.log(stretch!.spread)) < 0.4);
      assert.match(
        circlingSentences({ verdict, stretch })[0]!,
        /^From step \d+ on SGD circles, so averaging starts to pay there/,
      );
    }
  });

  it('begins where a descent has ended', async () => {
    for (const seed of seeds) {
      // From 3 to the stationary spread of 0.1/√(2·0.03) takes ln(3/0.4)/0.03 steps, 70 of 1600.
      const { verdict, stretch } = await ask({ pull: 0.03, noise: constant(0.1), start: 3 }, seed);
      assert.equal(verdict, 'circling');
      assert.ok(stretch!.from >= 70 && stretch!.from <= N / 2, `from ${stretch!.from}`);
    }
  });

  it('is not seen on the way down', async () => {
    for (const seed of seeds) {
      // Still descending at the end: 1600 steps at a pull of 0.0008 keep a share e^−1.3 of the way.
      const slow = await ask({ pull: 0.0008, noise: constant(0.002), start: 3 }, seed);
      assert.equal(slow.verdict, 'going-on');
      assert.ok(slow.stretch!.turning < 60, `${slow.stretch!.turning}°`);
      const straight = await ask({ pull: 0, noise: constant(0.02), drift: 0.01 }, seed);
      assert.equal(straight.verdict, 'going-on');
      assert.ok(straight.stretch!.turning < 45 && Math.abs(straight.stretch!.drift / 12 - 1) < 0.3);
      assert.match(circlingSentences(straight)[0]!, /still gets somewhere: .*An average lags behind\.$/);
    }
  });

  it('is not seen in a random walk', async () => {
    for (const seed of seeds) {
      const { verdict, stretch } = await ask({ pull: 0, noise: constant(0.1) }, seed);
      assert.equal(verdict, 'going-on');
      assert.ok(Math.abs(stretch!.turning - 90) < 15, `${stretch!.turning}°`);
      assert.ok(stretch!.rounds < 8);
    }
  });

  it('is not seen while noise is annealed away', async () => {
    for (const seed of seeds) {
      const cosine = (t: number): number => 0.1 * 0.5 * (1 + Math.cos((Math.PI * t) / N));
      const { verdict, stretch } = await ask({ pull: 0.05, noise: cosine }, seed);
      assert.equal(verdict, 'annealed');
      assert.ok(stretch!.spread < 0.5);
      assert.match(circlingSentences({ verdict, stretch })[0]!, /comes to rest: its spread falls to \d/);
    }
  });

  it('is not claimed while the loss still falls', async () => {
    const { sketch, steps } = path({ pull: 0.05, noise: constant(0.1) }, 1);
    const falling = steps.map((s, t) => ({ ...s, loss: 5 - (4 * t) / N }));
    assert.notEqual((await circling(sketch, falling, signal)).verdict, 'circling');
  });

  it('needs points, and passes over what diverged', async () => {
    assert.deepEqual(await ask({ pull: 0.05, noise: constant(0.1) }, 1, 20), {
      verdict: 'unknown',
      stretch: null,
    });
    assert.deepEqual(await circling(null, [], signal), { verdict: 'unknown', stretch: null });
    const { sketch, steps } = path({ pull: 0.05, noise: constant(0.1) }, 1);
    const broken = {
      ...sketch,
      records: async function* () {
        for await (const { step: at, values } of sketch.records())
          yield { step: at, values: at === 1500 ? values.map(() => NaN) : values };
      },
    };
    assert.equal((await circling(broken, steps, signal)).verdict, 'unknown');
    // What lies before it may be looked at by itself.
    assert.equal((await circling(broken, steps, signal, 1499)).verdict, 'circling');
    // Weights that stand still go nowhere and circle around nothing.
    assert.equal((await ask({ pull: 0, noise: constant(0) }, 1)).verdict, 'unknown');
  });

  it('thins a long path, and finds the same', async () => {
    const { verdict, stretch } = await ask({ pull: 0.01, noise: constant(0.1) }, 3, 9000);
    assert.equal(verdict, 'circling');
    assert.ok(stretch!.points <= 2048);
    const rounds = ((stretch!.to - stretch!.from) * 0.01) / 1.99;
    assert.ok(Math.abs(stretch!.rounds / rounds - 1) < 0.3, `${stretch!.rounds} of ${rounds}`);
  });
});
