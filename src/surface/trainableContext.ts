/** Tells `when` clauses whether the active editor holds a training call, a moment after it changed. */
import * as vscode from 'vscode';
import { DisposableStore } from './disposables.ts';
import { contextKeys, languages } from './ids.ts';
import { throttle } from './throttle.ts';
import type { TrainingSites } from './trainingSites.ts';
import { setContext } from './workspaceRuns.ts';

const REFRESH_MS = 500;

export function trainableContext(sites: TrainingSites): vscode.Disposable {
  const store = new DisposableStore();
  const update = store.add(
    throttle(REFRESH_MS, () => {
      const document = vscode.window.activeTextEditor?.document;
      const script = document?.uri.scheme === 'file' && languages.some((l) => l === document.languageId);
      setContext(contextKeys.trainable, script && sites.calls(document).length > 0);
    }),
  );
  store.add(vscode.window.onDidChangeActiveTextEditor(update));
  store.add(
    vscode.workspace.onDidChangeTextDocument(({ document }) => {
      if (document === vscode.window.activeTextEditor?.document) update();
    }),
  );
  update();
  return store;
}
