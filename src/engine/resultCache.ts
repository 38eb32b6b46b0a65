/** The same question to an unchanged run has its answer on disk already. */
import { stat } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import type { AnalysisJob, AnalysisResult } from '../protocol/analyses.ts';
import type { RunContents } from './references.ts';

/**
 * A kept result of the same job, made by the same version after the last change to the run's steps and snapshots;
 * what it built is still there, and it was not cut short.
 * @param job with its defaults filled in
 * @param others runs whose models it names: what they train further changes the answer as well
 */
export async function findKept(
  job: AnalysisJob,
  contents: RunContents,
  version: string,
  others: readonly RunContents[] = [],
): Promise<AnalysisResult | null> {
  const { run, models } = contents;
  const all = [contents, ...others];
  if (all.some(({ manifest: { state } }) => state === 'starting' || state === 'training')) return null;
  // It reads other results, which this run's files do not date.
  if (job.kind === 'measures') return null;
  const changed = Math.max(
    ...(await Promise.all(
      all.flatMap((one) => ['steps.jsonl', 'snapshots', 'data'].map((f) => modified(one.run.path(f)))),
    )),
  );
  const wanted = comparable(job);
  for (const kept of await run.analyses()) {
    const { provenance } = kept;
    if (provenance.basin !== version || Date.parse(provenance.created) < changed) continue;
    if (!isDeepStrictEqual(comparable(provenance.job), wanted)) continue;
    if (!modelsOf(kept).every((id) => models.some((m) => m.id === id))) continue;
    if ((kept.kind === 'swa' || kept.kind === 'fge' || kept.kind === 'snapshot-ensemble') && !kept.complete)
      continue;
    // A run that had no answer may have one by now.
    if (kept.kind === 'landscapes' && kept.landscapes.some(({ error }) => error !== null)) continue;
    if ('kept' in kept && kept.kept.some((id) => !models.some((m) => m.id === id))) continue;
    return kept;
  }
  return null;
}

/** The models that a result has added to its run. */
function modelsOf(result: AnalysisResult): string[] {
  if (!('model' in result)) return [];
  const members = result.kind === 'fge' || result.kind === 'snapshot-ensemble' ? result.members : [];
  return [result.model, ...members.map((m) => m.model)];
}

/** Without what does not change the answer, as JSON has it. */
export function comparable(job: unknown): unknown {
  const entries = Object.entries(JSON.parse(JSON.stringify(job)) as Record<string, unknown>);
  return Object.fromEntries(
    entries.filter(([key]) => key !== 'live' && key !== 'stopAtBarrier' && key !== 'resume'),
  );
}

async function modified(file: string): Promise<number> {
  return (await stat(file).catch(() => null))?.mtimeMs ?? 0;
}
