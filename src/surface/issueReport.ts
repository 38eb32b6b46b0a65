/** What a report of a problem begins with: versions and settings, and nothing of the user's own. */
import os from 'node:os';
import * as vscode from 'vscode';
import type { RunManifest } from '../protocol/run.ts';
import { settings } from './ids.ts';

/** Settings whose values are paths of the user's machine: only whether they are set is told. */
const PRIVATE: ReadonlySet<string> = new Set([settings.nodePath, settings.pythonPath]);

/**
 * Markdown with room for what happened. Of runs it tells frameworks and versions: no name, path, argument or number.
 * @param runs newest first
 */
export function issueReport(basin: string, runs: readonly RunManifest[]): string {
  const versions = new Set(
    runs
      .slice(0, 20)
      .map(({ framework, versions: of }) =>
        [
          framework ?? 'unknown framework',
          ...Object.entries(of).map(([name, version]) => `${name} ${version}`),
        ].join(', '),
      ),
  );
  // The rows are English: they are for those who mend Basin.
  const rows: (readonly [string, string])[] = [
    ['Basin', basin],
    ['VS Code', `${vscode.version}, ${vscode.env.uiKind === vscode.UIKind.Web ? 'web' : 'desktop'}`],
    ['Extension host', vscode.env.remoteName ?? 'local'],
    ['Node of the extension host', process.versions.node],
    ['System', `${os.platform()} ${os.arch()}, ${os.availableParallelism()} cores`],
    ['Language', vscode.env.language],
    ['Workspace trusted', vscode.workspace.isTrusted ? 'yes' : 'no'],
    ['Workspace folders', String(vscode.workspace.workspaceFolders?.length ?? 0)],
    ['Recorded with', versions.size === 0 ? 'no runs' : [...versions].join('; ')],
    ['Settings', changedSettings()],
  ];
  return [
    `## ${vscode.l10n.t('What happened')}`,
    '',
    '',
    `## ${vscode.l10n.t('What was expected')}`,
    '',
    '',
    `## ${vscode.l10n.t('Steps that lead there')}`,
    '',
    '1. ',
    '',
    `## ${vscode.l10n.t('Versions')}`,
    '',
    '| | |',
    '| --- | --- |',
    ...rows.map(([name, value]) => `| ${name} | ${value.replaceAll('|', '\\|')} |`),
    '',
  ].join('\n');
}

function changedSettings(): string {
  const configuration = vscode.workspace.getConfiguration();
  const changed = Object.values(settings).flatMap((id) => {
    const found = configuration.inspect(id);
    const value = configuration.get(id);
    if (value === found?.defaultValue) return [];
    return [`${id.replace('basin.', '')} ${PRIVATE.has(id) ? 'set' : JSON.stringify(value)}`];
  });
  return changed.length === 0 ? 'as they come' : changed.join(', ');
}
