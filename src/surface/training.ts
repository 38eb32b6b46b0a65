/** Trains a file as a task, so that its output stands in a terminal and it stops as every task does. */
import path from 'node:path';
import * as vscode from 'vscode';
import { lineOf, type ScriptArguments } from './scriptArguments.ts';
import { BasinError } from '../protocol/errors.ts';
import { activePython } from './activePython.ts';
import { setting } from './configuration.ts';
import { folderOf } from './folderOf.ts';
import { openHookedTerminal } from './hookedTerminal.ts';
import { TASK_TYPE } from './ids.ts';
import { trainCommand } from './trainCommand.ts';
import { requireTrust } from './trust.ts';

interface TrainDefinition extends vscode.TaskDefinition {
  readonly script: string;
  readonly args?: readonly string[];
}

export class Training implements vscode.TaskProvider {
  /** @param cli dist/cli.cjs */
  constructor(
    private readonly cli: string,
    private readonly log: vscode.LogOutputChannel,
    private readonly remembered: ScriptArguments,
  ) {}

  /** What a script was started with the last time. */
  argumentsOf(file: vscode.Uri): readonly string[] {
    return this.remembered.of(file);
  }

  /**
   * Saves and trains the file.
   * @param words arguments of the script, remembered for it; what is remembered when absent
   * @throws BasinError `not-allowed`, `bad-input` outside of a workspace folder, or what {@link trainCommand} throws
   */
  async train(file: vscode.Uri, words?: readonly string[]): Promise<vscode.TaskExecution> {
    requireTrust();
    const folder = folderOf(file);
    const document = vscode.workspace.textDocuments.find((d) => d.uri.toString() === file.toString());
    if (document?.isDirty && !(await document.save())) {
      throw new BasinError('bad-input', vscode.l10n.t('{0} could not be saved.', path.basename(file.path)));
    }
    const script = path.relative(folder.uri.fsPath, file.fsPath);
    if (words !== undefined) await this.remembered.remember(file, words);
    const args = this.remembered.of(file);
    const task = await this.#task(
      { type: TASK_TYPE, script, ...(args.length === 0 ? {} : { args }) },
      folder,
    );
    return vscode.tasks.executeTask(task);
  }

  /** A terminal whose trainings are recorded. @throws BasinError as {@link openHookedTerminal} does */
  hookTerminal(): Promise<vscode.Terminal> {
    return openHookedTerminal(this.cli);
  }

  /** None of its own: a task for every script would be a long list. Those in tasks.json are resolved. */
  provideTasks(): vscode.Task[] {
    return [];
  }

  async resolveTask(task: vscode.Task): Promise<vscode.Task | undefined> {
    const definition = task.definition as Partial<TrainDefinition> & vscode.TaskDefinition;
    const scope = task.scope;
    if (typeof definition.script !== 'string' || typeof scope !== 'object') return undefined;
    return this.#task(definition as TrainDefinition, scope);
  }

  async #task(definition: TrainDefinition, folder: vscode.WorkspaceFolder): Promise<vscode.Task> {
    const script = path.resolve(folder.uri.fsPath, definition.script);
    const command = await trainCommand({
      script,
      scriptArguments: definition.args ?? [],
      root: folder.uri.fsPath,
      nodePath: setting('nodePath', folder.uri),
      pythonPath: setting('pythonPath', folder.uri),
      activePython: await activePython(script),
      cli: this.cli,
      snapshotEvery: setting('snapshotEvery', folder.uri),
      holdSeconds: setting('hold', folder.uri),
      liveBudget: setting('liveBudget', folder.uri),
    });
    this.log.info(`${definition.script} is run by ${command.interpreter}`);
    const task = new vscode.Task(
      definition,
      folder,
      vscode.l10n.t(
        'Train {0}',
        [path.basename(definition.script), lineOf(definition.args ?? [])].join(' ').trim(),
      ),
      'Basin',
      new vscode.ProcessExecution(command.program, [...command.arguments], {
        cwd: command.cwd,
        env: { ...command.env },
      }),
    );
    task.presentationOptions = {
      reveal: vscode.TaskRevealKind.Always,
      focus: false,
      panel: vscode.TaskPanelKind.Dedicated,
      clear: true,
      showReuseMessage: false,
    };
    return task;
  }
}
