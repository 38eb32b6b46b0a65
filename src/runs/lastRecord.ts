/** The newest record of a file of JSON lines, from its end: a long run's list of steps is not read for its last one. */
import { open, type FileHandle } from 'node:fs/promises';
import type * as v from 'valibot';
import { isMissing } from './files.ts';
import { beforeZeros, parseRecord } from './jsonLines.ts';

const FIRST_LOOK_BYTES = 4096;

/**
 * The last whole line that is a valid record, as `JsonLinesReader` would have it: a torn line, zeros of a file that was
 * made longer in advance, and lines that are no record are passed over.
 * @returns null where there is none, or no file
 */
export async function lastRecord<S extends v.GenericSchema>(
  file: string,
  schema: S,
): Promise<v.InferOutput<S> | null> {
  let handle: FileHandle;
  try {
    handle = await open(file, 'r');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
  try {
    const { size } = await handle.stat();
    for (let length = FIRST_LOOK_BYTES; ; length *= 8) {
      const from = Math.max(0, size - length);
      const found = newestIn(await read(handle, from, size - from), schema, from === 0);
      if (found !== null || from === 0) return found;
    }
  } finally {
    await handle.close();
  }
}

async function read(handle: FileHandle, from: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, from + done);
    // Cut while it was read: what is missing stays zero.
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes;
}

/** @param whole the bytes begin with the file: else the first line may be the end of one */
function newestIn<S extends v.GenericSchema>(
  bytes: Buffer,
  schema: S,
  whole: boolean,
): v.InferOutput<S> | null {
  const text = beforeZeros(bytes);
  const lines = text.toString('utf8', 0, text.lastIndexOf(0x0a) + 1).split('\n');
  for (const line of lines.slice(whole ? 0 : 1).reverse()) {
    const record = line.trim() === '' ? null : parseRecord(line, schema);
    if (record !== null) return record;
  }
  return null;
}
