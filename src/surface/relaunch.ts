/** Asks, once per workspace, before a recorded command is run again to answer a question. */
import * as vscode from 'vscode';
import { BasinError, cancelled } from '../protocol/errors.ts';
import type { Job } from '../protocol/engine.ts';
import { exportNeedsProcess } from '../protocol/exporting.ts';
import { setting } from './configuration.ts';
import { requireTrust } from './trust.ts';
import { isActive, type KnownRun } from './workspaceRuns.ts';

const CONSENT = 'relaunch.allowed';

/** A report draws what is on disk already, and some exports are copies of it. */
const needsProcess = (run: KnownRun, job: Job): boolean =>
  job.kind === 'export'
    ? exportNeedsProcess(job.format, run.manifest?.framework ?? null)
    : job.kind !== 'report';

export class Relaunch {
  /** Consent is kept in the workspace's own storage, not in its files. */
  constructor(private readonly storage: vscode.Memento) {}

  /** Whether a job may start without a question to the user. */
  isAllowed(run: KnownRun, job: Job): boolean {
    if (!vscode.workspace.isTrusted) return false;
    if (!needsProcess(run, job) || isActive(run)) return true;
    const policy = setting('relaunch', run.folder.uri);
    return policy === 'always' || (policy === 'ask' && this.storage.get(CONSENT) === true);
  }

  /** @throws BasinError `not-allowed` in an untrusted workspace or by setting, `cancelled` when the user declines */
  async ensure(run: KnownRun, job: Job): Promise<void> {
    if (!needsProcess(run, job)) return;
    requireTrust();
    if (this.isAllowed(run, job)) return;
    if (setting('relaunch', run.folder.uri) === 'never') {
      throw new BasinError(
        'not-allowed',
        vscode.l10n.t('The run has ended, and answering would start its script again.'),
        vscode.l10n.t(
          'Change the setting basin.relaunch to allow that, or ask while a run trains or is held.',
        ),
      );
    }
    const start = vscode.l10n.t('Run');
    const command = run.manifest?.command.join(' ') ?? '';
    const answer = await vscode.window.showInformationMessage(
      vscode.l10n.t(
        'To answer, Basin starts this script again and stops it before its first update: {0} (in {1}). Run it now and later in this workspace?',
        command,
        run.manifest?.cwd ?? '',
      ),
      start,
      vscode.l10n.t('Cancel'),
    );
    if (answer !== start) throw cancelled();
    await this.storage.update(CONSENT, true);
  }
}
