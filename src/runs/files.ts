/** Files written so that a reader, or a crash, never meets half of one. */
import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { BasinError } from '../protocol/errors.ts';

/** Writes beside the file and renames: readers see the old content or the new, never a part. */
export async function writeAtomically(file: string, content: string | Uint8Array): Promise<void> {
  await makeDirectory(path.dirname(file));
  const beside = `${file}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    const handle = await open(beside, 'w');
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(beside, file);
  } catch (error) {
    await rm(beside, { force: true }).catch(() => undefined);
    throw notWritable(path.dirname(file), error);
  }
}

/** @throws BasinError `not-allowed` when it cannot be made */
export async function makeDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true }).catch((error: unknown) => {
    throw notWritable(directory, error);
  });
}

const UNWRITABLE: readonly unknown[] = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST', 'ENOSPC', 'EDQUOT'];

function notWritable(directory: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (!UNWRITABLE.includes(code)) return error;
  return new BasinError(
    'not-allowed',
    `Basin cannot write to ${directory} (${code}).`,
    code === 'ENOSPC' || code === 'EDQUOT'
      ? 'Make room on the disk; `basin show` tells what runs take.'
      : 'Make the folder writable, or name another workspace with --root.',
    { cause: error },
  );
}

export async function exists(file: string): Promise<boolean> {
  return (await stat(file).catch(() => null)) !== null;
}

export function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
