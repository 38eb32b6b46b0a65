/** Vectors in safetensors files: read block by block, checked against the objective's layout; written beside and renamed. */
import { closeSync, fstatSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';
import { BasinError } from '../../protocol/errors.ts';
import type { ObjectiveInfo } from '../../protocol/run.ts';
import {
  elementCount,
  encodeHeader,
  headerLength,
  parseHeader,
  type TensorEntry,
} from '../../protocol/safetensors.ts';
import { safetensorsDtype } from './layout.ts';
import type { TypedArray } from './tf.ts';

/** A vector's values in memory: flat parameters, and state tensors in the order of ObjectiveInfo.state. */
export interface Vector {
  readonly values: Float32Array;
  readonly state: readonly TypedArray[] | null;
}

export type Layout = Pick<ObjectiveInfo, 'parameters' | 'state' | 'parameterCount'>;

/** An open file whose parameters fit the layout. */
export class VectorFile {
  private readonly starts: readonly {
    readonly offset: number;
    readonly size: number;
    readonly begin: number;
  }[];

  private constructor(
    private readonly fd: number,
    private readonly file: string,
    private readonly layout: Layout,
    private readonly entries: ReadonlyMap</* tensor name */ string, TensorEntry>,
  ) {
    let offset = 0;
    this.starts = layout.parameters.map((p) => {
      const size = elementCount(p.shape);
      const start = { offset, size, begin: this.entry(p.name, p.shape, 'F32').begin };
      offset += size;
      return start;
    });
  }

  /**
   * @throws BasinError `not-found` without the file, `corrupt-run` when it is not whole, `bad-input` when it holds
   *   another model
   */
  static open(file: string, layout: Layout): VectorFile {
    let fd: number;
    try {
      fd = openSync(file, 'r');
    } catch (cause) {
      throw new BasinError(
        'not-found',
        `There is no file ${file}.`,
        'The snapshot may have been thinned out; choose another one.',
        { cause },
      );
    }
    try {
      const fileBytes = fstatSync(fd).size;
      const length = headerLength(readExactly(fd, 0, Math.min(8, fileBytes), file), fileBytes);
      const header = parseHeader(readExactly(fd, 8, length, file), fileBytes);
      return new VectorFile(fd, file, layout, new Map(header.tensors.map((t) => [t.name, t])));
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  close(): void {
    closeSync(this.fd);
  }

  private entry(name: string, shape: readonly number[], dtype: string): TensorEntry {
    const found = this.entries.get(name);
    const wanted = `"${name}" as ${dtype} [${shape.join(', ')}]`;
    if (found === undefined) throw this.other(`it has no tensor ${wanted}`);
    if (found.dtype !== dtype || found.shape.join() !== shape.join()) {
      throw this.other(`it has "${name}" as ${found.dtype} [${found.shape.join(', ')}], not ${wanted}`);
    }
    return found;
  }

  private other(why: string): BasinError {
    return new BasinError(
      'bad-input',
      `${this.file} does not belong to this model: ${why}.`,
      'Use snapshots of a run with the same layers; the script may have been changed since.',
    );
  }

  /** Elements [from, from + into.length) of the flat parameter vector. */
  readBlock(from: number, into: Float32Array): void {
    const to = from + into.length;
    for (const { offset, size, begin } of this.starts) {
      const a = Math.max(from, offset);
      const b = Math.min(to, offset + size);
      if (a >= b) continue;
      const part = into.subarray(a - from, b - from);
      readInto(
        this.fd,
        begin + 4 * (a - offset),
        new Uint8Array(part.buffer, part.byteOffset, part.byteLength),
        this.file,
      );
    }
  }

  values(): Float32Array {
    const values = new Float32Array(this.layout.parameterCount);
    this.readBlock(0, values);
    return values;
  }

  /** State tensors, or null when the file has none of them. */
  state(): TypedArray[] | null {
    const { state } = this.layout;
    if (state.every((s) => !this.entries.has(s.name))) return state.length === 0 ? [] : null;
    return state.map((s) => {
      const e = this.entry(s.name, s.shape, safetensorsDtype(s.dtype) ?? s.dtype);
      const bytes = readExactly(this.fd, e.begin, e.end - e.begin, this.file);
      if (e.dtype === 'I32') return new Int32Array(bytes.buffer);
      return e.dtype === 'F32' ? new Float32Array(bytes.buffer) : bytes;
    });
  }
}

function readExactly(fd: number, position: number, length: number, file: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  readInto(fd, position, bytes, file);
  return bytes;
}

function readInto(fd: number, position: number, bytes: Uint8Array, file: string): void {
  let done = 0;
  while (done < bytes.length) {
    const n = readSync(fd, bytes, done, bytes.length - done, position + done);
    if (n === 0)
      throw new BasinError(
        'corrupt-run',
        `${file} ends early.`,
        'Delete the file; Basin goes on with the others.',
      );
    done += n;
  }
}

/**
 * Writes a vector with its state, beside the target and renamed.
 * @returns bytes written
 */
export function saveVector(
  file: string,
  layout: Layout,
  vector: Vector,
  metadata: Readonly<Record<string, string>>,
): number {
  const state = layout.state.flatMap((s, i) => {
    const dtype = safetensorsDtype(s.dtype);
    const values = vector.state?.[i];
    return dtype === null || values === undefined
      ? []
      : [{ spec: { name: s.name, dtype, shape: s.shape }, values }];
  });
  const parameters = layout.parameters.map((p) => ({ name: p.name, dtype: 'F32' as const, shape: p.shape }));
  const { bytes, layout: header } = encodeHeader([...parameters, ...state.map((s) => s.spec)], metadata);
  const beside = `${file}.${String(process.pid)}.part`;
  try {
    const fd = openSync(beside, 'w');
    try {
      for (const part of [bytes, vector.values, ...state.map((s) => s.values)]) writeWhole(fd, part);
    } finally {
      closeSync(fd);
    }
    renameSync(beside, file);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
  return header.fileBytes;
}

function writeWhole(fd: number, values: TypedArray): void {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  let done = 0;
  while (done < bytes.length) done += writeSync(fd, bytes, done, bytes.length - done);
}
