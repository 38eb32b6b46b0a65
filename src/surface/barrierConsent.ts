/** Averages across a barrier are built only where the user, who is told first how high it is, wants that. */
import * as vscode from 'vscode';
import type { Job } from '../protocol/engine.ts';
import { BasinError, cancelled } from '../protocol/errors.ts';

/**
 * Starts a job; one that averages stops at a barrier, and goes on across it after a yes.
 * @throws as `start` does, and BasinError `cancelled` after a no
 */
export async function heedingBarrier<J extends Job, R>(job: J, start: (job: J) => Promise<R>): Promise<R> {
  if (job.kind !== 'average' && job.kind !== 'soup') return start(job);
  try {
    return await start({ ...job, stopAtBarrier: true });
  } catch (error) {
    // A panel that shows the failure has wrapped it.
    const cause = error instanceof BasinError ? error : (error as Error).cause;
    if (!(cause instanceof BasinError) || cause.code !== 'barrier') throw error;
    const anyway = vscode.l10n.t('Average Anyway');
    const detail = vscode.l10n.t('An average across a barrier is usually worse than its members.');
    const answer = await vscode.window.showWarningMessage(cause.message, { modal: true, detail }, anyway);
    if (answer !== anyway) throw cancelled();
    return start(job);
  }
}
