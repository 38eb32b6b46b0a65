/**
 * Records appended one a line while someone reads. A torn tail (a line without its end, zeros of a file that was
 * made longer in advance) is dropped, never trusted; so is a whole line that is no valid record.
 */
import { open, type FileHandle } from 'node:fs/promises';
import * as v from 'valibot';
import { isMissing } from './files.ts';

const CHUNK_BYTES = 1 << 20;

export interface Appended<T> {
  readonly records: readonly T[];
  /** The file was replaced or cut since the last read: these records are all of it, not additions. */
  readonly fresh: boolean;
}

/** Reads a growing file of JSON lines; each call to {@link read} gives what was added since the one before. */
export class JsonLinesReader<S extends v.GenericSchema> {
  #offset = 0;
  #inode: number | null = null;
  /** Whole lines that were no valid record. */
  dropped = 0;

  constructor(
    private readonly file: string,
    private readonly schema: S,
  ) {}

  async read(): Promise<Appended<v.InferOutput<S>>> {
    let handle: FileHandle;
    try {
      handle = await open(this.file, 'r');
    } catch (error) {
      if (!isMissing(error)) throw error;
      const fresh = this.#offset > 0;
      this.#offset = 0;
      this.#inode = null;
      return { records: [], fresh };
    }
    try {
      const { ino, size } = await handle.stat();
      const fresh = this.#inode !== null && (ino !== this.#inode || size < this.#offset);
      if (fresh) {
        this.#offset = 0;
        this.dropped = 0;
      }
      this.#inode = ino;
      return { records: await this.#readFrom(handle), fresh };
    } finally {
      await handle.close();
    }
  }

  async #readFrom(handle: FileHandle): Promise<v.InferOutput<S>[]> {
    const records: v.InferOutput<S>[] = [];
    let carry: Buffer = Buffer.alloc(0);
    for (;;) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      const { bytesRead } = await handle.read(chunk, 0, CHUNK_BYTES, this.#offset + carry.length);
      if (bytesRead === 0) return records;
      const read = Buffer.concat([carry, chunk.subarray(0, bytesRead)]);
      const bytes = beforeZeros(read);
      const end = bytes.lastIndexOf(0x0a) + 1;
      for (const line of bytes.toString('utf8', 0, end).split('\n')) this.#parse(line, records);
      this.#offset += end;
      if (bytes.length < read.length) return records;
      carry = bytes.subarray(end);
    }
  }

  #parse(line: string, into: v.InferOutput<S>[]): void {
    if (line.trim() === '') return;
    const record = parseRecord(line, this.schema);
    if (record === null) this.dropped++;
    else into.push(record);
  }
}

/** What is there of a file whose end is zeros, as of one that was made longer in advance. */
export function beforeZeros(bytes: Buffer): Buffer {
  const zero = bytes.indexOf(0);
  return zero < 0 ? bytes : bytes.subarray(0, zero);
}

/** null for a line that is no valid record. */
export function parseRecord<S extends v.GenericSchema>(line: string, schema: S): v.InferOutput<S> | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  const parsed = v.safeParse(schema, value);
  return parsed.success ? parsed.output : null;
}
