/** The weights of several snapshots side by side, a stretch at a time: every file is read once, however large it is. */
import { open, type FileHandle } from 'node:fs/promises';
import { BasinError } from '../protocol/errors.ts';
import type { ObjectiveInfo } from '../protocol/run.ts';
import { checkSnapshot, readFully } from './safetensorsFile.ts';

/** 64 KB of every file at a time. */
const BLOCK_ELEMENTS = 1 << 14;

/**
 * Yields the same stretch of the parameters from every file, all stretches in the end; memory is one stretch a file.
 * The arrays are filled anew for the next stretch.
 * @throws BasinError `not-found`, `corrupt-run` naming the file
 */
export async function* snapshotBlocks(
  files: readonly string[],
  objective: ObjectiveInfo,
): AsyncGenerator<readonly Float32Array[]> {
  const begins: Map<string, number>[] = [];
  for (const file of files) {
    const { tensors } = await checkSnapshot(file, objective);
    begins.push(new Map(tensors.map((tensor) => [tensor.name, tensor.begin])));
  }
  const handles: FileHandle[] = [];
  try {
    for (const file of files) handles.push(await open(file, 'r'));
    const buffers = files.map(() => new Float32Array(BLOCK_ELEMENTS));
    for (const { name, shape } of objective.parameters) {
      const elements = shape.reduce((product, extent) => product * extent, 1);
      for (let from = 0; from < elements; from += BLOCK_ELEMENTS) {
        const length = Math.min(BLOCK_ELEMENTS, elements - from);
        const stretch = buffers.map((buffer) => buffer.subarray(0, length));
        for (const [i, handle] of handles.entries()) {
          const into = stretch[i] ?? new Float32Array(0);
          const bytes = new Uint8Array(into.buffer, into.byteOffset, into.byteLength);
          await readFully(handle, bytes, (begins[i]?.get(name) ?? 0) + 4 * from).catch((error: unknown) => {
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
