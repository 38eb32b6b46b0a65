import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { appendFile, readFile, rename, truncate, writeFile } from 'node:fs/promises';
import { BasinError, type ErrorCode } from '../../../src/protocol/errors.ts';
import { encodeHeader } from '../../../src/protocol/safetensors.ts';
import { encodeSketchHeader } from '../../../src/protocol/sketch.ts';
import type { ObjectiveInfo } from '../../../src/protocol/run.ts';
import type { Run } from '../../../src/runs/run.ts';
import { buildRunView, thinSteps } from '../../../src/runs/runView.ts';
import { checkSnapshot, readFloat32 } from '../../../src/runs/safetensorsFile.ts';
import { snapshotBlocks } from '../../../src/runs/snapshotBlocks.ts';
import { parameterFile } from '../../fixtures/heldRun.ts';
import {
  appendSteps,
  makeFinishedRun,
  makeWorkspace,
  objective,
  snapshotBytes,
  step,
  writeSnapshot,
  type Workspace,
} from '../../fixtures/runs.ts';

const hasCode = (code: ErrorCode) => (error: unknown) => error instanceof BasinError && error.code === code;

describe('steps.jsonl', () => {
  let workspace: Workspace;
  let run: Run;
  beforeEach(async () => {
    workspace = await makeWorkspace();
    run = await makeFinishedRun(workspace.store, 10);
  });
  afterEach(() => workspace.remove());

  it('is read up to the last whole line, wherever it is cut', async () => {
    const file = run.path('steps.jsonl');
    const bytes = await readFile(file);
    for (let length = bytes.length; length >= 0; length -= 37) {
      await truncate(file, length);
      const whole = bytes.subarray(0, length).toString().split('\n').length - 1;
      assert.equal((await run.readSteps()).length, whole, `cut at ${length}`);
    }
  });

  it('drops lines that are no records, and zeros behind the last', async () => {
    await appendFile(run.path('steps.jsonl'), '{"step": "ten"}\nnot json\n\n');
    await appendSteps(run, [step(10)]);
    await appendFile(run.path('steps.jsonl'), Buffer.alloc(4096));
    const reader = run.stepsReader();
    assert.equal((await reader.read()).records.length, 11);
    assert.equal(reader.dropped, 2);
  });

  it('is read on from where the last look ended, a half-written line included', async () => {
    const reader = run.stepsReader();
    assert.equal((await reader.read()).records.length, 10);
    const line = `${JSON.stringify(step(10))}\n`;
    await appendFile(run.path('steps.jsonl'), line.slice(0, 20));
    assert.deepEqual((await reader.read()).records, []);
    await appendFile(run.path('steps.jsonl'), line.slice(20));
    assert.deepEqual((await reader.read()).records, [step(10)]);
    assert.deepEqual(await reader.read(), { records: [], fresh: false });
  });

  it('is told anew when it was replaced by a thinned one', async () => {
    const reader = run.stepsReader();
    await reader.read();
    await writeFile(run.path('beside'), `${JSON.stringify(step(0))}\n${JSON.stringify(step(8))}\n`);
    await rename(run.path('beside'), run.path('steps.jsonl'));
    const { records, fresh } = await reader.read();
    assert.ok(fresh);
    assert.deepEqual(
      records.map((r) => r.step),
      [0, 8],
    );
  });

  it('is read across chunk borders', async () => {
    const many = Array.from({ length: 12_000 }, (_, i) => step(10 + i, { samples: i }));
    await appendSteps(run, many);
    const read = await run.readSteps();
    assert.equal(read.length, 12_010);
    assert.deepEqual(read.at(-1), many.at(-1));
  });

  it('may be missing', async () => {
    const empty = await workspace.store.create({ command: ['node'], cwd: workspace.root });
    assert.deepEqual(await empty.readSteps(), []);
    assert.deepEqual(await empty.readLive(), []);
    assert.deepEqual(await empty.snapshots(), []);
    assert.equal(await empty.readSketch(), null);
    assert.equal(await empty.endpoint(), null);
  });

  it('is whole up to the last line after its writer was killed at any moment', async function () {
    this.timeout(60_000);
    const writer = `
      const fs = require('node:fs');
      const file = fs.openSync(process.argv[1], 'w');
      for (let i = 0; ; i++) fs.writeSync(file, JSON.stringify({ ...${JSON.stringify(step(0))}, step: i }) + '\\n');`;
    for (let i = 0; i < 8; i++) {
      const child = spawn(process.execPath, ['-e', writer, run.path('steps.jsonl')]);
      const gone = new Promise((resolve) => child.once('exit', resolve));
      await new Promise((resolve) => setTimeout(resolve, 40 + 30 * i));
      child.kill('SIGKILL');
      await gone;
      const text = await readFile(run.path('steps.jsonl'), 'utf8');
      const steps = await run.readSteps();
      assert.equal(steps.length, text.split('\n').length - 1);
      steps.forEach((s, k) => assert.equal(s.step, k));
    }
  });
});

describe('snapshots', () => {
  let workspace: Workspace;
  let run: Run;
  beforeEach(async () => {
    workspace = await makeWorkspace();
    run = await makeFinishedRun(workspace.store, 2);
  });
  afterEach(() => workspace.remove());

  it('are listed by step, without what is still being written', async () => {
    await writeFile(run.path('snapshots', 'step-00000009.safetensors.123.tmp'), 'half');
    assert.deepEqual(
      (await run.snapshots()).map((s) => s.step),
      [0, 1, 2],
    );
  });

  it('read back', async () => {
    const { tensors } = await checkSnapshot(run.snapshotPath(2), objective);
    assert.equal(tensors.length, 1);
    assert.deepEqual([...(await readFloat32(run.snapshotPath(2), 'w'))], [2, 4, 1, -2, 1, 2]);
  });

  it('refuse what is not what was recorded', async () => {
    const good = snapshotBytes([1, 2, 3, 4, 5, 6]);
    const huge = Buffer.from(good);
    huge.writeBigUInt64LE(2n ** 62n);
    const other = (name: string, dtype: 'F32' | 'I32', shape: number[]): Buffer =>
      Buffer.concat([encodeHeader([{ name, dtype, shape }]).bytes, Buffer.alloc(24)]);
    const malformed: readonly [string, Buffer][] = [
      ['empty', Buffer.alloc(0)],
      ['cut in its data', good.subarray(0, good.length - 4)],
      ['cut in its header', good.subarray(0, 20)],
      ['longer than it says', Buffer.concat([good, Buffer.alloc(4)])],
      ['huge header', huge],
      ['random bytes', Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 97) % 251))],
      ['other parameter', other('v', 'F32', [2, 3])],
      ['other type', other('w', 'I32', [2, 3])],
      ['other shape', other('w', 'F32', [3, 2])],
    ];
    for (const [what, bytes] of malformed) {
      await writeSnapshot(run, 1, bytes);
      await assert.rejects(checkSnapshot(run.snapshotPath(1), objective), (error: unknown) => {
        assert.ok(hasCode('corrupt-run')(error), what);
        assert.match((error as BasinError).message, /step-00000001/, what);
        return true;
      });
    }
    await assert.rejects(checkSnapshot(run.snapshotPath(77), objective), hasCode('not-found'));
    await assert.rejects(readFloat32(run.snapshotPath(0), 'v'), hasCode('corrupt-run'));
  });
});

describe('sketch.bin', () => {
  let workspace: Workspace;
  let run: Run;
  beforeEach(async () => {
    workspace = await makeWorkspace();
    run = await makeFinishedRun(workspace.store, 1);
  });
  afterEach(() => workspace.remove());

  const record = (at: number, values: readonly number[]): Buffer =>
    Buffer.concat([Buffer.from(Float64Array.of(at).buffer), Buffer.from(Float32Array.from(values).buffer)]);
  const header = encodeSketchHeader({ dimension: 3, objective: 0, scale: 1.5 });

  it('is read up to its last whole record', async () => {
    const bytes = Buffer.concat([header, record(0, [1, 2, 3]), record(4, [4, 5, 6]), record(8, [7, 8, 9])]);
    for (const [cut, steps] of [
      [0, [0, 4, 8]],
      [1, [0, 4]],
      [21, [0]],
    ] as const) {
      await writeFile(run.path('sketch.bin'), bytes.subarray(0, bytes.length - cut));
      const sketch = await run.readSketch();
      assert.deepEqual(sketch?.steps, steps);
      assert.equal(sketch.scale, 1.5);
      assert.deepEqual([...(sketch.points[0] ?? [])], [1, 2, 3]);
    }
  });

  it('is streamed over many stretches, as often as wanted', async () => {
    const steps = Array.from({ length: 70_000 }, (_, i) => 2 * i);
    const bytes = Buffer.concat([header, ...steps.map((at) => record(at, [at, -at, 1]))]);
    await writeFile(run.path('sketch.bin'), bytes);
    const sketch = await run.openSketch();
    for (let time = 0; time < 2; time++) {
      let k = 0;
      for await (const { step: at, values } of sketch?.records() ?? []) {
        assert.ok(at === steps[k] && values[0] === at && values[1] === -at, String(k));
        k++;
      }
      assert.equal(k, steps.length);
    }
  });

  it('ends where zeros of a file made longer in advance begin', async () => {
    await writeFile(run.path('sketch.bin'), Buffer.concat([header, record(0, [1, 2, 3]), Buffer.alloc(200)]));
    assert.deepEqual((await run.readSketch())?.steps, [0]);
  });

  it('is refused when it is something else', async () => {
    await writeFile(run.path('sketch.bin'), Buffer.alloc(64, 7));
    await assert.rejects(run.readSketch(), hasCode('corrupt-run'));
  });
});

describe('blocks of snapshots', () => {
  let workspace: Workspace;
  let run: Run;
  beforeEach(async () => {
    workspace = await makeWorkspace();
    run = await makeFinishedRun(workspace.store, 1);
  });
  afterEach(() => workspace.remove());

  // More than two stretches of 16,384 and a bit, beside a scalar and an empty tensor.
  const shapes = { kernel: [40_000], none: [0, 3], bias: [] };
  const large: ObjectiveInfo = {
    ...objective,
    parameters: Object.entries(shapes).map(([name, shape]) => ({
      name,
      shape,
      role: 'kernel',
      filterAxis: null,
      layer: null,
    })),
  };
  const values = (seed: number): Float32Array =>
    Float32Array.from({ length: 40_001 }, (_, i) => seed + i / 7);

  it('give the same stretch of each, every weight once, in the order of the parameters', async () => {
    const files = [1, 2, 3].map((k) => run.path(`large-${k}.safetensors`));
    for (const [k, file] of files.entries()) await writeFile(file, parameterFile(large, values(k)));
    const seen: number[][] = files.map(() => []);
    for await (const block of snapshotBlocks(files, large)) {
      assert.equal(new Set(block.map((b) => b.length)).size, 1);
      assert.ok((block[0]?.length ?? 0) <= 16_384);
      block.forEach((stretch, k) => seen[k]?.push(...stretch));
    }
    seen.forEach((all, k) => assert.deepEqual(Float32Array.from(all), values(k)));
  });

  it('name a file that is cut', async () => {
    const file = run.path('large.safetensors');
    await writeFile(file, parameterFile(large, values(1)));
    await truncate(file, 90_000);
    await assert.rejects(
      snapshotBlocks([file], large).next(),
      (error: unknown) => hasCode('corrupt-run')(error) && (error as Error).message.includes(file),
    );
  });
});

describe('run view', () => {
  it('keeps first, last, spikes and losses that are not finite', () => {
    const steps = Array.from({ length: 50_000 }, (_, i) =>
      step(i, { loss: i === 31_234 ? 900 : i === 44_444 ? 'NaN' : 1 }),
    );
    const thinned = thinSteps(steps, 2000);
    assert.ok(thinned.length <= 2002);
    const kept = new Set(thinned.map((s) => s.step));
    for (const at of [0, 31_234, 44_444, 49_999]) assert.ok(kept.has(at), String(at));
    assert.deepEqual(
      thinned.map((s) => s.step),
      [...kept].sort((a, b) => a - b),
    );
  });

  it('holds all there is of a run', async () => {
    const workspace = await makeWorkspace();
    try {
      const run = await makeFinishedRun(workspace.store, 3);
      const view = await buildRunView(run);
      assert.equal(view.run.id, run.id);
      assert.deepEqual(view.snapshots, [0, 1, 2, 3]);
      assert.equal(view.steps.length, 3);
    } finally {
      await workspace.remove();
    }
  });
});
