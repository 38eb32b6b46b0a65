/** A script under a code debugger beside Basin's: what starts it, as a session below Basin's own. */
import * as vscode from 'vscode';
import { configurationOf, type StartUnder } from './codeDebuggerConfiguration.ts';
import { DEBUG_TYPE } from './ids.ts';

/** Extensions that bring the debug type of Python, the present one and the one before. */
const PYTHON_DEBUGGERS = ['ms-python.debugpy', 'ms-python.python'];

/** A code debugger's session that was asked for by one of Basin's. */
interface Under {
  readonly session: Promise<vscode.DebugSession>;
  /** Basin's has met the script: whether that goes on is its affair, not that of its code debugger. */
  trains: boolean;
}

/** Answers the adapter's wish for a code debugger; the adapter is told when that session has ended, or could not start. */
export class CodeDebuggers implements vscode.Disposable {
  readonly #under = new Map</* id of Basin's session */ string, Under>();
  readonly #subscriptions = [
    vscode.debug.onDidReceiveDebugSessionCustomEvent(({ session, event, body }) => {
      if (session.type !== DEBUG_TYPE) return;
      if (event === 'basin.startUnder') void this.#start(session, body as StartUnder);
      const under = this.#under.get(session.id);
      if (event === 'basin.run' && under !== undefined) under.trains = true;
      if (event === 'basin.endUnder') this.#end(session);
    }),
    // Its adapter may have been killed and have said nothing.
    vscode.debug.onDidTerminateDebugSession((session) => {
      if (this.#under.get(session.id)?.trains === false) this.#end(session);
      this.#under.delete(session.id);
    }),
  ];

  /** Ends a code debugger's session with its script, as soon as it has begun. */
  #end(parent: vscode.DebugSession): void {
    const under = this.#under.get(parent.id);
    this.#under.delete(parent.id);
    // To stop a session whose life its parent manages is to stop the parent: this one is told itself.
    void under?.session
      .then((session) => session.customRequest('disconnect', { terminateDebuggee: true }))
      .then(undefined, ignore);
  }

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
    this.#under.set(parent.id, { session: child, trains: false });
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
    for (const one of this.#subscriptions) one.dispose();
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
