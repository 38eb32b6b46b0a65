/** The weights of several snapshots side by side, a stretch at a time: every file is read once, however large it is. */
import { open, type FileHandle } from 'node:fs/promises';
import { BasinError } from '../protocol/errors.ts';
import type { ObjectiveInfo } from '../protocol/run.ts';
import type { TensorEntry } from '../protocol/safetensors.ts';
import { checkSnapshot, readFully } from './safetensorsFile.ts';

/** 64 KB of every file at a time, 128 of one in float64. */
const BLOCK_ELEMENTS = 1 << 14;

export type Stretch = Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;

/**
 * Yields the same stretch of the parameters from every file, all stretches in the end; memory is one stretch a file.
 * The arrays are filled anew for the next stretch.
 * @throws BasinError `not-found`, `corrupt-run` naming the file
 */
export async function* snapshotBlocks(
  files: readonly string[],
  objective: ObjectiveInfo,
): AsyncGenerator<readonly Stretch[]> {
  const entries: Map</* parameter */ string, TensorEntry>[] = [];
  for (const file of files) {
    const { tensors } = await checkSnapshot(file, objective);
    entries.push(new Map(tensors.map((tensor) => [tensor.name, tensor])));
  }
  const handles: FileHandle[] = [];
  try {
    for (const file of files) handles.push(await open(file, 'r'));
    const buffers = files.map(() => new ArrayBuffer(BLOCK_ELEMENTS * Float64Array.BYTES_PER_ELEMENT));
    for (const { name, shape } of objective.parameters) {
      const elements = shape.reduce((product, extent) => product * extent, 1);
      for (let from = 0; from < elements; from += BLOCK_ELEMENTS) {
        const length = Math.min(BLOCK_ELEMENTS, elements - from);
        const stretch = buffers.map((buffer, i) =>
          entries[i]?.get(name)?.dtype === 'F64'
            ? new Float64Array(buffer, 0, length)
            : new Float32Array(buffer, 0, length),
        );
        for (const [i, handle] of handles.entries()) {
          const into = stretch[i] ?? new Float32Array(0);
          const bytes = new Uint8Array(into.buffer, 0, into.byteLength);
          const begin = (entries[i]?.get(name)?.begin ?? 0) + into.BYTES_PER_ELEMENT * from;
          await readFully(handle, bytes, begin).catch((error: unknown) => {
            throw new BasinError(
              'corrupt-run',
              `${files[i]} cannot be read: ${(error as Error).message}`,
              'Delete the file; Basin goes on with the other snapshots.',
            );
          });
        }
        yield stretch;
      }
    }
  } finally {
    await Promise.all(handles.map((handle) => handle.close()));
  }
}
