/** sketch.bin as it lies on disk; see protocol/sketch.ts for the layout. */
import { open, type FileHandle } from 'node:fs/promises';
import { BasinError } from '../protocol/errors.ts';
import {
  parseSketchHeader,
  SKETCH_HEADER_BYTES,
  sketchRecordBytes,
  type SketchHeader,
} from '../protocol/sketch.ts';
import { isMissing } from './files.ts';

/** Read at a time, in whole records. */
const CHUNK_BYTES = 1 << 20;

export interface SketchRecord {
  readonly step: number;
  /** `dimension` numbers. */
  readonly values: Float32Array;
}

/** A sketch that is read a stretch at a time, as often as wanted. */
export interface SketchReader extends SketchHeader {
  /**
   * All whole records, in order. They end where steps stop growing: a file made longer in advance is followed by zeros.
   * @throws BasinError `corrupt-run` when the file cannot be read
   */
  readonly records: () => AsyncGenerator<SketchRecord>;
}

export interface Sketch extends SketchHeader {
  readonly steps: readonly number[];
  /** One projected weight vector of `dimension` numbers a step. */
  readonly points: readonly Float32Array[];
}

/**
 * null when nothing was sketched.
 * @throws BasinError `corrupt-run` when the file is no sketch
 */
export async function openSketch(file: string): Promise<SketchReader | null> {
  const handle = await openFile(file);
  if (handle === null) return null;
  const bytes = new Uint8Array(SKETCH_HEADER_BYTES);
  try {
    if ((await fill(handle, bytes, 0, file)) < SKETCH_HEADER_BYTES) return null;
  } finally {
    await handle.close();
  }
  const header = parseSketchHeader(bytes);
  if (header === null) {
    throw new BasinError('corrupt-run', `${file} is not a trajectory sketch.`, 'Delete the file.');
  }
  return { ...header, records: () => recordsOf(file, header.dimension) };
}

/** The whole sketch at once: at most the 64 MB that a probe lets it grow to. @throws BasinError as {@link openSketch} */
export async function readSketch(file: string): Promise<Sketch | null> {
  const reader = await openSketch(file);
  if (reader === null) return null;
  const { records, ...header } = reader;
  const steps: number[] = [];
  const points: Float32Array[] = [];
  for await (const { step, values } of records()) {
    steps.push(step);
    points.push(values);
  }
  return { ...header, steps, points };
}

async function* recordsOf(file: string, dimension: number): AsyncGenerator<SketchRecord> {
  const recordBytes = sketchRecordBytes(dimension);
  const chunk = new Uint8Array(recordBytes * Math.max(1, Math.floor(CHUNK_BYTES / recordBytes)));
  const view = new DataView(chunk.buffer);
  const handle = await openFile(file);
  if (handle === null) return;
  try {
    let last = -1;
    for (let position = SKETCH_HEADER_BYTES; ; position += chunk.length) {
      const length = await fill(handle, chunk, position, file);
      for (let from = 0; from + recordBytes <= length; from += recordBytes) {
        const step = view.getFloat64(from, true);
        if (!Number.isInteger(step) || step < 0 || step <= last) return;
        last = step;
        const value = (_: unknown, i: number): number => view.getFloat32(from + 8 + 4 * i, true);
        yield { step, values: Float32Array.from({ length: dimension }, value) };
      }
      if (length < chunk.length) return;
    }
  } finally {
    await handle.close();
  }
}

/** null when there is no such file. */
async function openFile(file: string): Promise<FileHandle | null> {
  try {
    return await open(file, 'r');
  } catch (error) {
    if (isMissing(error)) return null;
    throw unreadable(file, error);
  }
}

/** Reads as much as there is from a position on; says how many bytes that was. */
async function fill(handle: FileHandle, into: Uint8Array, position: number, file: string): Promise<number> {
  let done = 0;
  try {
    while (done < into.length) {
      const { bytesRead } = await handle.read(into, done, into.length - done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
  } catch (error) {
    throw unreadable(file, error);
  }
  return done;
}

function unreadable(file: string, error: unknown): BasinError {
  return new BasinError('corrupt-run', `${file} cannot be read: ${(error as Error).message}.`);
}
