/** Training in VS Code's own debugger: configurations, and the adapter as a process beside the editor. */
import path from 'node:path';
import * as vscode from 'vscode';
import { BasinError } from '../protocol/errors.ts';
import { moduleFile, scriptCommand } from '../runs/scriptCommand.ts';
import { activePython } from './activePython.ts';
import { setting } from './configuration.ts';
import type { DebugSessions } from './debugSessions.ts';
import { folderOf } from './folderOf.ts';
import { DEBUG_TYPE } from './ids.ts';
import { requireTrust } from './trust.ts';
import type { KnownRun } from './workspaceRuns.ts';

/** What the adapter says of an analysis that was asked for in the debug console. */
export interface ResultOfConsole {
  readonly directory: string;
  readonly kind: string;
}

/** The only one that the adapter has. */
const THREAD = 1;

const TRAINS = /\.(?:py|[cm]?[jt]s)$/;

export class Debugging
  implements vscode.DebugConfigurationProvider, vscode.DebugAdapterDescriptorFactory, vscode.Disposable
{
  readonly #subscriptions: vscode.Disposable[];

  /**
   * @param adapter dist/debugAdapter.cjs
   * @param show opens the lens of a result
   */
  constructor(
    private readonly adapter: string,
    private readonly sessions: DebugSessions,
    show: (result: ResultOfConsole) => void,
  ) {
    this.#subscriptions = [
      vscode.debug.registerDebugConfigurationProvider(DEBUG_TYPE, this),
      vscode.debug.registerDebugAdapterDescriptorFactory(DEBUG_TYPE, this),
      vscode.debug.onDidReceiveDebugSessionCustomEvent(({ session, event, body }) => {
        if (session.type === DEBUG_TYPE && event === 'basin.result') show(body as ResultOfConsole);
      }),
    ];
  }

  /**
   * Trains the file under the debugger; it stands before the first update.
   * @throws BasinError `not-allowed`, `bad-input`
   */
  async debug(file: vscode.Uri): Promise<void> {
    requireTrust();
    await vscode.debug.startDebugging(folderOf(file), this.#ofFile(file.fsPath));
  }

  /** Has a run that trains stand still before its next update: by its debug session, or one that is begun for it. */
  async pause(run: KnownRun): Promise<void> {
    requireTrust();
    const session = this.sessions.of(run);
    if (session !== undefined) {
      await session.customRequest('pause', { threadId: THREAD });
      return;
    }
    await vscode.debug.startDebugging(run.folder, {
      type: DEBUG_TYPE,
      request: 'attach',
      name: vscode.l10n.t('Training of {0}', run.manifest?.name ?? run.id),
      run: run.id,
      root: run.folder.uri.fsPath,
    });
  }

  /** Whether a session of this window is about the run. */
  debugs(run: KnownRun): boolean {
    return this.sessions.of(run) !== undefined;
  }

  /** Lets it train on. @throws BasinError `not-found` where it stands in nobody's session here */
  async continue(run: KnownRun): Promise<void> {
    const session = this.sessions.of(run);
    if (session === undefined)
      throw new BasinError(
        'not-found',
        vscode.l10n.t('{0} stands in no debug session of this window.', run.manifest?.name ?? run.id),
        vscode.l10n.t('Let it go on where it was stopped.'),
      );
    await session.customRequest('continue', { threadId: THREAD });
  }

  /**
   * Has the process that stands in the active session go on in a run of its own; what it says is in the debug console.
   * @throws BasinError `not-found` without such a session
   */
  async trainOn(): Promise<void> {
    const session = vscode.debug.activeDebugSession;
    if (session?.type !== DEBUG_TYPE)
      throw new BasinError(
        'not-found',
        vscode.l10n.t('No training is being debugged.'),
        vscode.l10n.t('Debug a training script and stop it first.'),
      );
    await session.customRequest('basin.trainOn');
  }

  provideDebugConfigurations(): vscode.DebugConfiguration[] {
    return [this.#ofFile('${file}')];
  }

  /** F5 without a launch.json: the file that is open. */
  resolveDebugConfiguration(
    _folder: vscode.WorkspaceFolder | undefined,
    configuration: vscode.DebugConfiguration,
  ): vscode.DebugConfiguration | undefined {
    // Empty where there is no launch.json.
    if ((configuration.request as string | undefined) !== undefined) return configuration;
    const document = vscode.window.activeTextEditor?.document;
    if (document === undefined || !TRAINS.test(document.uri.fsPath)) {
      void vscode.window.showErrorMessage(
        vscode.l10n.t('Open a training script (Python, JavaScript or TypeScript) first.'),
      );
      return undefined;
    }
    return this.#ofFile(document.uri.fsPath);
  }

  async resolveDebugConfigurationWithSubstitutedVariables(
    folder: vscode.WorkspaceFolder | undefined,
    configuration: vscode.DebugConfiguration,
  ): Promise<vscode.DebugConfiguration | undefined> {
    requireTrust();
    const program = typeof configuration.program === 'string' ? configuration.program : undefined;
    const root =
      (program === undefined ? undefined : vscode.workspace.getWorkspaceFolder(vscode.Uri.file(program)))
        ?.uri ?? folder?.uri;
    const resolved: vscode.DebugConfiguration = { ...configuration };
    if (root !== undefined) resolved.root ??= root.fsPath;
    if (configuration.request !== 'launch') return resolved;
    resolved.liveBudget ??= setting('liveBudget', root);
    const every = setting('snapshotEvery', root);
    if (every > 0) resolved.snapshotEvery ??= every;
    const script = program ?? this.#fileOf(resolved);
    if (script !== undefined && resolved.runtime === undefined) {
      const { run, cwd } = await scriptCommand({
        script,
        scriptArguments: [],
        root: String(resolved.root ?? path.dirname(script)),
        nodePath: setting('nodePath', root),
        pythonPath: setting('pythonPath', root),
        activePython: await activePython(script),
      });
      resolved.runtime = run[0];
      resolved.cwd ??= cwd;
    }
    return resolved;
  }

  createDebugAdapterDescriptor(): vscode.DebugAdapterDescriptor {
    // The editor's own Node: people who train in Python need not have another one.
    return new vscode.DebugAdapterExecutable(process.execPath, [this.adapter], {
      env: { ...(process.env as Record<string, string>), ELECTRON_RUN_AS_NODE: '1' },
    });
  }

  /** Of a module, the file that its interpreter is found by. */
  #fileOf({ module, root }: vscode.DebugConfiguration): string | undefined {
    return typeof module === 'string' && typeof root === 'string' ? moduleFile(root, module) : undefined;
  }

  #ofFile(program: string): vscode.DebugConfiguration {
    return {
      type: DEBUG_TYPE,
      request: 'launch',
      name: vscode.l10n.t('Debug Training'),
      program,
      stopOnEntry: true,
    };
  }

  dispose(): void {
    for (const one of this.#subscriptions) one.dispose();
  }
}
