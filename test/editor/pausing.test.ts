/** Pausing and continuing a run that trains in a task, from its lens: the debugger stands still in it, and lets it go on. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as vscode from 'vscode';
import type { Run } from '../../src/runs/run.ts';
import { RunStore } from '../../src/runs/runStore.ts';
import { until } from './until.ts';

describe('pausing a run that trains', function () {
  this.timeout(240_000);
  let script: vscode.Uri;
  let store: RunStore;
  let run: Run;

  before(async () => {
    const [folder] = vscode.workspace.workspaceFolders ?? [];
    assert.ok(folder, 'no folder is open');
    await vscode.extensions.getExtension('basin.basin')?.activate();
    store = new RunStore(folder.uri.fsPath);
    script = vscode.Uri.joinPath(folder.uri, 'long.mjs');
    const source = readFileSync(path.join(folder.uri.fsPath, 'train.mjs'), 'utf8');
    const long = source.replace('epochs = 10', 'epochs = 400');
    assert.notEqual(long, source);
    writeFileSync(script.fsPath, long);
    await vscode.window.showTextDocument(script);
    await vscode.commands.executeCommand('basin.train', script);
    const entry = await until('a step', 90, async () =>
      (await store.list()).find(({ manifest }) => (manifest?.recording.steps ?? 0) > 0),
    );
    run = entry.run;
  });
  after(async () => {
    if (!(run as Run | undefined)) return;
    await vscode.debug.stopDebugging();
    for (const { task, terminate } of vscode.tasks.taskExecutions.map((task) => ({
      task,
      terminate: () => task.terminate(),
    })))
      if (task.task.definition.type === 'basin') terminate();
    await until('the task to end', 60, () => vscode.tasks.taskExecutions.length === 0);
    await until('the run to be over', 60, async () => (await run.readUnfinished()) === null);
    await run.delete();
    rmSync(script.fsPath, { force: true });
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
    await vscode.commands.executeCommand('basin.refresh');
  });

  const state = async (): Promise<string> => (await run.readManifest()).state;
  /** The lens above the call with this icon, once it is there. */
  const lens = (icon: string): Promise<vscode.CodeLens> =>
    until(`the lens ${icon}`, 60, async () => {
      const all = await vscode.commands.executeCommand<vscode.CodeLens[]>(
        'vscode.executeCodeLensProvider',
        script,
      );
      return all.find(({ command }) => command?.title.startsWith(`$(${icon})`));
    });
  const press = async ({ command }: vscode.CodeLens): Promise<unknown> => {
    assert.ok(command);
    return vscode.commands.executeCommand(command.command, ...((command.arguments ?? []) as unknown[]));
  };
  const steps = async (): Promise<number> => (await run.readLastStep())?.step ?? -1;

  it('stands still by its lens, and goes on by it, twice in one session', async () => {
    for (let times = 0; times < 2; times++) {
      await press(await lens('debug-pause'));
      await until('the pause', 60, async () => (await state()) === 'paused');
      const sessions = vscode.debug.activeDebugSession;
      assert.equal(sessions?.type, 'basin');
      const at = await steps();
      await press(await lens('debug-continue'));
      await until('training', 60, async () => (await state()) === 'training');
      await until('further steps', 60, async () => (await steps()) > at);
      assert.equal(vscode.debug.activeDebugSession?.id, sessions.id, 'one session serves both');
    }
  });

  it('is told which run stands nowhere here', async () => {
    await vscode.debug.stopDebugging();
    await until('the session to end', 30, () => vscode.debug.activeDebugSession === undefined);
    // Let go, it trains on; continuing what does not stand here is said, and throws nothing.
    await until('training', 60, async () => (await state()) === 'training');
    assert.equal(await vscode.commands.executeCommand('basin.continue', run.id), undefined);
  });
});
