/** CodeLenses above training calls: train, and what makes sense with the newest run of the file. */
import * as vscode from 'vscode';
import { setting } from './configuration.ts';
import { commands } from './ids.ts';
import { ScriptRefresh } from './scriptRefresh.ts';
import { stepText } from './sharpnessText.ts';
import type { TrainingSites } from './trainingSites.ts';
import { isActive, type WorkspaceRuns } from './workspaceRuns.ts';

/** VS Code debounces CodeLens refreshes and starves under faster events. */
const REFRESH_MS = 750;

export class TrainingLens implements vscode.CodeLensProvider, vscode.Disposable {
  readonly #refresh: ScriptRefresh;
  readonly onDidChangeCodeLenses: vscode.Event<void>;

  constructor(
    private readonly sites: TrainingSites,
    runs: WorkspaceRuns,
  ) {
    this.#refresh = new ScriptRefresh(runs, REFRESH_MS, ['codeLens']);
    this.onDidChangeCodeLenses = this.#refresh.event;
  }

  provideCodeLenses(document: vscode.TextDocument): vscode.CodeLens[] {
    if (!vscode.workspace.isTrusted || !setting('codeLens', document.uri)) return [];
    const run = this.sites.run(document);
    return this.sites.calls(document).flatMap(({ line, character }) => {
      const range = new vscode.Range(line, character, line, character);
      const lenses = [
        new vscode.CodeLens(range, {
          title: vscode.l10n.t('$(play) Train under Basin'),
          tooltip: vscode.l10n.t('Run this script, recorded; the script stays as it is'),
          command: commands.train,
          arguments: [document.uri],
        }),
      ];
      if (run?.manifest == null || run.lastStep === null) return lenses;
      lenses.push(
        new vscode.CodeLens(range, {
          title: isActive(run)
            ? `$(pulse) ${stepText(run.lastStep)}`
            : vscode.l10n.t('$(graph-scatter) Loss contour'),
          tooltip: run.manifest.name,
          command: isActive(run) ? commands.openRun : commands.showContour,
          arguments: [run.run.directory],
        }),
      );
      if (run.manifest.state === 'training') {
        lenses.push(
          new vscode.CodeLens(range, {
            title: vscode.l10n.t('$(debug-pause) Pause'),
            tooltip: vscode.l10n.t('Has training stand still before its next update, in the debugger'),
            command: commands.pause,
            arguments: [run.run.directory],
          }),
        );
      } else if (run.manifest.state === 'paused') {
        lenses.push(
          new vscode.CodeLens(range, {
            title: vscode.l10n.t('$(debug-continue) Continue'),
            tooltip: run.manifest.name,
            command: commands.continue,
            arguments: [run.run.directory],
          }),
        );
      }
      if (!isActive(run)) {
        lenses.push(
          new vscode.CodeLens(range, {
            title: vscode.l10n.t('$(combine) Average snapshots'),
            tooltip: run.manifest.name,
            command: commands.average,
            arguments: [run.run.directory],
          }),
        );
      }
      return lenses;
    });
  }

  dispose(): void {
    this.#refresh.dispose();
  }
}
