/** Runs that stand in the debugger: every question that is asked in the editor is about the weights that stand, and Pause and Continue reach the session of their run. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as vscode from 'vscode';
import type { JobResult } from '../../src/protocol/engine.ts';
import { knownNumber } from '../../src/protocol/run.ts';
import type { Run } from '../../src/runs/run.ts';
import { RunStore } from '../../src/runs/runStore.ts';
import type { BasinApi } from '../../src/surface/api.ts';
import { until } from './until.ts';

interface Debugged {
  readonly run: Run;
  readonly session: vscode.DebugSession;
}

describe('a run that stands in the debugger', function () {
  this.timeout(240_000);
  let folder: vscode.WorkspaceFolder;
  let store: RunStore;
  let script: vscode.Uri;
  let api: BasinApi;
  const runs: Run[] = [];

  before(async () => {
    const [first] = vscode.workspace.workspaceFolders ?? [];
    assert.ok(first, 'no folder is open');
    folder = first;
    store = new RunStore(folder.uri.fsPath);
    const found = await vscode.extensions.getExtension<BasinApi>('basin.basin')?.activate();
    assert.ok(found);
    api = found;
    script = vscode.Uri.joinPath(folder.uri, 'standing.mjs');
    const source = readFileSync(path.join(folder.uri.fsPath, 'train.mjs'), 'utf8');
    writeFileSync(script.fsPath, source.replace('epochs = 10', 'epochs = 400'));
  });
  afterEach(async () => {
    await vscode.debug.stopDebugging();
    await until('the sessions to end', 30, () => vscode.debug.activeDebugSession === undefined);
    for (const run of runs.splice(0)) {
      await until('the run to be over', 60, async () => (await run.readUnfinished()) === null);
      await run.delete();
    }
    await vscode.commands.executeCommand('basin.refresh');
  });
  after(async () => {
    rmSync(script.fsPath, { force: true });
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
  });

  const stateOf = async (run: Run): Promise<string> => (await run.readManifest()).state;
  const paused = (run: Run): Promise<unknown> =>
    until('the stop', 90, async () => (await stateOf(run)) === 'paused');

  /** Launches the script, to where its configuration has it stop. */
  async function debug(name: string, more: object): Promise<Debugged> {
    const known = new Set((await store.list()).map(({ id }) => id));
    const begun = new Promise<vscode.DebugSession>((resolve) => {
      const started = vscode.debug.onDidStartDebugSession((session) => {
        if (session.name !== name) return;
        started.dispose();
        resolve(session);
      });
    });
    const configuration = { type: 'basin', request: 'launch', name, program: script.fsPath, ...more };
    assert.ok(await vscode.debug.startDebugging(folder, configuration));
    const entry = await until('its run', 90, async () =>
      (await store.list()).find(({ id }) => !known.has(id)),
    );
    runs.push(entry.run);
    await paused(entry.run);
    await vscode.commands.executeCommand('basin.refresh');
    return { run: entry.run, session: await begun };
  }
  const evaluate = async ({ session }: Debugged, expression: string): Promise<string> =>
    ((await session.customRequest('evaluate', { expression, context: 'repl' })) as { result: string }).result;
  const ask = async (command: string, { run }: Debugged): Promise<JobResult> => {
    const result = await vscode.commands.executeCommand<JobResult | undefined>(command, run.directory);
    assert.ok(result, `${command} gave nothing`);
    return result;
  };

  /** The console shows six digits. */
  const close = (found: number | null, expected: number): void =>
    assert.ok(Math.abs((found ?? NaN) - expected) < 1e-4 * expected, `${found} where ${expected} stands`);

  it('is asked at its very weights by commands, panel and side bar, also after going back', async () => {
    // Of the steps where it stands there is no snapshot otherwise.
    const here = await debug('standing', { breakpoints: ['step == 7'], snapshotEvery: 3 });
    assert.equal(await evaluate(here, 'step'), '7');
    const said: string[] = [];
    const heard = api.onDidHearOfJob(({ running }) => said.push(running.progress.message));
    const lossThere = async (split: string): Promise<number> =>
      Number((await evaluate(here, `loss("${split}")`)).split(' ')[0]);

    const sharpness = await ask('basin.sharpness', here);
    assert.ok(
      sharpness.kind === 'sharpness' && sharpness.at === '7',
      JSON.stringify(sharpness).slice(0, 200),
    );
    assert.ok(
      said.some((text) => /stand.*step 7/.test(text)),
      said.join('\n'),
    );
    const contour = await ask('basin.showContour', here);
    assert.ok(contour.kind === 'contour' && contour.at === '7');
    assert.equal(contour.trajectory.at(-1)?.step, 7);
    close(knownNumber(contour.centre.loss), await lossThere(contour.data.split));

    await here.session.customRequest('next', { threadId: 1 });
    await until('step 8', 30, async () => /^7$/.test(await evaluate(here, 'step').catch(() => '')));
    await here.session.customRequest('stepBack', { threadId: 1 });
    await until('the weights of the start', 30, async () =>
      /those of step/.test(JSON.stringify(await variables(here, 'Step'))),
    );
    const score = await ask('basin.sharpness', here);
    assert.ok(
      score.kind === 'sharpness' && score.at === '7',
      'the weights are known by the step that they are of',
    );
    const afterBack = await ask('basin.showContour', here);
    assert.ok(afterBack.kind === 'contour' && afterBack.at === '7');
    close(knownNumber(afterBack.centre.loss), await lossThere(afterBack.data.split));
    heard.dispose();
  });

  async function variables({ session }: Debugged, scope: string): Promise<unknown> {
    type Named = { name: string; variablesReference: number };
    const { scopes } = (await session.customRequest('scopes', { frameId: 1 })) as { scopes: Named[] };
    const { variablesReference = 0 } = scopes.find((one) => one.name === scope) ?? {};
    return session.customRequest('variables', { variablesReference });
  }

  it('is paused and continued in its own session, whichever is the active one', async () => {
    const one = await debug('one', { stopOnEntry: true });
    const other = await debug('other', { stopOnEntry: true });
    const state = (which: Debugged, expected: string): Promise<unknown> =>
      until(
        `${which.session.name} to be ${expected}`,
        60,
        async () => (await stateOf(which.run)) === expected,
      );
    let begun = 0;
    const started = vscode.debug.onDidStartDebugSession(() => begun++);
    for (const [moved, stays] of [
      [one, other],
      [other, one],
    ] as const) {
      await vscode.commands.executeCommand('basin.continue', moved.run.directory);
      await state(moved, 'training');
      assert.equal(await stateOf(stays.run), 'paused');
      await vscode.commands.executeCommand('basin.pause', moved.run.directory);
      await state(moved, 'paused');
    }
    assert.equal(begun, 0, 'no session was begun for them');
    started.dispose();
  });
});
