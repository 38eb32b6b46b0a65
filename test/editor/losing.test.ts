/**
 * What is cancelled, deleted or killed in the middle: a plain sentence where the answer would stand, the next question is
 * answered, and what was taken has been given back: watches, listeners, processes, the engine's open files.
 */
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as vscode from 'vscode';
import type { Job } from '../../src/protocol/engine.ts';
import type { ErrorData } from '../../src/protocol/errors.ts';
import type { Run } from '../../src/runs/run.ts';
import { RunStore } from '../../src/runs/runStore.ts';
import type { BasinApi } from '../../src/surface/api.ts';
import { descriptors, engine, scripts, tabs, watches } from './taken.ts';
import { until } from './until.ts';

const SCRIPT = 'short.mjs';
/** More points than the test waits for. */
const LONG = 201;

describe('cancelling, deleting and losing', function () {
  this.timeout(180_000);
  let api: BasinApi;
  let folder: string;
  let store: RunStore;
  let run: Run;

  const training = (): number[] => scripts(path.join(folder, SCRIPT));
  const listeners = (): number => api.listeners();
  const configure = (name: string, value: unknown): Thenable<void> =>
    vscode.workspace.getConfiguration().update(name, value, vscode.ConfigurationTarget.Global);
  const closeAll = async (): Promise<void> => {
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
    await until('the panel to be gone', 30, () => tabs().length === 0);
  };

  /** Trains the sample for some epochs. @returns its run, once a step is recorded */
  async function train(epochs: number): Promise<Run> {
    const source = readFileSync(path.join(folder, 'train.mjs'), 'utf8');
    const short = source.replace('epochs = 10', `epochs = ${epochs}`);
    assert.notEqual(short, source);
    writeFileSync(path.join(folder, SCRIPT), short);
    const before = new Set((await store.list()).map(({ id }) => id));
    await vscode.commands.executeCommand('basin.train', vscode.Uri.file(path.join(folder, SCRIPT)));
    const entry = await until('a step', 90, async () =>
      (await store.list()).find(
        ({ id, manifest }) => !before.has(id) && (manifest?.recording.snapshots ?? 0) > 2,
      ),
    );
    return entry.run;
  }

  interface Asked {
    /** Settles with what the command gives. */
    readonly answer: Thenable<unknown>;
    /** Settles with what the panel is told. */
    readonly told: Promise<ErrorData | null>;
  }

  /** Asks for a long contour and waits until points of it are evaluated, or until the script is being started again. */
  async function ask(until: 'points' | 'start' = 'points', of = run): Promise<Asked> {
    let begun: () => void = () => undefined;
    const running = new Promise<void>((resolve) => (begun = resolve));
    const told = new Promise<ErrorData | null>((resolve) => {
      const subscription = api.onDidHearOfJob((event) => {
        const { directory, job, progress } = event.running;
        if (directory !== of.directory || job.kind !== ('contour' satisfies Job['kind'])) return;
        if (event.kind === 'done') {
          subscription.dispose();
          begun();
          resolve(event.error);
        } else if (until === 'start' ? /starting/.test(progress.message) : (progress.fraction ?? 0) > 0)
          begun();
      });
    });
    const answer = vscode.commands.executeCommand('basin.showContour', of.id);
    await running;
    return { answer, told };
  }

  before(async function () {
    if (process.platform !== 'linux') this.skip();
    const [first] = vscode.workspace.workspaceFolders ?? [];
    assert.ok(first, 'no folder is open');
    folder = first.uri.fsPath;
    store = new RunStore(folder);
    const extension = vscode.extensions.getExtension<BasinApi>('basin.basin');
    assert.ok(extension);
    api = await extension.activate();
    await configure('basin.relaunch', 'always');
    await configure('basin.contourSize', LONG);
    // The plane of a few snapshots is found at once.
    await configure('basin.snapshotEvery', 25);
    run = await train(1);
    await until('the end', 120, async () => (await run.readManifest()).state === 'finished');
    await until('the script to be gone', 30, () => training().length === 0);
    await vscode.commands.executeCommand('basin.refresh');
  });
  after(async () => {
    if (!(run as Run | undefined)) return;
    await closeAll();
    await configure('basin.contourSize', undefined);
    await configure('basin.snapshotEvery', undefined);
    for (const entry of await store.list()) await entry.run.delete();
    rmSync(path.join(folder, SCRIPT), { force: true });
    await vscode.commands.executeCommand('basin.refresh');
    await until('the tree to be empty', 30, async () => (await api.tree.getChildren())?.length === 0);
  });

  it('gives back what each of several cancelled analyses took', async () => {
    // One before anything is counted: the engine, its process for the run and the panel stay for the next question.
    await vscode.commands.executeCommand('basin.cancelJobs');
    const counted = async (): Promise<number[]> => {
      const { answer, told } = await ask();
      await vscode.commands.executeCommand('basin.cancelJobs');
      assert.equal(await answer, undefined);
      assert.equal((await told)?.code, 'cancelled');
      return [listeners(), training().length];
    };
    const first = await counted();
    const pid = engine();
    assert.ok(pid !== undefined);
    const [open, watched] = [descriptors(pid), watches()];
    assert.equal(first[1], 1, 'one process answers');
    for (let times = 0; times < 4; times++) {
      assert.deepEqual(await counted(), first);
      assert.equal(engine(), pid);
      await until('its files to be closed', 30, () => descriptors(pid) <= open && watches() === watched);
    }
  });

  it('says that the analysis process is gone, ends the script it had started, and answers again', async () => {
    const before = listeners();
    const { answer, told } = await ask();
    const lost = engine();
    assert.ok(lost !== undefined);
    process.kill(lost, 'SIGKILL');
    assert.equal(await answer, undefined);
    const error = await told;
    assert.equal(error?.code, 'process-ended');
    assert.equal(error.message, 'Basin’s analysis process ended (SIGKILL).');
    assert.match(error.cure ?? '', /^Ask again: it is started anew\./);
    await until('the script to end as well', 60, () => training().length === 0);
    assert.equal(engine(), undefined);
    assert.equal(listeners(), before);

    const again = await ask();
    assert.notEqual(engine(), lost);
    await vscode.commands.executeCommand('basin.cancelJobs');
    assert.equal(await again.answer, undefined);
    assert.equal(listeners(), before);
    assert.equal(training().length, 1);
  });

  /** Asks until the script is being started: the engine may not have seen yet that the one before is gone. */
  async function started(): Promise<Asked> {
    for (let times = 0; times < 5; times++) {
      const asked = await ask('start');
      let over = false;
      void asked.told.then(() => (over = true));
      await until('the script, or an answer', 60, () => over || training().length > 0);
      if (!over) return asked;
    }
    return assert.fail('the script was never started');
  }

  it('ends a script that was being started again when its question is cancelled, or its engine lost', async () => {
    const lose = async (how: () => unknown): Promise<ErrorData | null> => {
      const [old] = training();
      if (old !== undefined) process.kill(old, 'SIGKILL');
      await until('no script', 30, () => training().length === 0);
      const { answer, told } = await started();
      await how();
      assert.equal(await answer, undefined);
      await until('it to be gone', 60, () => training().length === 0);
      return told;
    };
    assert.equal((await lose(() => vscode.commands.executeCommand('basin.cancelJobs')))?.code, 'cancelled');
    const pid = engine();
    assert.ok(pid !== undefined);
    const killed = await lose(() => process.kill(pid, 'SIGKILL'));
    assert.equal(killed?.code, 'process-ended');
  });

  it('says that the training process is gone, and starts another for the next question', async () => {
    const before = listeners();
    const first = await ask();
    const pid = engine();
    const [lost] = training();
    assert.ok(pid !== undefined && lost !== undefined);
    const open = descriptors(pid);
    process.kill(lost, 'SIGKILL');
    assert.equal(await first.answer, undefined);
    const error = await first.told;
    assert.equal(error?.code, 'process-ended');
    assert.match(error.message, /^The training process ended/);
    assert.match(error.cure ?? '', /again/i);
    assert.equal(engine(), pid, 'the engine goes on');

    const again = await ask();
    assert.notDeepEqual(training(), [lost]);
    await vscode.commands.executeCommand('basin.cancelJobs');
    assert.equal(await again.answer, undefined);
    assert.equal(listeners(), before);
    await until('its files to be closed', 30, () => descriptors(pid) <= open);
  });

  it('says that a run which trains is not over, and lets it train; when its process is lost, the run says so', async () => {
    await closeAll();
    const before = listeners();
    const trained = await train(60);
    await vscode.commands.executeCommand('basin.refresh');
    assert.equal(await vscode.commands.executeCommand('basin.deleteRun', trained.id), undefined);
    assert.equal((await trained.readManifest()).state, 'training');
    const { answer, told } = await ask('points', trained);
    const { process: recorded } = await trained.readManifest();
    assert.ok(recorded);
    process.kill(recorded.pid, 'SIGKILL');
    assert.equal(await answer, undefined);
    const error = await told;
    assert.equal(error?.code, 'process-ended');
    assert.match(error.message, /^The training process/);
    const { state, stateReason } = await until('the end to be seen', 30, async () => {
      const manifest = await trained.readManifest();
      return manifest.state === 'training' ? null : manifest;
    });
    assert.equal(state, 'interrupted');
    assert.match(stateReason ?? '', /./);
    await until('the task to end', 30, () => vscode.tasks.taskExecutions.length === 0);
    await closeAll();
    assert.equal(listeners(), before, 'the panel’s own listener is gone with it');
    await trained.delete();
    await until('its row to go', 30, async () => (await api.tree.getChildren())?.length === 1);
  });

  it('closes the panel of a run whose folder vanishes while it is written, and the script trains to its end', async () => {
    await closeAll();
    const [listening, watched] = [listeners(), watches()];
    const ended = new Promise<number | undefined>((resolve) => {
      const subscription = vscode.tasks.onDidEndTaskProcess(({ exitCode }) => {
        subscription.dispose();
        resolve(exitCode);
      });
    });
    const trained = await train(15);
    await vscode.commands.executeCommand('basin.openRun', trained.directory);
    await until('the panel', 30, () => tabs().length === 1);
    await until('the panel to follow its run', 30, () => watches() > watched && listeners() > listening);
    // Files that are written meanwhile make a folder that is not empty: again then.
    rmSync(trained.directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 20 });
    await until('the panel to close', 30, () => tabs().length === 0);
    // The script's own end was good, but nothing of it is kept.
    assert.equal(await ended, 1);
    await until('all to be given back', 60, () => watches() === watched && listeners() === listening);
    assert.equal((await api.tree.getChildren())?.length, 1);
  });

  it('closes the panel of a run that is deleted while it is asked, and makes nothing of it anew', async () => {
    const { answer, told } = await ask();
    await run.delete();
    await until('the panel to close', 30, () => tabs().length === 0);
    await until('an empty tree', 30, async () => (await api.tree.getChildren())?.length === 0);
    await vscode.commands.executeCommand('basin.cancelJobs');
    assert.equal(await answer, undefined);
    assert.equal((await told)?.code, 'cancelled');
    assert.deepEqual(await store.list(), []);
  });
});
