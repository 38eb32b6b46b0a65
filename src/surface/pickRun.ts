/** The run that a command is about. */
import * as vscode from 'vscode';
import { BasinError } from '../protocol/errors.ts';
import { folderName } from './folderOf.ts';
import type { RunNode } from './runsTree.ts';
import { runText } from './sharpnessText.ts';
import type { KnownRun, WorkspaceRuns } from './workspaceRuns.ts';

/** What a caller may name a run by: a row of the tree, a directory or an id; nothing lets the user pick. */
export type Target = RunNode | string | undefined;

/**
 * The run that a row, directory or id names; otherwise the tree's selection when a view's button was pressed, the only
 * run there is, or the user's pick, the newest first.
 * @throws BasinError `not-found`, or `cancelled`
 */
export async function pickRun(
  { runs }: { readonly runs: WorkspaceRuns },
  target: Target,
  { corrupt = false, only }: { corrupt?: boolean; only?: readonly KnownRun[] } = {},
): Promise<KnownRun> {
  if (typeof target === 'object') return target.run;
  if (typeof target === 'string') {
    let found = runs.find(target);
    if (found === undefined) {
      // Recorded a moment ago, perhaps.
      await runs.refresh();
      found = runs.find(target);
    }
    if (found !== undefined) return found;
    throw new BasinError(
      'not-found',
      vscode.l10n.t('There is no run {0}.', target),
      vscode.l10n.t('It may have been deleted.'),
    );
  }
  const all = only ?? runs.all.filter((r) => corrupt || r.manifest !== null);
  const [newest] = all;
  if (newest === undefined) {
    throw new BasinError(
      'not-found',
      vscode.l10n.t('There is no run in this workspace.'),
      vscode.l10n.t('Open a training script and use Basin: Train This File.'),
    );
  }
  if (all.length === 1) return newest;
  const picked = await vscode.window.showQuickPick(
    all.map((run) => ({
      label: run.manifest?.name ?? run.id,
      description: [folderName(run), run.id].filter(Boolean).join(' · '),
      detail:
        run.manifest === null ? (run.error?.message ?? '') : runText(run.manifest, run.lastStep, run.live),
      run,
    })),
    { title: vscode.l10n.t('Which run?'), matchOnDescription: true, matchOnDetail: true },
  );
  if (picked === undefined) throw new BasinError('cancelled', 'Cancelled.');
  return picked.run;
}
