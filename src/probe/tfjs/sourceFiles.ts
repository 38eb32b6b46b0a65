/** The script's own files, so that an answer can say when they have changed since the run was recorded. */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';

/** A script that brings more than this has generated them. */
const MOST_FILES = 300;
const MOST_BYTES = 4 << 20;

/**
 * SHA-256 by absolute path: the script, and the CommonJS modules beside and below it or the working directory that are
 * loaded by now. (Node tells nobody which ES modules are.)
 */
export function ownFiles(script: string | undefined, loaded: readonly string[]): Record<string, string> {
  if (script === undefined) return {};
  const homes = [process.cwd(), path.dirname(script)].map((folder) => folder + path.sep);
  const own = loaded.filter(
    (file) => homes.some((home) => file.startsWith(home)) && !file.split(path.sep).includes('node_modules'),
  );
  const digests: Record<string, string> = {};
  for (const file of [...new Set([script, ...own])].slice(0, MOST_FILES)) {
    try {
      if (statSync(file).size > MOST_BYTES) continue;
      digests[file] = createHash('sha256').update(readFileSync(file)).digest('hex');
    } catch {
      // Not a file: a script that was given on the command line.
    }
  }
  return digests;
}
