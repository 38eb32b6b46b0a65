/** layers.bin read while it grows: only what was added, all anew when the file was thinned, nothing of a torn tail. */
import assert from 'node:assert/strict';
import { appendFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { encodeLayersHeader, layerFields } from '../../../src/protocol/layerStatistics.ts';
import { LayersReader, readLayers } from '../../../src/runs/layersFile.ts';
import { makeWorkspace, type Workspace } from '../../fixtures/runs.ts';

const fields = layerFields.length;
const record = (step: number): Buffer => {
  const bytes = Buffer.alloc(8 + 4 * fields);
  bytes.writeDoubleLE(step, 0);
  for (let k = 0; k < fields; k++) bytes.writeFloatLE(10 * step + k, 8 + 4 * k);
  return bytes;
};

describe('layers.bin while it grows', () => {
  let workspace: Workspace;
  let file: string;
  beforeEach(async () => {
    workspace = await makeWorkspace();
    file = path.join(workspace.root, 'layers.bin');
  });
  afterEach(() => workspace.remove());
  const write = (...steps: number[]): Promise<void> =>
    writeFile(
      file,
      Buffer.concat([encodeLayersHeader({ parameters: 1, objective: 0, fields }), ...steps.map(record)]),
    );
  const read = async (reader: LayersReader): Promise<unknown> => {
    const found = await reader.read();
    assert.deepEqual(
      found?.records.map((r) => [r.step, r.value(0, 'weightNorm')]),
      (await readLayers(file))?.records.map((r) => [r.step, r.value(0, 'weightNorm')]),
    );
    return found?.records.map((r) => r.step);
  };

  it('is taken up where it was left, record for record', async () => {
    const reader = new LayersReader(file);
    assert.equal(await read(reader), undefined);
    await write(0, 4);
    assert.deepEqual(await read(reader), [0, 4]);
    const before = (await reader.read())!.records;
    const next = record(8);
    await appendFile(file, next.subarray(0, 11));
    assert.deepEqual(await read(reader), [0, 4]);
    await appendFile(file, Buffer.concat([next.subarray(11), record(12)]));
    assert.deepEqual(await read(reader), [0, 4, 8, 12]);
    // What was read is not read again: the same objects.
    const after = (await reader.read())!.records;
    assert.ok(after[0] === before[0] && after[1] === before[1] && before.length === 2);
  });

  it('is read anew when it was thinned, by another file or in place', async () => {
    const reader = new LayersReader(file);
    await write(0, 4, 8, 12);
    await reader.read();
    await write(0, 8, 16, 24);
    assert.deepEqual(await read(reader), [0, 8, 16, 24]);
    await rename(file, `${file}.old`);
    await write(0, 16);
    assert.deepEqual(await read(reader), [0, 16]);
  });
});
