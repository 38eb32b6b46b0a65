import * as vscode from 'vscode';
import { BasinError } from '../protocol/errors.ts';

/**
 * Refuses what runs code of the workspace while it is not trusted. The manifest disables the commands too; this holds
 * for whoever calls them by other ways.
 * @throws BasinError `not-allowed`
 */
export function requireTrust(isTrusted: boolean = vscode.workspace.isTrusted): void {
  if (isTrusted) return;
  throw new BasinError(
    'not-allowed',
    vscode.l10n.t('This runs code of the workspace, which is not trusted.'),
    vscode.l10n.t('Trust the workspace first (Workspaces: Manage Workspace Trust).'),
  );
}
