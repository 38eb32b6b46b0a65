/** sketch.bin as it lies on disk; see protocol/sketch.ts for the layout. */
import { readFile } from 'node:fs/promises';
import { BasinError } from '../protocol/errors.ts';
import {
  parseSketchHeader,
  SKETCH_HEADER_BYTES,
  sketchRecordBytes,
  type SketchHeader,
} from '../protocol/sketch.ts';
import { isMissing } from './files.ts';

export interface Sketch extends SketchHeader {
  readonly steps: readonly number[];
  /** One projected weight vector of `dimension` numbers a step. */
  readonly points: readonly Float32Array[];
}

/**
 * All whole records; null when nothing was sketched. Records end where steps stop growing: a file made longer in
 * advance is followed by zeros.
 * @throws BasinError `corrupt-run` when the file is no sketch
 */
export async function readSketch(file: string): Promise<Sketch | null> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    if (isMissing(error)) return null;
    throw new BasinError('corrupt-run', `${file} cannot be read: ${(error as Error).message}.`);
  }
  if (bytes.length < SKETCH_HEADER_BYTES) return null;
  const header = parseSketchHeader(bytes);
  if (header === null) {
    throw new BasinError('corrupt-run', `${file} is not a trajectory sketch.`, 'Delete the file.');
  }
  const recordBytes = sketchRecordBytes(header.dimension);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const steps: number[] = [];
  const points: Float32Array[] = [];
  for (let at = SKETCH_HEADER_BYTES; at + recordBytes <= bytes.length; at += recordBytes) {
    const step = view.getFloat64(at, true);
    if (!Number.isInteger(step) || step < 0 || step <= (steps.at(-1) ?? -1)) break;
    steps.push(step);
    points.push(
      Float32Array.from({ length: header.dimension }, (_, i) => view.getFloat32(at + 8 + 4 * i, true)),
    );
  }
  return { ...header, steps, points };
}
