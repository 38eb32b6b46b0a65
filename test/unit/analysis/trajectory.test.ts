import assert from 'node:assert/strict';
import { gramOfBlocks } from '../../../src/analysis/gram.ts';
import { growth } from '../../../src/analysis/growth.ts';
import { sketchedPath, type SketchSource } from '../../../src/analysis/sketchedPath.ts';
import { snapshotPath } from '../../../src/analysis/snapshotPath.ts';
import { trajectory, type TrajectoryInput } from '../../../src/analysis/trajectory.ts';
import { planSketch } from '../../../src/probe/tfjs/sketchCoordinates.ts';
import { isCancelled } from '../../../src/protocol/errors.ts';
import type { Path, SketchedPath } from '../../../src/protocol/trajectory.ts';
import { gaussians } from '../../fixtures/gaussian.ts';
import { step } from '../../fixtures/runs.ts';

type Row = readonly number[];
const { signal } = new AbortController();
const context = { signal, progress: () => undefined };
const dot = (a: Row, b: Row): number => a.reduce((s, x, k) => s + x * (b[k] ?? 0), 0);
const gramOf = (rows: readonly Row[]): number[][] => rows.map((a) => rows.map((b) => dot(a, b)));

function randomWalk(steps: number, dimension: number, seed: number): number[][] {
  const next = gaussians(seed);
  const at = new Array<number>(dimension).fill(0);
  return Array.from({ length: steps }, (_, i) => at.map((x, k) => (at[k] = i === 0 ? x : x + next())));
}

function sketchOf(rows: Iterable<Row>, dimension: number, every = 1): SketchSource {
  return {
    dimension,
    async *records() {
      let number = 0;
      for (const values of rows) yield await Promise.resolve({ step: every * number++, values });
    },
  };
}

const snapshots = (rows: readonly Row[], steps = rows.map((_, i) => i)): Path | null =>
  snapshotPath(steps, gramOf(rows), 3);
const sketched = (rows: readonly Row[], parameters = rows[0]?.length ?? 0): Promise<SketchedPath | null> =>
  sketchedPath(sketchOf(rows, rows[0]?.length ?? 0), parameters, new Map(), 3, signal);

/** Both ways to come by a path. */
async function both(rows: readonly Row[]): Promise<readonly [Path, Path]> {
  const [exact, sketch] = [snapshots(rows), await sketched(rows)];
  assert.ok(exact !== null && sketch !== null);
  return [exact, sketch];
}

const near = (a: number | null | undefined, b: number, tolerance: number): void =>
  assert.ok(Math.abs((a ?? NaN) - b) <= tolerance, `${a} is not within ${tolerance} of ${b}`);

describe('the path through weight space', () => {
  it('of a random walk has shares 6/(π²k²), as the baseline says, turns by 90° and gets √t far', async () => {
    for (const path of await both(randomWalk(300, 3000, 1))) {
      [0.608, 0.152, 0.068].forEach((share, k) => {
        near(path.components[k]?.share, share, 0.02);
        near(path.components[k]?.randomWalk, share, 0.002);
      });
      near(path.plane.share, path.plane.randomWalk, 0.02);
      near(path.turning, 90, 1);
      const reached = path.points.map((p) => p.fromStart / Math.sqrt(3000 * Math.max(1, p.step)));
      assert.ok(reached.slice(1).every((ratio) => Math.abs(ratio - 1) < 0.15));
    }
  });

  it('of a random walk of 10,000 steps keeps no more than 500 points, its shares over all of them', async () => {
    const path = await sketched(randomWalk(10_000, 200, 2));
    assert.ok(path !== null);
    assert.equal(path.measured, 10_000);
    assert.equal(path.points.length, 500);
    assert.deepEqual([path.points[0]?.step, path.points.at(-1)?.step], [0, 9999]);
    near(path.plane.share, path.plane.randomWalk, 0.1);
    near(path.components[0]?.randomWalk, 0.608, 0.002);
    // Means over the steps since the point before, not the speed and turn at one of them.
    path.points.slice(1, -1).forEach((p) => near(p.turning, 90, 5));
    path.points.slice(1).forEach((p) => near(p.speed, Math.sqrt(200), 1));
  });

  it('of a straight line holds all in one component, never turns, and keeps its speed', async () => {
    const direction = [3, -4, 12, 0];
    const rows = Array.from({ length: 40 }, (_, i) => direction.map((d) => 5 + d * i));
    for (const path of await both(rows)) {
      assert.equal(path.components.length, 1);
      near(path.components[0]?.share, 1, 1e-9);
      near(path.plane.share, 1, 1e-9);
      near(path.plane.width, 13 * 39, 1e-6);
      assert.ok(path.plane.farthest.distance < 1e-4);
      near(path.turning, 0, 1e-3);
      assert.deepEqual(
        [path.points[0]?.speed, path.points[0]?.turning, path.points.at(-1)?.turning],
        [null, null, null],
      );
      path.points.slice(1).forEach((p, i) => {
        near(p.speed, 13, 1e-6);
        near(p.fromStart, 13 * (i + 1), 1e-6);
      });
      assert.ok((path.points[0]?.x ?? 0) < (path.points.at(-1)?.x ?? 0), 'from left to right');
    }
  });

  it('of a circle has two equal components, turns by the same angle, and comes back', async () => {
    const n = 60;
    const [u, v] = [
      [0.6, 0, 0.8, 0],
      [0, 1, 0, 0],
    ];
    const rows = Array.from({ length: n + 1 }, (_, i) => {
      const angle = (2 * Math.PI * i) / n;
      return [0, 1, 2, 3].map((k) => 2 * (Math.cos(angle) * (u?.[k] ?? 0) + Math.sin(angle) * (v?.[k] ?? 0)));
    });
    for (const path of await both(rows)) {
      // The first point occurs twice, which makes the shares a little unequal.
      [0, 1].forEach((k) => near(path.components[k]?.share, 0.5, 0.02));
      near(path.plane.share, 1, 1e-9);
      near(path.turning, 360 / n, 1e-6);
      near(path.points.at(-1)?.fromStart, 0, 1e-6);
      near(path.points[n / 2]?.fromStart, 4, 1e-9);
      path.points.slice(1).forEach((p) => near(p.speed, 4 * Math.sin(Math.PI / n), 1e-6));
    }
  });

  it('tells how far a point lies from the plane', async () => {
    const rows = [
      [0, 0, 0],
      [8, 0, 0],
      [8, 6, 0],
      [0, 6, 0],
      [4, 3, 1],
    ];
    for (const path of await both(rows)) {
      // The mean is (4, 3, 0.2), and the third axis a component of its own.
      path.points.forEach((p, i) => near(p.distance, i === 4 ? 0.8 : 0.2, 1e-9));
      assert.equal(path.plane.farthest.step, 4);
      near(path.plane.farthest.distance, 0.8, 1e-9);
    }
  });

  it('takes the speed over the steps between snapshots', () => {
    const path = snapshots([[0], [10], [40], [41]], [0, 5, 20, 30]);
    assert.deepEqual(
      path?.points.map((p) => p.speed),
      [null, 2, 2, 0.1],
    );
  });

  it('has no directions for fewer than three points, or when nothing moves', async () => {
    for (const rows of [
      [],
      [[1, 2]],
      [
        [1, 2],
        [3, 4],
      ],
      [
        [1, 2],
        [1, 2],
        [1, 2],
      ],
    ]) {
      assert.equal(snapshots(rows), null);
      assert.equal(await sketched(rows), null);
    }
  });

  it('leaves out sketched points that are not finite', async () => {
    const rows = [
      [0, 0],
      [1, 0],
      [NaN, 0],
      [1, 1],
      [0, Infinity],
      [0, 2],
    ];
    const path = await sketched(rows);
    assert.deepEqual(
      path?.points.map((p) => p.step),
      [0, 1, 3, 5],
    );
    assert.ok(path.points.every((p) => Number.isFinite(p.x + p.y + p.distance)));
  });

  it('stops when it is cancelled', async () => {
    const controller = new AbortController();
    controller.abort();
    await assert.rejects(
      sketchedPath(sketchOf(randomWalk(5, 3, 1), 3), 3, new Map(), 2, controller.signal),
      isCancelled,
    );
  });
});

describe('the sketch of a path', () => {
  /** What a probe samples of weights that moved by `spread(k)` times a Gaussian. */
  async function sample(parameters: number, spread: (k: number) => number, seed: number) {
    const next = gaussians(seed);
    const plan = planSketch([parameters]);
    const [part] = plan.coordinates.parts;
    const rows = [0, 1, 2].map(() => Array.from({ length: parameters }, (_, k) => spread(k) * next()));
    const exact = rows.map((row) => Math.hypot(...row.map((x, k) => x - (rows[0]?.[k] ?? 0))));
    const source = sketchOf(
      rows.map((row) => Array.from(part?.indices ?? [], (at) => plan.scale * (row[at] ?? 0))),
      plan.dimension,
    );
    const norms = new Map(exact.map((distance, i) => [i, { update: null, distance }]));
    const path = await sketchedPath(source, parameters, norms, 2, signal);
    assert.ok(path !== null);
    return path;
  }

  it('keeps distances within the error that it states, which is the one of Johnson and Lindenstrauss for Gaussian ones', async () => {
    for (const seed of [1, 2, 3, 4]) {
      const path = await sample(40_000, () => 1, seed);
      near(path.error, Math.sqrt(1 / 2 / 1024) * Math.sqrt(1 - 1024 / 40_000), 0.004);
      assert.ok((path.measuredError ?? 1) < 3 * path.error, `${path.measuredError} against ${path.error}`);
      assert.ok((path.measuredError ?? 0) > 0);
    }
  });

  it('states a larger error where few weights do most of the moving', async () => {
    const path = await sample(40_000, (k) => (k % 97 === 0 ? 30 : 1), 5);
    assert.ok(path.error > 0.1);
    assert.ok((path.measuredError ?? 1) < 3 * path.error);
  });

  it('loses nothing of a small model', async () => {
    const path = await sample(500, () => 1, 6);
    assert.equal(path.dimension, 500);
    assert.equal(path.error, 0);
    near(path.measuredError, 0, 1e-12);
  });
});

describe('the growth of the distance from start', () => {
  const run = (steps: number, distance: (t: number) => number, more: object = {}) =>
    growth(
      Array.from({ length: steps }, (_, t) => step(t, { distance: distance(t), updateNorm: 0.1, ...more })),
    );

  it('has the exponent 1 on a straight line and ½ in diffusion', () => {
    const line = run(400, (t) => 0.1 * t);
    near(line?.exponent, 1, 1e-9);
    near(line?.distance, line?.straightLine ?? 0, 1e-9);
    const walk = run(400, (t) => 0.1 * Math.sqrt(t));
    near(walk?.exponent, 0.5, 1e-9);
    near(walk?.distance, walk?.randomWalk ?? 0, 1e-9);
    assert.equal(walk?.step, 399);
  });

  it('weighs every stretch of log t alike', () => {
    // A straight line for 1000 of 10,000 steps, three quarters of log t, then diffusion.
    const bent = run(10_001, (t) => (t <= 1000 ? t : Math.sqrt(1000 * t)));
    near(bent?.exponent, 0.909, 0.005);
  });

  it('lets an update that was not measured be as long as its nearest measured one', () => {
    // Lengths fall from 1 to 0.1 at step 100; all are measured before, one in twenty after.
    const length = (t: number): number => (t <= 100 ? 1 : 0.1);
    const records = Array.from({ length: 501 }, (_, t) =>
      step(t, { distance: t, updateNorm: t === 0 || (t > 100 && t % 20 !== 0) ? null : length(t) }),
    );
    const found = growth(records);
    assert.equal(found?.measured, 120);
    near(found.straightLine, 100 + 40, 9);
    near(found.randomWalk, Math.sqrt(100 + 4), 0.5);
  });

  it('states none over less than a decade, and nothing without recorded norms', () => {
    assert.equal(run(8, (t) => t)?.exponent, null);
    assert.equal(
      run(50, (t) => t, { updateNorm: null }),
      null,
    );
    assert.equal(
      run(50, (t) => t, { distance: null }),
      null,
    );
    assert.equal(
      run(1, () => 0),
      null,
    );
  });

  it('ends before the weights are no numbers', () => {
    const records = Array.from({ length: 30 }, (_, t) =>
      step(t, { updateNorm: t < 20 ? 0.1 : 'NaN', distance: t < 20 ? t : 'Infinity' }),
    );
    assert.equal(growth(records)?.step, 19);
  });
});

describe('trajectory', () => {
  async function* blocksOf(rows: readonly Row[], width: number): AsyncGenerator<Float32Array[]> {
    for (let from = 0; from < (rows[0]?.length ?? 0); from += width) {
      yield await Promise.resolve(rows.map((row) => Float32Array.from(row.slice(from, from + width))));
    }
  }
  const input = (rows: readonly Row[], more: Partial<TrajectoryInput> = {}): TrajectoryInput => ({
    snapshots: rows.map((_, i) => 10 * i),
    snapshotsThere: rows.length,
    blocks: blocksOf(rows, 7),
    sketch: null,
    steps: [],
    parameters: rows[0]?.length ?? 0,
    components: 5,
    ...more,
  });

  it('has the Gram matrix of differences from the first snapshot, whatever the stretches', async () => {
    const rows = randomWalk(5, 33, 3).map((row) => row.map((x) => Math.fround(1000 + x)));
    const { gram, finite } = await gramOfBlocks(blocksOf(rows, 10), 5, 33, context);
    assert.deepEqual(finite, [true, true, true, true, true]);
    const moved = gramOf(rows.map((row) => row.map((x, k) => x - (rows[0]?.[k] ?? 0))));
    gram.forEach((row, i) => row.forEach((value, j) => near(value, moved[i]?.[j] ?? NaN, 1e-9)));
  });

  it('says what the plane holds beside a random walk, where the farthest snapshot lies, and what it rests on', async () => {
    const rows = randomWalk(20, 200, 4);
    const { trust, data, snapshots: path, sketch } = await trajectory(input(rows), context);
    assert.equal(data, null);
    assert.equal(sketch, null);
    assert.equal(path?.measured, 20);
    assert.match(
      trust[0] ?? '',
      /^The plane holds \d\d\.?\d? % of the path's variance \(a random walk of as many snapshots: 7\d\.?\d? %\); snapshot \d+ lies 0\.\d+ plane-widths away\.$/,
    );
    assert.ok(trust.some((s) => s.startsWith('From snapshot to snapshot the path turns by')));
    assert.ok(trust.some((s) => s.startsWith('Nothing is said of single steps')));
  });

  it('leaves out snapshots that are not finite, the first one too, and says so', async () => {
    const rows = randomWalk(6, 20, 5).map((row, i) =>
      i === 0 || i === 4 ? row.map((x, k) => (k === 13 ? NaN : x)) : row,
    );
    const { snapshots: path, trust } = await trajectory(input(rows), context);
    assert.deepEqual(
      path?.points.map((p) => p.step),
      [10, 20, 30, 50],
    );
    const clean = snapshotPath([10, 20, 30, 50], gramOf([1, 2, 3, 5].map((i) => rows[i] ?? [])), 5);
    near(path.plane.share, clean?.plane.share ?? NaN, 1e-6);
    assert.ok(trust.some((s) => s.endsWith('NaN or infinite: snapshots 0, 40.')));
  });

  it('is answered by the sketch alone where there are one or two snapshots', async () => {
    for (const count of [1, 2]) {
      const walk = randomWalk(30, 50, 6);
      const result = await trajectory(input(walk.slice(0, count), { sketch: sketchOf(walk, 50) }), context);
      assert.equal(result.snapshots, null);
      assert.equal(result.sketch?.measured, 30);
      assert.match(result.trust[0] ?? '', /^Over 30 recorded steps/);
    }
  });

  it('refuses a run without three different points, saying why', async () => {
    for (const [rows, why] of [
      [[[1, 2]], /has 1 snapshot, /],
      [
        [
          [1, 2],
          [3, 4],
        ],
        /has 2 snapshots, /,
      ],
      [
        [
          [1, 2],
          [NaN, 4],
          [5, 6],
        ],
        /has 2 snapshots \(1 more is NaN/,
      ],
      [
        [
          [1, 2],
          [1, 2],
          [1, 2],
        ],
        /same weights/,
      ],
    ] as const) {
      await assert.rejects(trajectory(input(rows), context), why);
    }
  });
});
