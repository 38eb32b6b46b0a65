/** The workspace folder in which runs of a file are kept. */
import path from 'node:path';
import * as vscode from 'vscode';
import { BasinError } from '../protocol/errors.ts';

/** The name of a run's folder, where there are several in the workspace; null where it would say nothing. */
export function folderName({ folder }: { readonly folder: vscode.WorkspaceFolder }): string | null {
  return (vscode.workspace.workspaceFolders?.length ?? 0) > 1 ? folder.name : null;
}

/** @throws BasinError `bad-input` for a file that is in none, or not on a disk */
export function folderOf(file: vscode.Uri): vscode.WorkspaceFolder {
  const folder = vscode.workspace.getWorkspaceFolder(file);
  if (file.scheme === 'file' && folder !== undefined) return folder;
  throw new BasinError(
    'bad-input',
    vscode.l10n.t(
      '{0} is not in a folder of this workspace, where Basin keeps runs.',
      path.basename(file.path),
    ),
    vscode.l10n.t('Open its folder (File: Open Folder), then train it.'),
  );
}
