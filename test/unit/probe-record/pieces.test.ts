import assert from 'node:assert/strict';
import { ReadingBudget } from '../../../src/probe/tfjs/budget.ts';
import { callSiteOf } from '../../../src/probe/tfjs/callSite.ts';
import type { Batch } from '../../../src/probe/tfjs/capture.ts';
import {
  SketchRing,
  StepRing,
  createSharedMemory,
  type StepNumbers,
} from '../../../src/probe/tfjs/channel.ts';
import { beforeMoved } from '../../../src/probe/tfjs/hooks.ts';
import { hashRows } from '../../../src/probe/tfjs/rowHash.ts';
import { planSketch } from '../../../src/probe/tfjs/sketchCoordinates.ts';
import { SnapshotSchedule } from '../../../src/probe/tfjs/snapshotSchedule.ts';

/** Steps that are on the disk after a run of so many updates. */
function kept(schedule: SnapshotSchedule, updates: number, known: boolean): number[] {
  const disk = new Set([0]);
  schedule.keep(0);
  const drop = (steps: readonly number[]): void => steps.forEach((step) => disk.delete(step));
  if (known) drop(schedule.expect(updates));
  for (let step = 1; step <= updates; step++) {
    if (!schedule.due(step)) continue;
    disk.add(step);
    drop(schedule.keep(step));
  }
  // The end of the process keeps the last one, whether it was due or not.
  disk.add(updates);
  drop(schedule.keep(updates, true));
  return [...disk].sort((a, b) => a - b);
}

describe('the snapshot schedule', () => {
  for (const known of [true, false]) {
    for (const megabytes of [0.01, 40]) {
      it(`keeps 50 to 200 of any longer run (${megabytes} MB each, length ${known ? 'known' : 'unknown'})`, () => {
        for (const updates of [60, 99, 101, 199, 200, 201, 333, 1000, 4567, 100_000]) {
          const schedule = new SnapshotSchedule(null, megabytes * 1e6);
          const steps = kept(schedule, updates, known);
          assert.ok(steps.length >= 50 && steps.length <= 202, `${steps.length} of ${updates}`);
          assert.equal(steps[0], 0);
          assert.equal(steps[steps.length - 1], updates);
          assert.ok(steps.slice(0, -1).every((step) => step % schedule.every === 0));
        }
      });
    }
  }

  it('keeps to what the user asked for', () => {
    assert.equal(kept(new SnapshotSchedule(1, 1e9), 500, true).length, 501);
    assert.deepEqual(kept(new SnapshotSchedule(7, 1), 20, false), [0, 7, 14, 20]);
  });
});

describe('the reading budget', () => {
  const run = (cost: number, step: number, always = false): number => {
    const budget = new ReadingBudget(always);
    for (let i = 0; i < 100; i++) {
      budget.cost(cost);
      budget.step(step);
    }
    return budget.every;
  };
  it('reads the weights as often as two hundredths of the time allow', () => {
    assert.equal(run(0.1, 10), 1);
    for (const [cost, step] of [
      [1, 10],
      [8, 2],
    ] as const) {
      const every = run(cost, step);
      assert.ok(cost / every <= 0.02 * step && cost / every > 0.01 * step, `every ${every}`);
    }
  });
  it('reads them every time when asked to', () => {
    assert.equal(run(100, 1, true), 1);
  });
});

describe('the call site', () => {
  const site = (stack: string) => callSiteOf(Object.assign(new Error(), { stack }), '/dist/probe.cjs');
  it('is the innermost frame of the user', () => {
    const stack = `Error
    at step (/dist/probe.cjs:10:5)
    at Engine.gradients (/w/node_modules/@tensorflow/tfjs-core/dist/tf-core.node.js:5:5)
    at loss (file:///w/a%20b/train.mjs:12:7)
    at file:///w/a%20b/main.mjs:3:1
    at node:internal/modules/run:1:1`;
    assert.deepEqual(site(stack), { file: '/w/a b/train.mjs', line: 12, column: 7 });
  });
  it('is below the library in a bundle', () => {
    const stack = `Error
    at Engine.gradients (/w/bundle.js:900:5)
    at variableGrads_ (/w/bundle.js:800:5)
    at SGDOptimizer.minimize (/w/bundle.js:700:5)
    at train (/w/bundle.js:42:9)`;
    assert.equal(site(stack)?.line, 42);
  });
  it('is unknown without a frame of the user, or without a text', () => {
    assert.equal(site('Error\n    at node:internal/x:1:1'), null);
    assert.equal(callSiteOf(Object.assign(new Error(), { stack: [] }) as unknown as Error, ''), null);
  });
});

describe('the rings between the threads', () => {
  const record = (step: number): StepNumbers => ({
    step,
    objective: step % 3,
    epoch: step % 2 === 0 ? null : 4,
    loss: step === 7 ? NaN : step / 3,
    learningRate: step % 5 === 0 ? null : 1e-3,
    gradientNorm: Infinity,
    updateNorm: null,
    distance: 0,
    time: step * 1.5,
    samples: 32,
    nonFinite: step % 11 === 0,
  });
  it('carry records whole and in order, round and round', () => {
    const memory = createSharedMemory();
    const [writer, reader] = [new StepRing(memory), new StepRing(memory)];
    for (let step = 0; step < 10_000; step += 100) {
      for (let i = step; i < step + 100; i++) assert.ok(writer.push(record(i)));
      for (let i = step; i < step + 100; i++) assert.deepEqual(reader.shift(), record(i));
      assert.equal(reader.shift(), null);
    }
  });
  it('say when they are full, and lose nothing that is in them', () => {
    const memory = createSharedMemory();
    const ring = new StepRing(memory);
    let pushed = 0;
    while (ring.push(record(pushed))) pushed++;
    for (let i = 0; i < pushed; i++) assert.deepEqual(ring.shift(), record(i));
  });
  it('carry sketches of any dimension', () => {
    const memory = createSharedMemory();
    const ring = new SketchRing(memory);
    const values = Float32Array.from({ length: 1024 }, (_, i) => i);
    for (let step = 0; step < 1000; step++) {
      const objective = step % 2;
      ring.push({ step, objective, values: objective === 0 ? values : values.slice(0, 3) });
      const read = ring.shift((o) => (o === 0 ? 1024 : 3));
      assert.deepEqual(read, { step, objective, values: objective === 0 ? values : values.slice(0, 3) });
    }
  });
});

describe('row hashes', () => {
  const batch = (rows: readonly (readonly number[])[]): Batch => ({
    leaves: [
      {
        shape: [rows.length, rows[0]?.length ?? 0],
        dtype: 'float32',
        values: Float32Array.from(rows.flat()),
      },
      { shape: [], dtype: 'float32', values: Float32Array.of(3) },
    ],
    samples: rows.length,
    step: 0,
    loss: 0,
    draws: [],
  });
  it('know a sample again wherever it stands', () => {
    const [a, b, c] = hashRows(
      batch([
        [1, 2],
        [3, 4],
        [1, 2],
      ]),
    );
    assert.equal(a, c);
    assert.notEqual(a, b);
    assert.equal(hashRows(batch([[3, 4]]))[0], b);
  });
  it('tell black-and-white pictures apart', () => {
    const pictures = Array.from({ length: 4096 }, (_, i) =>
      Array.from({ length: 12 }, (__, k) => (i >> k) & 1),
    );
    assert.equal(new Set(hashRows(batch(pictures))).size, 4096);
  });
});

describe('the sketch', () => {
  it('samples every parameter in proportion, and all of a small model', () => {
    const { dimension, scale, coordinates } = planSketch([50_000, 10, 150_000]);
    assert.equal(dimension, 1024);
    assert.ok(Math.abs(scale - Math.sqrt(200_010 / 1024)) < 1e-12);
    const counts = [0, 1, 2].map(
      (i) => coordinates.parts.find(({ tensor }) => tensor === i)?.indices.length ?? 0,
    );
    assert.ok(Math.abs((counts[0] ?? 0) - 256) <= 1);
    for (const { tensor, indices } of coordinates.parts) {
      assert.ok(indices.every((index, i) => index >= 0 && (i === 0 || index > (indices[i - 1] as number))));
      assert.ok((indices[indices.length - 1] as number) < [50_000, 10, 150_000][tensor]!);
    }
    const small = planSketch([3, 1, 4]);
    assert.equal(small.scale, 1);
    assert.deepEqual(
      small.coordinates.parts.map(({ indices }) => [...indices]),
      [[0, 1, 2], [0], [0, 1, 2, 3]],
    );
  });
});

describe('waits for variables to be moved', () => {
  it('are none any more when they are ended, in whatever order', () => {
    const disposed: unknown[] = [];
    const engine = { disposeTensor: (tensor: unknown) => disposed.push(tensor) } as unknown as Parameters<
      typeof beforeMoved
    >[0];
    const [a, b] = [{}, {}] as Parameters<typeof engine.disposeTensor>[0][];
    assert.ok(a && b);
    const moved: string[] = [];
    const endA = beforeMoved(engine, new Set([a]), () => moved.push('a'));
    const endB = beforeMoved(engine, new Set([b]), () => moved.push('b'));
    for (const one of [a, b]) engine.disposeTensor(one);
    assert.deepEqual(moved, ['a', 'b']);
    endA();
    for (const one of [a, b]) engine.disposeTensor(one);
    assert.deepEqual(moved, ['a', 'b', 'b'], 'the first wait is over');
    endB();
    for (const one of [a, b]) engine.disposeTensor(one);
    assert.equal(moved.length, 3);
    assert.equal(disposed.length, 6, 'every tensor is disposed of once');
  });
});
