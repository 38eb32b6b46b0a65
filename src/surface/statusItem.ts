/** The one status item: what Basin is doing now, hidden when that is nothing. */
import * as vscode from 'vscode';
import { DisposableStore } from './disposables.ts';
import { commands } from './ids.ts';
import type { Jobs } from './jobs.ts';
import { jobWords } from './jobWords.ts';
import { stepText } from './sharpnessText.ts';
import { throttle } from './throttle.ts';
import { isActive, type WorkspaceRuns } from './workspaceRuns.ts';

const REFRESH_MS = 250;

export class StatusItem implements vscode.Disposable {
  readonly #store = new DisposableStore();
  readonly #item: vscode.StatusBarItem;

  constructor(
    private readonly runs: WorkspaceRuns,
    private readonly jobs: Jobs,
  ) {
    this.#item = this.#store.add(
      vscode.window.createStatusBarItem('basin.status', vscode.StatusBarAlignment.Left, 10),
    );
    this.#item.name = 'Basin';
    const refresh = this.#store.add(throttle(REFRESH_MS, () => this.#show()));
    this.#store.add(runs.onDidChangeList(refresh));
    this.#store.add(runs.onDidChangeRun(refresh));
    this.#store.add(jobs.onDidHear(refresh));
  }

  #show(): void {
    const job = this.jobs.running[0];
    const active = this.runs.all.find(isActive);
    if (job !== undefined) {
      const { fraction, message } = job.progress;
      const more = this.jobs.running.length > 1 ? ` +${this.jobs.running.length - 1}` : '';
      this.#item.text = `$(sync~spin) ${fraction === null ? message : `${jobWords(job.job.kind)} ${Math.floor(100 * fraction)} %`}${more}`;
      this.#item.tooltip = vscode.l10n.t('Basin: {0}. Click to open the run.', message);
      this.#item.command = { title: '', command: commands.openRun, arguments: [job.directory] };
    } else if (active !== undefined) {
      const { manifest, lastStep } = active;
      const name = manifest?.name ?? active.id;
      const held = manifest?.state === 'held';
      const paused = manifest?.state === 'paused';
      this.#item.text = `${held || paused ? '$(debug-pause)' : '$(pulse)'} ${lastStep === null ? vscode.l10n.t('waiting for the first step') : stepText(lastStep)}`;
      this.#item.tooltip = held
        ? vscode.l10n.t('Basin: {0} is done and held for questions', name)
        : paused
          ? vscode.l10n.t('Basin: {0} stands still in the debugger', name)
          : vscode.l10n.t('Basin: {0} is training', name);
      this.#item.command = { title: '', command: commands.openRun, arguments: [active.run.directory] };
    } else {
      this.#item.hide();
      return;
    }
    this.#item.show();
  }

  dispose(): void {
    this.#store.dispose();
  }
}
