/** The event at which what stands beside a script is asked for anew. */
import * as vscode from 'vscode';
import { onSetting } from './configuration.ts';
import { DisposableStore } from './disposables.ts';
import { throttle } from './throttle.ts';
import type { WorkspaceRuns } from './workspaceRuns.ts';

/** Fires when a run, one of the settings or the trust has changed, at most once in so many ms. */
export class ScriptRefresh implements vscode.Disposable {
  readonly #store = new DisposableStore();
  readonly #changed = this.#store.add(new vscode.EventEmitter<void>());
  readonly event = this.#changed.event;

  constructor(runs: WorkspaceRuns, milliseconds: number, settings: Parameters<typeof onSetting>[0]) {
    const refresh = this.#store.add(throttle(milliseconds, () => this.#changed.fire()));
    this.#store.add(runs.onDidChangeList(refresh));
    this.#store.add(runs.onDidChangeRun(refresh));
    this.#store.add(onSetting(settings, refresh));
    this.#store.add(vscode.workspace.onDidGrantWorkspaceTrust(refresh));
  }

  dispose(): void {
    this.#store.dispose();
  }
}
