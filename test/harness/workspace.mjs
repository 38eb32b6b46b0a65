/** Workspace folders for suites: copies that may be written to, inside the repository so that scripts find its packages. */
import { cpSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

/**
 * A fresh copy of a folder as out/workspaces/<name>, without what earlier runs left in it.
 * @param {string} [source] relative to the repository
 */
export function freshWorkspace(name, source = 'media/samples/digits') {
  const folder = join(root, 'out/workspaces', name);
  rmSync(folder, { recursive: true, force: true });
  cpSync(join(root, source), folder, {
    recursive: true,
    filter: (path) => !/[\\/](node_modules|\.basin)$/.test(path),
  });
  return folder;
}
