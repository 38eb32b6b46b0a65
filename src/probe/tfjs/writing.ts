/** Files that are there whole or not at all, written on the worker thread. */
import { closeSync, openSync, renameSync, rmSync, writeFileSync, writeSync, writevSync } from 'node:fs';

/** Writes a file beside and renames it, readable by this user alone when `mode` says so. */
export function replaceFile(file: string, content: string, mode = 0o666): void {
  const beside = `${file}.${process.pid}.tmp`;
  writeFileSync(beside, content, { mode });
  renameSync(beside, file);
}

/** Writes a file beside, by a descriptor, and renames it. */
export function writeBeside(file: string, write: (descriptor: number) => void): void {
  const beside = `${file}.${process.pid}.tmp`;
  const descriptor = openSync(beside, 'w');
  try {
    write(descriptor);
  } catch (error) {
    closeSync(descriptor);
    rmSync(beside, { force: true });
    throw error;
  }
  closeSync(descriptor);
  renameSync(beside, file);
}

/** A gathering write may take less than it was given, and at most so many pieces. */
export function writeAll(descriptor: number, parts: readonly Uint8Array[]): void {
  for (let i = 0; i < parts.length; i += 512) {
    const some = parts.slice(i, i + 512).filter((part) => part.length > 0);
    const total = some.reduce((sum, part) => sum + part.length, 0);
    let written = some.length === 0 ? 0 : writevSync(descriptor, some);
    if (written === total) continue;
    const rest = Buffer.concat(some);
    while (written < total) written += writeSync(descriptor, rest, written);
  }
}
