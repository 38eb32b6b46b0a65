/** Programs on this machine: what may be run, and where the PATH finds it. */
import { access, stat } from 'node:fs/promises';
import { constants } from 'node:fs';
import path from 'node:path';

export const windows = process.platform === 'win32';

/** Absolute path of the first program of a name on the PATH; null when there is none. */
export async function findOnPath(name: string, env: NodeJS.ProcessEnv): Promise<string | null> {
  for (const folder of (env['PATH'] ?? env['Path'] ?? '').split(path.delimiter)) {
    const file = path.join(folder, windows && !name.endsWith('.exe') ? `${name}.exe` : name);
    if (folder !== '' && (await isProgram(file))) return file;
  }
  return null;
}

export async function isProgram(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => null);
  if (found?.isFile() !== true) return false;
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}
