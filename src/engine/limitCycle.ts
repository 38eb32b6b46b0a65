/** Whether a run that trains goes in circles, for those who ask again and again: nothing is kept of an answer. */
import { BasinError } from '../protocol/errors.ts';
import type { Run } from '../runs/run.ts';
import { cyclesKind } from './kinds/cycles.ts';
import { readContents } from './references.ts';

/**
 * @param objective whose updates are looked at
 * @returns what was found, in sentences; null where nothing repeats, and where too little is recorded to tell
 * @throws BasinError `cancelled`, `corrupt-run`
 */
export async function limitCycleOf(run: Run, objective: number, signal: AbortSignal): Promise<string | null> {
  try {
    const contents = await readContents(run, objective);
    const job = cyclesKind.complete({ kind: 'cycles', run: run.id }, contents);
    const context = { signal, progress: () => undefined };
    const { verdict, trust } = await cyclesKind.run(job, { contents, context, answered: [], failed: [] });
    return verdict === 'fixed-order' || verdict === 'repeats' ? trust.join('\n') : null;
  } catch (error) {
    if (error instanceof BasinError && ['bad-input', 'no-steps', 'non-finite'].includes(error.code))
      return null;
    throw error;
  }
}
