/** Asks, once per workspace, before a recorded command is run again to answer a question. */
import * as vscode from 'vscode';
import { BasinError, cancelled } from '../protocol/errors.ts';
import type { Job } from '../protocol/engine.ts';
import { exportNeedsProcess } from '../protocol/exporting.ts';
import { partsOfReference } from '../protocol/job.ts';
import { setting } from './configuration.ts';
import { requireTrust } from './trust.ts';
import { isActive, type KnownRun, type WorkspaceRuns } from './workspaceRuns.ts';

const CONSENT = 'relaunch.allowed';

/** A report draws what is on disk already, and some exports are copies of it. */
const needsProcess = (run: KnownRun, job: Job): boolean =>
  job.kind === 'export'
    ? exportNeedsProcess(job.format, run.manifest?.framework ?? null)
    : job.kind !== 'report';

/** Whether the process of another run than the job's own is asked as well. */
function asks(job: Job, run: string): boolean {
  const named = (reference: string): boolean => reference !== '' && run.startsWith(reference);
  if (job.kind === 'landscapes') return job.members.some((model) => named(partsOfReference(model).run ?? ''));
  if (job.kind !== 'measures' || job.compute !== true) return false;
  return job.runs === undefined || job.runs.some(named);
}

/** Whether a debugger of this window holds the run's own process still, which answers then. */
interface Held {
  readonly standing: boolean;
}

export class Relaunch {
  /** Consent is kept in the workspace's own storage, not in its files. */
  constructor(
    private readonly storage: vscode.Memento,
    private readonly runs: Pick<WorkspaceRuns, 'all'>,
  ) {}

  /** Whether a job may start without a question to the user. */
  isAllowed(run: KnownRun, job: Job, held: Held = { standing: false }): boolean {
    if (!vscode.workspace.isTrusted) return false;
    if (!needsProcess(run, job) || this.#startedAgain(run, job, held).length === 0) return true;
    const policy = setting('relaunch', run.folder.uri);
    return policy === 'always' || (policy === 'ask' && this.storage.get(CONSENT) === true);
  }

  /** The scripts of runs that have ended and that a job asks, each once. */
  #startedAgain(run: KnownRun, job: Job, { standing }: Held): { command: string; cwd: string }[] {
    const beside = this.runs.all.filter((r) => r.folder.uri.toString() === run.folder.uri.toString());
    const ended = [run, ...beside.filter((r) => r.id !== run.id && asks(job, r.id))].filter(
      (r) => !isActive(r) && !(standing && r.id === run.id),
    );
    const scripts = ended.map(({ manifest }) => ({
      command: manifest?.command.join(' ') ?? '',
      cwd: manifest?.cwd ?? '',
    }));
    return [...new Map(scripts.map((one) => [`${one.command}\n${one.cwd}`, one])).values()];
  }

  /** @throws BasinError `not-allowed` in an untrusted workspace or by setting, `cancelled` when the user declines */
  async ensure(run: KnownRun, job: Job, held: Held): Promise<void> {
    if (!needsProcess(run, job)) return;
    requireTrust();
    if (this.isAllowed(run, job, held)) return;
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
    const scripts = this.#startedAgain(run, job, held);
    const answer = await vscode.window.showInformationMessage(
      scripts.length === 1
        ? vscode.l10n.t(
            'To answer, Basin starts this script again and stops it before its first update: {0} (in {1}). Run it now and later in this workspace?',
            scripts[0]?.command ?? '',
            scripts[0]?.cwd ?? '',
          )
        : vscode.l10n.t(
            'To answer, Basin starts these scripts again, one after the other, and stops each before its first update: {0}. Run them now and later in this workspace?',
            scripts.map(({ command, cwd }) => vscode.l10n.t('{0} (in {1})', command, cwd)).join('; '),
          ),
      start,
      vscode.l10n.t('Cancel'),
    );
    if (answer !== start) throw cancelled();
    await this.storage.update(CONSENT, true);
  }
}
