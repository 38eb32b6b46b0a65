/**
 * The safetensors container (https://github.com/huggingface/safetensors, format section): 8 bytes little-endian
 * header length, a JSON header naming dtype, shape and data_offsets of each tensor, then the data.
 * Pure codec over bytes; who reads and writes files is not its business.
 */
import * as v from 'valibot';
import { BasinError } from './errors.ts';

/** Bytes per element of the dtypes that Basin reads or writes. */
export const dtypeBytes = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const;
export type Dtype = keyof typeof dtypeBytes;

export interface TensorSpec {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
}

/** A tensor in a file: `begin` and `end` are byte offsets from the start of the file. */
export interface TensorEntry extends TensorSpec {
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly tensors: readonly TensorEntry[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Bytes of the whole file, header included. */
  readonly fileBytes: number;
}

/** The format's own limit; a larger header is refused before anything is allocated. */
const MAX_HEADER_BYTES = 100_000_000;

export const elementCount = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** Lays tensors out one behind the other, in the given order; data starts at a multiple of 8 bytes. */
export function encodeHeader(
  tensors: readonly TensorSpec[],
  metadata: Readonly<Record<string, string>> = {},
): { bytes: Uint8Array<ArrayBuffer>; layout: SafetensorsHeader } {
  const header: Record<string, unknown> = {};
  if (Object.keys(metadata).length > 0) header.__metadata__ = metadata;
  let offset = 0;
  const ends: number[] = [];
  for (const t of tensors) {
    if (t.name === '__metadata__' || t.name in header) {
      throw new BasinError('bad-input', `Two tensors would be named "${t.name}" in one file.`);
    }
    const end = offset + elementCount(t.shape) * dtypeBytes[t.dtype];
    header[t.name] = { dtype: t.dtype, shape: t.shape, data_offsets: [offset, end] };
    ends.push(end);
    offset = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + headerBytes).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes), true);
  bytes.set(json, 8);
  const start = bytes.length;
  return {
    bytes,
    layout: {
      tensors: tensors.map((t, i) => ({
        ...t,
        begin: start + (ends[i - 1] ?? 0),
        end: start + (ends[i] ?? 0),
      })),
      metadata,
      fileBytes: start + offset,
    },
  };
}

/**
 * Length of the JSON header from a file's first 8 bytes.
 * @throws BasinError `corrupt-run` when the file cannot be a safetensors file.
 */
export function headerLength(first8: Uint8Array, fileBytes: number): number {
  if (first8.length < 8 || fileBytes < 8) throw corrupt('it is shorter than 8 bytes');
  const n = new DataView(first8.buffer, first8.byteOffset, 8).getBigUint64(0, true);
  if (n > BigInt(MAX_HEADER_BYTES)) throw corrupt(`its header claims ${n} bytes`);
  if (8 + Number(n) > fileBytes) throw corrupt(`its header claims ${n} bytes of ${fileBytes}`);
  return Number(n);
}

const tensorSchema = v.object({
  dtype: v.picklist(Object.keys(dtypeBytes) as Dtype[]),
  shape: v.array(v.pipe(v.number(), v.integer(), v.minValue(0))),
  data_offsets: v.tuple([v.pipe(v.number(), v.integer(), v.minValue(0)), v.pipe(v.number(), v.integer())]),
});

/**
 * Checks and reads a header: types, sizes that match shapes, offsets that tile the data without holes, a file as
 * long as they say.
 * @param json the `headerLength` bytes behind the first 8
 * @throws BasinError `corrupt-run`
 */
export function parseHeader(json: Uint8Array, fileBytes: number): SafetensorsHeader {
  let raw: unknown;
  try {
    raw = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json));
  } catch {
    throw corrupt('its header is not JSON');
  }
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw))
    throw corrupt('its header is not an object');
  const start = 8 + json.length;
  let metadata: Record<string, string> = {};
  const tensors: TensorEntry[] = [];
  for (const [name, value] of Object.entries(raw)) {
    if (name === '__metadata__') {
      const parsed = v.safeParse(v.record(v.string(), v.string()), value);
      if (!parsed.success) throw corrupt('its metadata is not text');
      metadata = parsed.output;
      continue;
    }
    const parsed = v.safeParse(tensorSchema, value);
    if (!parsed.success) throw corrupt(`tensor "${name}" has no valid dtype, shape and offsets`);
    const { dtype, shape, data_offsets } = parsed.output;
    if (data_offsets[1] - data_offsets[0] !== elementCount(shape) * dtypeBytes[dtype]) {
      throw corrupt(
        `tensor "${name}" of shape [${shape.join(', ')}] does not fit its ${data_offsets[1] - data_offsets[0]} bytes`,
      );
    }
    tensors.push({ name, dtype, shape, begin: start + data_offsets[0], end: start + data_offsets[1] });
  }
  let expected = start;
  for (const t of [...tensors].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (t.begin !== expected) throw corrupt(`tensor "${t.name}" does not follow the one before it`);
    expected = t.end;
  }
  if (expected !== fileBytes) throw corrupt(`it has ${fileBytes} bytes where its header says ${expected}`);
  return { tensors, metadata, fileBytes };
}

function corrupt(why: string): BasinError {
  return new BasinError(
    'corrupt-run',
    `Not a whole safetensors file: ${why}.`,
    'Delete the file; Basin goes on with the others.',
  );
}
