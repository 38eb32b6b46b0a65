/** What a panel takes is given back when it closes, hides, and when its run is deleted under it: watches of files are counted. */
import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { Run } from '../../src/runs/run.ts';
import { RunStore } from '../../src/runs/runStore.ts';
import { makeFinishedRun } from '../fixtures/runs.ts';
import { tabs, watches } from './taken.ts';
import { until } from './until.ts';

describe('closing and deleting', function () {
  this.timeout(120_000);
  let run: Run;

  before(async function () {
    // The kernel tells of them there alone.
    if (process.platform !== 'linux') this.skip();
    const [folder] = vscode.workspace.workspaceFolders ?? [];
    assert.ok(folder, 'no folder is open');
    await vscode.extensions.getExtension('basin.basin')?.activate();
    run = await makeFinishedRun(new RunStore(folder.uri.fsPath), 5, { name: 'leaks' });
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
    await vscode.commands.executeCommand('basin.refresh');
    // Once before anything is counted: the list of runs, which is new here, is watched for good from its next look on.
    await open(watches());
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
    await until('the panel to be gone', 30, () => tabs().length === 0);
    let [last, same] = [watches(), 0];
    await until('the watches to settle', 60, () => {
      const now = watches();
      same = now === last ? same + 1 : 0;
      last = now;
      return same >= 30;
    });
  });
  after(async () => {
    await (run as Run | undefined)?.delete();
    await vscode.commands.executeCommand('basin.refresh');
  });

  /** The panel follows its run: what it watches is more than before. */
  async function open(before: number): Promise<void> {
    await vscode.commands.executeCommand('basin.openRun', run.directory);
    await until('the panel', 30, () => tabs().length === 1);
    await until('the panel to follow its run', 30, () => watches() > before);
  }

  it('gives back what a panel watched, as often as it is opened and closed', async () => {
    const before = watches();
    for (let times = 0; times < 4; times++) {
      await open(before);
      await vscode.commands.executeCommand('workbench.action.closeAllEditors');
      await until('the panel to be gone', 30, () => tabs().length === 0);
      await until('its watches to be given back', 30, () => watches() === before);
    }
  });

  it('does not add up while a panel hides and shows again', async () => {
    const before = watches();
    await open(before);
    const shown = watches();
    for (let times = 0; times < 3; times++) {
      await vscode.commands.executeCommand('workbench.action.files.newUntitledFile');
      await until('the hidden panel to watch nothing', 30, () => watches() === before);
      await vscode.commands.executeCommand('basin.openRun', run.directory);
      await until('the panel to follow again', 30, () => watches() === shown);
    }
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
    await until('its watches to be given back', 30, () => watches() === before);
  });

  it('closes the panel of a run that is deleted under it, and its watches', async () => {
    const before = watches();
    await open(before);
    await run.delete();
    await until('the panel to close', 30, () => tabs().length === 0);
    await until('its watches to be given back', 30, () => watches() === before);
  });
});
