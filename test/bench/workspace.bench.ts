/**
 * A workspace of many runs and a run of many steps: what the Runs view reads of 300 runs against what the panel reads of
 * one run of 200,000 steps and 500 snapshots, and the memory that is held afterwards.
 */
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunManifest } from '../../src/protocol/run.ts';
import { RunStore } from '../../src/runs/runStore.ts';
import { buildRunView } from '../../src/runs/runView.ts';
import { appendSteps, makeFinishedRun, snapshotBytes, step, writeSnapshot } from '../fixtures/runs.ts';
import { report, scratchFolder, sideBySide } from './measure.ts';

const RUNS = 300;
const STEPS_EACH = 2000;
const LONG = 200_000;
const SNAPSHOTS = 500;
const ROUNDS = 5;

console.log(`${RUNS} runs of ${STEPS_EACH} steps, and one of ${LONG} steps and ${SNAPSHOTS} snapshots:`);
const scratch = scratchFolder();
try {
  const many = new RunStore(join(scratch.path, 'many'));
  const one = new RunStore(join(scratch.path, 'one'));
  const pattern = await makeFinishedRun(many, 4);
  const steps = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => step(from + i));
  const counted = async (run: typeof pattern, count: number, snapshots: number): Promise<void> => {
    const manifest: RunManifest = await run.readRecordedManifest();
    await run.writeManifest({ ...manifest, recording: { ...manifest.recording, steps: count, snapshots } });
  };
  await appendSteps(pattern, steps(4, STEPS_EACH));
  await counted(pattern, STEPS_EACH, 5);
  for (let k = 1; k < RUNS; k++) {
    const run = await many.create({ command: ['node', 'train.mjs'], cwd: many.root });
    const { id, created } = await run.readRecordedManifest();
    await cp(pattern.directory, run.directory, { recursive: true });
    await run.writeManifest({ ...(await pattern.readRecordedManifest()), id, created });
  }
  const long = await makeFinishedRun(one, 4);
  for (let from = 4; from < LONG; from += 20_000)
    await appendSteps(long, steps(from, Math.min(LONG, from + 20_000)));
  for (let k = 5; k < SNAPSHOTS; k++)
    await writeSnapshot(long, Math.round((k * LONG) / SNAPSHOTS), snapshotBytes([k, 1, 2, 3, 4, 5]));
  await counted(long, LONG, SNAPSHOTS);

  /** What a row of the view shows: the manifest, the newest step, λ₁ while it trained. */
  const readTree = async (): Promise<unknown[]> => {
    const rows: unknown[] = [];
    for (const entry of await many.list())
      rows.push([entry.manifest, await entry.run.readLastStep(), await entry.run.readLive()]);
    return rows;
  };
  const timed = async (work: () => Promise<unknown>): Promise<number> => {
    const began = performance.now();
    await work();
    return performance.now() - began;
  };
  await readTree();
  const [tree, panel] = await sideBySide(
    ROUNDS,
    () => timed(readTree),
    () => timed(() => buildRunView(long)),
  );
  report(
    `reading what the Runs view shows of ${RUNS}, over reading the long run`,
    tree.map((ms, i) => ms / (panel[i] ?? NaN)),
    { atMost: 1 },
  );
  const held = async (work: () => Promise<unknown>): Promise<number> => {
    globalThis.gc?.();
    const before = process.memoryUsage().heapUsed;
    const kept = await work();
    globalThis.gc?.();
    const bytes = process.memoryUsage().heapUsed - before;
    // Kept until here.
    return kept === null ? NaN : bytes / 1e6;
  };
  console.log(`  held for the view of ${RUNS} runs: ${(await held(readTree)).toFixed(1)} MB`);
  console.log(
    `  held for the panel of the long run: ${(await held(() => buildRunView(long))).toFixed(1)} MB`,
  );
} finally {
  scratch.remove();
}
