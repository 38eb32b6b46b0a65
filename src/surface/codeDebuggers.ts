/** A script under a code debugger beside Basin's: what starts it, as a session below Basin's own. */
import * as vscode from 'vscode';
import { configurationOf, type StartUnder } from './codeDebuggerConfiguration.ts';
import { DEBUG_TYPE } from './ids.ts';

/** Extensions that bring the debug type of Python, the present one and the one before. */
const PYTHON_DEBUGGERS = ['ms-python.debugpy', 'ms-python.python'];

/** Answers the adapter's wish for a code debugger; the adapter is told when that session has ended, or could not start. */
export class CodeDebuggers implements vscode.Disposable {
  readonly #subscription = vscode.debug.onDidReceiveDebugSessionCustomEvent(({ session, event, body }) => {
    if (session.type === DEBUG_TYPE && event === 'basin.startUnder')
      void this.#start(session, body as StartUnder);
  });

  async #start(parent: vscode.DebugSession, request: StartUnder): Promise<void> {
    const tell = (args: object): void =>
      void parent.customRequest('basin.underEnded', args).then(undefined, ignore);
    const missing = lacks(request.under);
    if (missing !== null) return tell({ error: missing });
    const name = `${parent.name} (${request.under})`;
    const child = new Promise<vscode.DebugSession>((resolve) => {
      const started = vscode.debug.onDidStartDebugSession((session) => {
        if (session.parentSession?.id !== parent.id) return;
        started.dispose();
        resolve(session);
      });
    });
    const ended = vscode.debug.onDidTerminateDebugSession(async (session) => {
      if (session.id !== (await child).id) return;
      ended.dispose();
      tell({});
    });
    const failed = (why: string): void => {
      ended.dispose();
      tell({ error: why });
    };
    try {
      const options = { parentSession: parent, lifecycleManagedByParent: true };
      const started = await vscode.debug.startDebugging(
        parent.workspaceFolder,
        configurationOf(request, name),
        options,
      );
      if (!started) failed(vscode.l10n.t('The {0} debugger did not start the script.', request.under));
    } catch (error) {
      failed(error instanceof Error ? error.message : String(error));
    }
  }

  dispose(): void {
    this.#subscription.dispose();
  }
}

function lacks(under: StartUnder['under']): string | null {
  const there =
    under === 'node' || PYTHON_DEBUGGERS.some((id) => vscode.extensions.getExtension(id) !== undefined);
  if (there) return null;
  return vscode.l10n.t(
    'No Python debugger is installed. Install the extension Python Debugger (ms-python.debugpy), or leave "under" out.',
  );
}

const ignore = (): void => undefined;
