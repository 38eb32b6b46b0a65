/** A folder that only this user can enter, for sockets and endpoint files, with a path that a unix socket can have. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

/** sun_path holds 104 bytes on macOS and 108 on Linux; the rest is for the socket's own name. */
const LONGEST_FOLDER = 70;

export interface PrivateFolder {
  readonly path: string;
  remove(): Promise<void>;
}

/** mkdtemp makes it with mode 0700. */
export async function makePrivateFolder(): Promise<PrivateFolder> {
  const candidates = [process.env.XDG_RUNTIME_DIR, os.tmpdir(), '/tmp'].filter(
    (folder): folder is string =>
      folder !== undefined && existsSync(folder) && Buffer.byteLength(folder) <= LONGEST_FOLDER,
  );
  let failure: unknown;
  for (const folder of candidates.length > 0 ? candidates : [os.tmpdir()]) {
    try {
      const made = await mkdtemp(path.join(folder, 'basin-'));
      return { path: made, remove: () => rm(made, { recursive: true, force: true }) };
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
