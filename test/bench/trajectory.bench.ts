/**
 * `basin trajectory` of 10,000 steps of ten million parameters, as a process of its own: how many times it reads each
 * snapshot, its peak memory, and its time over that of reading the files once. BENCH_SNAPSHOTS names another number of
 * snapshots than 60, about as many as it looks at by itself; 200 are the most a run keeps. Each takes 40 MB on the disk.
 */
import { open, mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { snapshotFile, type ObjectiveInfo } from '../../src/protocol/run.ts';
import { encodeHeader } from '../../src/protocol/safetensors.ts';
import { encodeSketchHeader } from '../../src/protocol/sketch.ts';
import type { TrajectoryResult } from '../../src/protocol/trajectory.ts';
import { RunStore } from '../../src/runs/runStore.ts';
import { gaussians } from '../fixtures/gaussian.ts';
import { cli, node, readJson, report, scratchFolder } from './measure.ts';

const STEPS = 10_000;
const ROWS = 10_000;
const COLUMNS = 1000;
const DIMENSION = 1024;
const snapshots = Number(process.env.BENCH_SNAPSHOTS ?? 60);
const file = (k: number): number => Math.round((k * STEPS) / (snapshots - 1));

console.log(`Trajectory: ${STEPS} steps of ${(ROWS * COLUMNS) / 1e6}M parameters, ${snapshots} snapshots:`);
const scratch = scratchFolder();
try {
  const store = new RunStore(scratch.path);
  const run = await store.create({ command: ['node', 'train.mjs'], cwd: scratch.path });
  const objective: ObjectiveInfo = {
    name: 'loss',
    parameters: [{ name: 'w', shape: [ROWS, COLUMNS], role: 'kernel', filterAxis: 1, layer: 'dense' }],
    state: [],
    parameterCount: ROWS * COLUMNS,
    optimizer: null,
    callSite: null,
    layersModel: null,
    replay: null,
  };
  await run.writeManifest({
    ...(await run.readRecordedManifest()),
    state: 'finished',
    framework: 'torch',
    ended: new Date().toISOString(),
    objectives: [objective],
  });
  // A random walk, its increments drawn once and taken from another place at each snapshot.
  const next = gaussians(1);
  const noise = Float32Array.from({ length: 1 << 20 }, () => 0.01 * next());
  const weights = new Float32Array(ROWS * COLUMNS);
  await mkdir(run.path('snapshots'));
  const { bytes } = encodeHeader([{ name: 'w', dtype: 'F32', shape: [ROWS, COLUMNS] }]);
  for (let k = 0; k < snapshots; k++) {
    const begin = (k * 7919 * 101) % noise.length;
    for (let i = 0; i < weights.length; i++)
      weights[i] = (weights[i] ?? 0) + (noise[(begin + i * 31) % noise.length] ?? 0);
    const out = await open(run.path('snapshots', snapshotFile(file(k), 0)), 'w');
    await out.write(bytes);
    await out.write(new Uint8Array(weights.buffer));
    await out.close();
  }
  const sketch = await open(run.path('sketch.bin'), 'w');
  await sketch.write(encodeSketchHeader({ dimension: DIMENSION, objective: 0, scale: 100 }));
  const point = new Float32Array(DIMENSION);
  const steps = await open(run.path('steps.jsonl'), 'w');
  for (let step = 0; step <= STEPS; step++) {
    await sketch.write(new Uint8Array(Float64Array.of(step).buffer));
    await sketch.write(new Uint8Array(point.buffer));
    for (let i = 0; i < DIMENSION; i++)
      point[i] = (point[i] ?? 0) + (noise[(step * 977 + i) % noise.length] ?? 0);
    const record = { step, objective: 0, epoch: 0, loss: 1, learningRate: 0.1, gradientNorm: 1, samples: 32 };
    const more = { updateNorm: step === 0 ? null : 0.3, distance: 0.3 * Math.sqrt(step), time: step / 100 };
    await steps.write(`${JSON.stringify({ ...record, ...more })}\n`);
  }
  await sketch.close();
  await steps.close();

  const paths = Array.from({ length: snapshots }, (_, k) => run.path('snapshots', snapshotFile(file(k), 0)));
  const beside = ['sketch.bin', 'steps.jsonl'].map((name) => run.path(name));
  const sizeOf = async (files: readonly string[]): Promise<number> =>
    (await Promise.all(files.map((path) => stat(path)))).reduce((s, { size: n }) => s + n, 0);
  const size = await sizeOf(paths);
  let began = performance.now();
  for (const path of paths) await readFile(path);
  const once = performance.now() - began;
  const told = join(scratch.path, 'resources.json');
  const preload = join(import.meta.dirname, 'scripts/resources.cjs');
  began = performance.now();
  const answer = await node(
    [
      '--require',
      preload,
      cli,
      'trajectory',
      run.id,
      '--snapshots',
      String(snapshots),
      '--root',
      scratch.path,
      '--json',
    ],
    { BENCH_RESOURCES: told },
  );
  const seconds = performance.now() - began;
  const { readBytes, peakBytes } = readJson<{ readBytes: number; peakBytes: number }>(told);
  const result = JSON.parse(answer) as TrajectoryResult;
  if (result.snapshots?.measured !== snapshots || result.sketch === null)
    throw new Error('It left some out.');
  const gigabytes = (size / 2 ** 30).toFixed(2);
  // What else it reads (its own code, a second look at the sketch) counts as if it were of snapshots.
  const passes = (readBytes - (await sizeOf(beside))) / size;
  report(`times that it read ${gigabytes} GiB of snapshots`, passes, { atMost: 1.1 });
  report('peak memory, GiB', peakBytes / 2 ** 30, { atMost: 1 });
  report('time over reading the files once', seconds / once, {});
} finally {
  scratch.remove();
}
