/** Whether two paths are one file: editors name it by the folder that was opened, runtimes by where links lead. */
import { realpathSync } from 'node:fs';
import path from 'node:path';

export function isSameFile(a: string, b: string): boolean {
  const [one, other] = [path.resolve(a), path.resolve(b)];
  if (one === other) return true;
  // A link to the file itself may have another name; that is rare enough to leave it to the code debugger.
  return path.basename(one) === path.basename(other) && real(one) === real(other);
}

function real(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}
