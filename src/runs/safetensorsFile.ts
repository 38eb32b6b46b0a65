/** Snapshot files as they lie on disk: read with suspicion, since anything may have happened to them. */
import { open, type FileHandle } from 'node:fs/promises';
import { BasinError } from '../protocol/errors.ts';
import type { ObjectiveInfo } from '../protocol/run.ts';
import {
  headerLength,
  parseHeader,
  type SafetensorsHeader,
  type TensorSpec,
} from '../protocol/safetensors.ts';
import { isMissing } from './files.ts';

/**
 * Reads and checks a file's header; allocates no more than the header's own, bounded length.
 * @throws BasinError `not-found`, or `corrupt-run` naming the file
 */
export async function readSafetensorsHeader(file: string): Promise<SafetensorsHeader> {
  return withFile(file, readHeader);
}

/**
 * Checks that a snapshot holds an objective's parameters: each one there, of its shape, in float32 or, where it trains in it, float64.
 * @throws BasinError `not-found`, or `corrupt-run` naming the file and the tensor
 */
export async function checkSnapshot(file: string, objective: ObjectiveInfo): Promise<SafetensorsHeader> {
  const header = await readSafetensorsHeader(file);
  const tensors = new Map(header.tensors.map((t) => [t.name, t]));
  for (const p of objective.parameters) {
    const tensor = tensors.get(p.name);
    if (tensor === undefined) throw damaged(file, `it lacks the parameter "${p.name}"`);
    const wide = p.dtype === 'float64';
    if (tensor.dtype !== 'F32' && !(wide && tensor.dtype === 'F64')) {
      const wanted = wide ? 'F64' : 'F32';
      throw damaged(file, `parameter "${p.name}" is ${tensor.dtype} where ${wanted} was recorded`);
    }
    if (tensor.shape.length !== p.shape.length || tensor.shape.some((d, i) => d !== p.shape[i])) {
      throw damaged(
        file,
        `parameter "${p.name}" has shape [${tensor.shape.join(', ')}] where [${p.shape.join(', ')}] was recorded`,
      );
    }
  }
  return header;
}

/**
 * One tensor's float32 values.
 * @throws BasinError `not-found`, `corrupt-run`
 */
export async function readFloat32(file: string, name: string): Promise<Float32Array> {
  return withFile(file, async (handle, bytes) => {
    const tensor = (await readHeader(handle, bytes)).tensors.find((t) => t.name === name);
    if (tensor?.dtype !== 'F32') {
      throw new BasinError('corrupt-run', `It has no float32 tensor "${name}".`);
    }
    const data = new Uint8Array(tensor.end - tensor.begin);
    await readFully(handle, data, tensor.begin);
    return new Float32Array(data.buffer);
  });
}

/**
 * Every tensor's bytes, for what needs a whole model at once.
 * @throws BasinError `not-found`, `corrupt-run`
 */
export async function readTensors(
  file: string,
): Promise<{ spec: TensorSpec; bytes: Uint8Array<ArrayBuffer> }[]> {
  return withFile(file, async (handle, bytes) => {
    const read = [];
    for (const { name, dtype, shape, begin, end } of (await readHeader(handle, bytes)).tensors) {
      const data = new Uint8Array(end - begin);
      await readFully(handle, data, begin);
      read.push({ spec: { name, dtype, shape }, bytes: data });
    }
    return read;
  });
}

async function readHeader(handle: FileHandle, fileBytes: number): Promise<SafetensorsHeader> {
  const first = new Uint8Array(8);
  if (fileBytes >= 8) await readFully(handle, first, 0);
  const json = new Uint8Array(headerLength(first, fileBytes));
  await readFully(handle, json, 8);
  return parseHeader(json, fileBytes);
}

/** Fills an array from a position of the file. @throws BasinError `corrupt-run` where the file ends before */
export async function readFully(handle: FileHandle, into: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < into.length;) {
    const { bytesRead } = await handle.read(into, done, into.length - done, position + done);
    if (bytesRead === 0) throw new BasinError('corrupt-run', 'It ended while it was read.');
    done += bytesRead;
  }
}

/** Errors from inside name the file and its cure. */
async function withFile<T>(file: string, use: (handle: FileHandle, bytes: number) => Promise<T>): Promise<T> {
  let handle: FileHandle;
  try {
    handle = await open(file, 'r');
  } catch (error) {
    if (isMissing(error)) throw new BasinError('not-found', `There is no file ${file}.`);
    throw new BasinError('corrupt-run', `${file} cannot be read: ${(error as Error).message}.`);
  }
  try {
    return await use(handle, (await handle.stat()).size);
  } catch (error) {
    if (error instanceof BasinError)
      throw new BasinError(error.code, `${file}: ${error.message}`, error.cure);
    throw new BasinError('corrupt-run', `${file} cannot be read: ${(error as Error).message}.`);
  } finally {
    await handle.close();
  }
}

function damaged(file: string, why: string): BasinError {
  return new BasinError(
    'corrupt-run',
    `${file}: ${why}.`,
    'Delete the file; Basin goes on with the other snapshots.',
  );
}
