/** A script under a code debugger beside Basin's: what starts it, as a session below Basin's own. */
import * as vscode from 'vscode';
import { DEBUG_TYPE } from './ids.ts';

/** What Basin's adapter asks for. */
export interface StartUnder {
  readonly under: 'node' | 'debugpy';
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

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

/** The same command line in the words of the code debugger: `[interpreter, …its options, script or -m module, …arguments]`. */
export function configurationOf(
  { under, command, cwd, env }: StartUnder,
  name: string,
): vscode.DebugConfiguration {
  const [interpreter = '', ...words] = command;
  const shared = { request: 'launch', name, cwd, env, console: 'internalConsole' } as const;
  const module = words.indexOf('-m');
  const script = words.findIndex((word) => /\.(?:py|[cm]?[jt]s)$/.test(word));
  if (under === 'debugpy' && module >= 0 && (script < 0 || module < script)) {
    return {
      ...shared,
      type: 'debugpy',
      python: [interpreter],
      pythonArgs: words.slice(0, module),
      module: words[module + 1],
      args: words.slice(module + 2),
    };
  }
  const [before, program, args] = [words.slice(0, script), words[script], words.slice(script + 1)];
  return under === 'debugpy'
    ? { ...shared, type: 'debugpy', python: [interpreter], pythonArgs: before, program, args }
    : {
        ...shared,
        type: 'node',
        runtimeExecutable: interpreter,
        runtimeArgs: before,
        program,
        args,
        outputCapture: 'std',
      };
}

const ignore = (): void => undefined;
