/** A folder that only this user can enter, for sockets and endpoint files, with a path that a unix socket can have. */
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { isAlive } from '../runs/processes.ts';

/** sun_path holds 104 bytes on macOS and 108 on Linux; the rest is for the socket's own name. */
const LONGEST_FOLDER = 70;
const PREFIX = 'basin-';

export interface PrivateFolder {
  readonly path: string;
  remove(): Promise<void>;
}

/** mkdtemp makes it with mode 0700. Takes away what killed processes have left of theirs. */
export async function makePrivateFolder(): Promise<PrivateFolder> {
  const candidates = [process.env.XDG_RUNTIME_DIR, os.tmpdir(), '/tmp'].filter(
    (folder): folder is string =>
      folder !== undefined && existsSync(folder) && Buffer.byteLength(folder) <= LONGEST_FOLDER,
  );
  let failure: unknown;
  for (const folder of candidates.length > 0 ? candidates : [os.tmpdir()]) {
    try {
      await removeOrphans(folder);
      const made = await mkdtemp(path.join(folder, PREFIX));
      return { path: made, remove: () => rm(made, { recursive: true, force: true }) };
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/** Those with nothing in them but sockets of processes that are gone: killed, with whoever had started them. */
async function removeOrphans(parent: string): Promise<void> {
  const names = await readdir(parent).catch(() => []);
  for (const name of names.filter((one) => one.startsWith(PREFIX))) {
    const folder = path.join(parent, name);
    const held = await readdir(folder).catch(() => []);
    const owners = held.map((entry) => Number(/^(\d+)\.sock$/.exec(entry)?.[1] ?? NaN));
    const isOrphan =
      owners.length > 0 && owners.every((pid) => pid > 0 && !isAlive({ pid, startTime: null }));
    if (isOrphan) await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }
}
