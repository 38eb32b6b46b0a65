/** `basin line --match` of a recorded model and its own copy with permuted units, in both frameworks. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { LineResult } from '../../../src/protocol/results.ts';
import { readSafetensorsHeader } from '../../../src/runs/safetensorsFile.ts';
import { CommandLine } from '../../fixtures/commandLine.ts';
import { makeWorkspace, type Workspace } from '../../fixtures/runs.ts';
import { twinProblem } from '../../fixtures/twinProblem.ts';
import { needs, testPython } from '../../harness/requires.ts';

const script = (name: string): string => path.resolve(import.meta.dirname, '../../fixtures/scripts', name);

/** Gathers along one axis of a row-major tensor. */
function take(
  values: Float32Array,
  shape: readonly number[],
  axis: number,
  order: readonly number[],
): Float32Array {
  const stride = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const n = shape[axis]!;
  return Float32Array.from(values, (_, i) => {
    const place = Math.floor(i / stride) % n;
    return values[i + (order[place]! - place) * stride]!;
  });
}

describe('a model and its own copy with the units in another order, matched by `basin line --match`', function () {
  this.timeout(180_000);
  let workspace: Workspace;
  beforeEach(async function () {
    needs(this, 'bundles');
    workspace = await makeWorkspace();
  });
  afterEach(() => workspace?.remove());

  for (const [framework, kind] of [
    ['tfjs', 'mlp'],
    ['tfjs', 'conv'],
    ['torch', 'mlp'],
    ['torch', 'conv'],
  ] as const) {
    it(`${framework}, ${kind === 'mlp' ? 'dense layers' : 'a convolution with batch norm'}`, async function () {
      if (framework === 'torch') needs(this, 'torch');
      await writeFile(path.join(workspace.root, `${kind}.json`), JSON.stringify(twinProblem(kind)));
      const basin = new CommandLine(workspace.root, { OMP_NUM_THREADS: '1' });
      const program =
        framework === 'tfjs' ? [process.execPath, script('twin.mjs')] : [testPython(), script('twin.py')];
      const { code, stderr } = await basin.run(
        'train',
        '--every',
        '4',
        '--',
        ...program,
        workspace.root,
        kind,
        kind === 'mlp' ? '32' : '8',
      );
      assert.equal(code, 0, stderr);
      const run = await workspace.store.open('last');
      const { objectives } = await run.readManifest();
      const snapshots = await run.snapshots(0);
      const [other, last] = [snapshots[1]!, snapshots.at(-1)!];

      // The last snapshot with its hidden units in another order, in the place of another.
      const { tensors } = await readSafetensorsHeader(last.file);
      const bytes = new Uint8Array(await readFile(last.file));
      const orders =
        kind === 'mlp'
          ? [
              [5, 0, 11, 3, 9, 1, 2, 10, 4, 8, 6, 7],
              [3, 7, 0, 6, 1, 2, 5, 4],
            ]
          : [[2, 3, 1, 0]];
      let hidden = -1;
      for (const name of [...objectives[0]!.parameters, ...objectives[0]!.state].map((p) => p.name)) {
        const { shape, dtype, begin, end } = tensors.find((t) => t.name === name)!;
        if (dtype !== 'F32') continue;
        let values: Float32Array = new Float32Array(bytes.slice(begin, end).buffer);
        const [into, out] = framework === 'tfjs' ? [shape.length - 2, shape.length - 1] : [1, 0];
        if (shape.length > 1) hidden++;
        const before = shape.length > 1 ? orders[hidden - 1] : undefined;
        if (before !== undefined) values = take(values, shape, into, before);
        const isState = objectives[0]!.state.some((s) => s.name === name);
        const order = isState ? orders[0] : orders[hidden];
        if (order !== undefined && shape.length > 0)
          values = take(values, shape, shape.length > 1 ? out : 0, order);
        bytes.set(new Uint8Array(values.buffer as ArrayBuffer), begin);
      }
      await writeFile(other.file, bytes);

      const ends = ['last', '--from', 'last', '--to', String(other.step), '--points', '9'];
      const plain = await basin.ask<LineResult>('line', ...ends);
      assert.ok(Math.abs(plain.loss[0]! - plain.loss.at(-1)!) < 1e-5, 'the same function');
      assert.ok(plain.length > 0.5, `length ${plain.length}, ${snapshots.map((s) => s.step).join()}`);
      const apart = Math.max(...plain.loss.map((l) => Math.abs(l! - plain.loss[0]!)));
      assert.ok(apart > 1e-3, `the loss is another one between the two, by ${apart}`);
      assert.equal(plain.matched, undefined);
      const matched = await basin.ask<LineResult>('line', ...ends, '--match');
      assert.equal(matched.length, 0);
      assert.ok(matched.loss.every((l) => Math.abs(l! - plain.loss[0]!) < 1e-6));
      assert.deepEqual(
        matched.matched?.layers.map(({ units }) => units),
        orders.map((o) => o.length),
      );
      assert.ok(matched.matched?.layers.every(({ moved, units }) => moved >= units - 1));
      assert.deepEqual(matched.matched?.leftOut, []);
    });
  }
});
