import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as v from 'valibot';
import { JsonLinesReader } from '../../../src/runs/jsonLines.ts';
import { lastRecord } from '../../../src/runs/lastRecord.ts';

const schema = v.object({ k: v.number(), text: v.optional(v.string()) });
const line = (k: number, text?: string): string => `${JSON.stringify({ k, text })}\n`;

describe('the last record of a file', () => {
  let folder: string;
  before(async () => (folder = await mkdtemp(path.join(tmpdir(), 'basin-last-'))));
  after(() => rm(folder, { recursive: true, force: true }));

  const files: Readonly<Record<string, string>> = {
    'an empty file': '',
    'one record': line(1),
    'more than is looked at first': Array.from({ length: 5000 }, (_, k) => line(k)).join(''),
    'a last record longer than what is looked at first': line(1) + line(2, 'é'.repeat(40_000)),
    'a torn line at its end': line(1) + line(2) + line(3).slice(0, -3),
    'a torn line longer than what is looked at first': line(1) + line(2, 'x'.repeat(90_000)).slice(0, -2),
    'zeros at its end': line(1) + line(2) + '\0'.repeat(70_000),
    'lines that are no records': line(1) + 'no record\n' + JSON.stringify({ k: 'two' }) + '\n\n',
    'no record at all': 'nothing\nof use\n',
    'a single torn line': line(7).slice(0, -1),
  };
  for (const [name, content] of Object.entries(files)) {
    it(`is the last of all that are read: ${name}`, async () => {
      const file = path.join(folder, 'steps.jsonl');
      await writeFile(file, content);
      const { records } = await new JsonLinesReader(file, schema).read();
      assert.deepEqual(await lastRecord(file, schema), records.at(-1) ?? null);
    });
  }

  it('is null without a file', async () => {
    assert.equal(await lastRecord(path.join(folder, 'nowhere'), schema), null);
  });
});
