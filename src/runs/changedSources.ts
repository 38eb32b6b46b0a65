/** Whether the script's own files are what they were when a run was recorded: a kept answer is about those. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { RunManifest } from '../protocol/run.ts';

/** Named in a sentence; more are counted. */
const NAMED = 3;

/**
 * What has changed since, as a sentence.
 * @returns null where nothing has, and for runs that have not noted it
 */
export async function changedSentence(
  manifest: Pick<RunManifest, 'sources' | 'cwd'>,
): Promise<string | null> {
  const files = await changedSources(manifest);
  if (files.length === 0) return null;
  const names = files.slice(0, NAMED).map((file) => nameOf(file, manifest.cwd));
  if (files.length > NAMED) names.push(`${files.length - NAMED} more`);
  const listed = names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
  return `${listed} ${files.length === 1 ? 'has' : 'have'} changed since the run was recorded: this is about the script as it was then.`;
}

/** A result with that sentence; its file, which is as old as the answer, does not have it. */
export function tellingOfChanges<R extends { readonly trust: readonly string[] }>(
  result: R,
  sentence: string | null,
): R {
  return sentence === null ? result : { ...result, trust: [...result.trust, sentence] };
}

/** Absolute paths of files that are others now, or gone. */
export async function changedSources({ sources = {} }: Pick<RunManifest, 'sources'>): Promise<string[]> {
  const changed = await Promise.all(
    Object.entries(sources).map(async ([file, digest]) => {
      const content = await readFile(file).catch(() => null);
      const same = content !== null && createHash('sha256').update(content).digest('hex') === digest;
      return same ? [] : [file];
    }),
  );
  return changed.flat();
}

function nameOf(file: string, cwd: string): string {
  const relative = path.relative(cwd, file);
  return relative.startsWith('..') ? path.basename(file) : relative;
}
