/** A terminal in which every training that is started is recorded, by the environment that `basin hook` prints. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import * as v from 'valibot';
import * as vscode from 'vscode';
import { BasinError } from '../protocol/errors.ts';
import { HOOK_VARIABLE } from '../protocol/launch.ts';
import { setting } from './configuration.ts';
import { recordingArguments } from './trainCommand.ts';
import { requireTrust } from './trust.ts';

const answerSchema = v.object({ environment: v.record(v.string(), v.string()) });

/**
 * Opens it in a folder of the workspace, where the active terminal stands if that says so.
 * @param cli dist/cli.cjs
 * @throws BasinError `not-allowed` without trust, `bad-input` without a folder
 */
export async function openHookedTerminal(cli: string): Promise<vscode.Terminal> {
  requireTrust();
  const folder = await pickFolder();
  const recording = recordingArguments({
    snapshotEvery: setting('snapshotEvery', folder.uri),
    holdSeconds: setting('hold', folder.uri),
    liveBudget: setting('liveBudget', folder.uri),
  });
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [cli, 'hook', '--json', '--root', folder.uri.fsPath, ...recording],
    { env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' } },
  );
  const { environment } = v.parse(answerSchema, JSON.parse(stdout));
  const here = vscode.window.activeTerminal?.shellIntegration?.cwd;
  const terminal = vscode.window.createTerminal({
    name: vscode.l10n.t('Basin: {0}', folder.name),
    iconPath: new vscode.ThemeIcon('beaker'),
    cwd: here !== undefined && vscode.workspace.getWorkspaceFolder(here) === folder ? here : folder.uri,
    env: environment,
    message: vscode.l10n.t(
      'Trainings that are started in this terminal are recorded by Basin. To end that, unset {0} or close the terminal.',
      HOOK_VARIABLE,
    ),
  });
  terminal.show();
  return terminal;
}

async function pickFolder(): Promise<vscode.WorkspaceFolder> {
  const folders = (vscode.workspace.workspaceFolders ?? []).filter((f) => f.uri.scheme === 'file');
  const [first] = folders;
  if (first === undefined) {
    throw new BasinError(
      'bad-input',
      vscode.l10n.t('No folder is open.'),
      vscode.l10n.t('Open the folder of the training scripts: runs are kept in it.'),
    );
  }
  if (folders.length === 1) return first;
  const picked = await vscode.window.showWorkspaceFolderPick();
  if (picked === undefined) throw new BasinError('cancelled', 'Cancelled.');
  return picked;
}
