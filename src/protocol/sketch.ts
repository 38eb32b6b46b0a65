/**
 * sketch.bin: a fixed random projection of the weights, recorded along the whole run.
 *
 * Header of 32 bytes (little-endian): magic 'BSKT', uint32 format 1, uint32 dimension m, uint32 objective,
 * float64 scale, 8 bytes zero. Then records of 8 + 4·m bytes: float64 step, float32[m] projected weights.
 * The projection samples m coordinates of θ, spread evenly over the parameters by a seeded permutation, and
 * multiplies them by scale = √(n/m), so that squared distances are kept in expectation
 * (a Johnson–Lindenstrauss map by coordinate sampling; exact when m = n).
 * A torn tail (less than a record) is dropped by the reader.
 */
export const SKETCH_MAGIC = 0x544b5342;
export const SKETCH_HEADER_BYTES = 32;
export const SKETCH_MAX_DIMENSION = 1024;

export interface SketchHeader {
  readonly dimension: number;
  readonly objective: number;
  readonly scale: number;
}

export const sketchRecordBytes = (dimension: number): number => 8 + 4 * dimension;

export function encodeSketchHeader(header: SketchHeader): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(SKETCH_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, SKETCH_MAGIC, true);
  view.setUint32(4, 1, true);
  view.setUint32(8, header.dimension, true);
  view.setUint32(12, header.objective, true);
  view.setFloat64(16, header.scale, true);
  return bytes;
}

/** null when the bytes are no sketch header. */
export function parseSketchHeader(bytes: Uint8Array): SketchHeader | null {
  if (bytes.length < SKETCH_HEADER_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, SKETCH_HEADER_BYTES);
  const dimension = view.getUint32(8, true);
  const scale = view.getFloat64(16, true);
  if (view.getUint32(0, true) !== SKETCH_MAGIC || view.getUint32(4, true) !== 1) return null;
  if (dimension === 0 || dimension > SKETCH_MAX_DIMENSION || !(scale > 0)) return null;
  return { dimension, objective: view.getUint32(12, true), scale };
}
