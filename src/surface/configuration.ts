import * as vscode from 'vscode';
import { settings, type SettingTypes } from './ids.ts';

/** A setting's value where it applies. */
export function setting<K extends keyof SettingTypes>(name: K, scope?: vscode.Uri): SettingTypes[K] {
  // The default stands in package.json, which a unit test holds against ids.ts.
  return vscode.workspace.getConfiguration(undefined, scope ?? null).get(settings[name]) as SettingTypes[K];
}

/** Calls back when one of the named settings changes. */
export function onSetting(names: readonly (keyof SettingTypes)[], changed: () => void): vscode.Disposable {
  return vscode.workspace.onDidChangeConfiguration((event) => {
    if (names.some((name) => event.affectsConfiguration(settings[name]))) changed();
  });
}
