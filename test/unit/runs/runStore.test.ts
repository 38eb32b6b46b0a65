import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { BasinError, type ErrorCode } from '../../../src/protocol/errors.ts';
import { isAlive, startTimeOf } from '../../../src/runs/processes.ts';
import { findObjective, Run } from '../../../src/runs/run.ts';
import { findRoot } from '../../../src/runs/runStore.ts';
import { makeFinishedRun, makeWorkspace, type Workspace } from '../../fixtures/runs.ts';

const hasCode = (code: ErrorCode) => (error: unknown) => error instanceof BasinError && error.code === code;

describe('run store', () => {
  let workspace: Workspace;
  beforeEach(async () => (workspace = await makeWorkspace()));
  afterEach(() => workspace.remove());

  it('makes a run that is its own launcher until a training process claims it', async () => {
    const run = await workspace.store.create({ command: ['node', 'a b.mjs'], cwd: workspace.root });
    const manifest = await run.readManifest();
    assert.equal(manifest.state, 'starting');
    assert.equal(manifest.process?.pid, process.pid);
    assert.deepEqual(manifest.command, ['node', 'a b.mjs']);
    assert.equal(manifest.cwd, workspace.root);
  });

  it('never shows a run before its manifest stands', async () => {
    let made = false;
    const makeAll = async (): Promise<void> => {
      for (let i = 0; i < 30; i++) await workspace.store.create({ command: ['node'], cwd: workspace.root });
      made = true;
    };
    const watchAll = async (): Promise<number> => {
      let looks = 0;
      while (!made) {
        for (const { id, error } of await workspace.store.list()) assert.equal(error, null, id);
        const last = await workspace.store.open('last').catch(() => null);
        if (last !== null) await last.readManifest();
        looks++;
      }
      return looks;
    };
    const [, looks] = await Promise.all([makeAll(), watchAll()]);
    assert.ok(looks > 1);
    const names = await readdir(workspace.store.directory);
    assert.equal(names.length, 30);
    assert.ok(names.every((name) => !name.startsWith('.')));
  });

  it('keeps runs out of version control without touching an ignore file of the user', async () => {
    await makeFinishedRun(workspace.store);
    const file = path.join(workspace.root, '.basin', '.gitignore');
    assert.equal(await readFile(file, 'utf8'), '*\n');
    await writeFile(file, 'mine\n');
    await makeFinishedRun(workspace.store);
    assert.equal(await readFile(file, 'utf8'), 'mine\n');
  });

  it('says which folder it cannot write to, and what to do', async () => {
    await writeFile(path.join(workspace.root, '.basin'), 'a file');
    const create = workspace.store.create({ command: ['node'], cwd: workspace.root });
    await assert.rejects(create, (error: unknown) => {
      assert.ok(error instanceof BasinError && error.code === 'not-allowed');
      assert.match(error.message, /cannot write to .*\.basin/);
      assert.match(error.cure ?? '', /--root/);
      return true;
    });
  });

  it('lists newest first and finds by id, unique prefix and last', async () => {
    const runs: Run[] = [];
    for (let i = 0; i < 3; i++) {
      runs.push(await makeFinishedRun(workspace.store, 1));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const ids = runs.map((r) => r.id);
    assert.deepEqual(
      (await workspace.store.list()).map((e) => e.id),
      [...ids].reverse(),
    );
    assert.equal((await workspace.store.open('last')).id, ids[2]);
    const [first = ''] = ids;
    assert.equal((await workspace.store.open(first)).id, first);
    assert.equal((await workspace.store.open(first.slice(0, -1))).id, first);
    await assert.rejects(workspace.store.open(first.slice(0, 4)), hasCode('bad-input'));
    await assert.rejects(workspace.store.open('zz'), hasCode('not-found'));
    await assert.rejects(workspace.store.open(''), hasCode('not-found'));
  });

  it('says that there is none', async () => {
    assert.deepEqual(await workspace.store.list(), []);
    await assert.rejects(workspace.store.open('last'), hasCode('not-found'));
  });

  it('lists what it cannot read with the reason', async () => {
    const good = await makeFinishedRun(workspace.store);
    const broken: readonly [string, string | null][] = [
      ['a-not-json', '{"format": 1, "id'],
      ['b-wrong-type', '{"format": 1, "id": 7}'],
      ['c-null', 'null'],
      ['d-other-format', '{"format": 99}'],
      ['e-empty', ''],
      ['f-missing', null],
    ];
    for (const [name, content] of broken) {
      await mkdir(path.join(workspace.store.directory, name));
      if (content !== null) await writeFile(path.join(workspace.store.directory, name, 'run.json'), content);
    }
    await mkdir(path.join(workspace.store.directory, 'g-directory', 'run.json'), { recursive: true });
    const entries = await workspace.store.list();
    assert.equal(entries.length, 8);
    for (const { id, manifest, error } of entries) {
      if (id === good.id) assert.equal(error, null);
      else {
        assert.equal(manifest, null, id);
        assert.equal(error?.code, id === 'f-missing' ? 'not-found' : 'corrupt-run', id);
      }
    }
    assert.match(entries.find((e) => e.id === 'd-other-format')?.error?.message ?? '', /format 99/);
  });

  it('tells a run whose process is gone as interrupted, and one that lives as it is', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    const pid = child.pid ?? 0;
    const run = await makeFinishedRun(workspace.store, 1, {
      state: 'training',
      ended: null,
      process: { pid, startTime: startTimeOf(pid), exitCode: null },
    });
    assert.equal((await run.readManifest()).state, 'training');
    await assert.rejects(run.delete(), hasCode('busy'));
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    const manifest = await run.readManifest();
    assert.equal(manifest.state, 'interrupted');
    assert.notEqual(manifest.stateReason, null);
    assert.equal((await run.readRecordedManifest()).state, 'training');
  });

  it('does not take a reused pid for the same process', function () {
    if (process.platform !== 'linux') this.skip();
    const startTime = startTimeOf(process.pid);
    assert.match(startTime ?? '', /^\d+$/);
    assert.ok(isAlive({ pid: process.pid, startTime }));
    assert.ok(isAlive({ pid: process.pid, startTime: null }));
    assert.ok(!isAlive({ pid: process.pid, startTime: '1' }));
  });

  it('calls a run by the name that the user gives, and by its own again', async () => {
    const run = await workspace.store.create({ command: ['node', 'a.mjs'], cwd: workspace.root });
    const recorded = (await run.readManifest()).name;
    await run.rename('  größer, η 0.5 ');
    assert.equal((await run.readManifest()).name, 'größer, η 0.5');
    assert.equal((await run.readRecordedManifest()).name, recorded, 'the record is as it was');
    await assert.rejects(run.rename('x'.repeat(121)), hasCode('bad-input'));
    await assert.rejects(run.rename('two\nlines'), hasCode('bad-input'));
    await writeFile(run.path('label.json'), '{"name": 7');
    assert.equal((await run.readManifest()).name, recorded, 'a damaged label harms nothing');
    await run.rename('again');
    await run.rename('');
    assert.equal((await run.readManifest()).name, recorded);
    await assert.rejects(new Run(path.join(workspace.root, 'no run')).rename('x'), hasCode('not-found'));
  });

  it('keeps one baseline', async () => {
    const made = [];
    for (let i = 0; i < 3; i++)
      made.push(await workspace.store.create({ command: ['node'], cwd: workspace.root }));
    const baselines = async () => (await workspace.store.list()).filter((e) => e.baseline).map((e) => e.id);
    assert.deepEqual(await baselines(), []);
    await made[0]!.rename('first');
    for (const { id } of made) {
      await workspace.store.setBaseline(id);
      assert.deepEqual(await baselines(), [id]);
    }
    await assert.rejects(workspace.store.setBaseline('nope'), hasCode('not-found'));
    assert.deepEqual(await baselines(), [made[2]!.id], 'a mistyped id changes nothing');
    assert.equal(await workspace.store.setBaseline(null), null);
    assert.deepEqual(await baselines(), []);
    assert.equal((await made[0]!.readManifest()).name, 'first', 'the name stays');
  });

  it('frees what a deleted run held', async () => {
    const run = await makeFinishedRun(workspace.store);
    const bytes = await run.bytes();
    assert.ok(bytes > 5 * 24);
    assert.deepEqual(await run.delete(), { freedBytes: bytes });
    assert.deepEqual(await readdir(workspace.store.directory), []);
  });

  it('never gives one model id twice', async () => {
    const run = await makeFinishedRun(workspace.store);
    const ids = await Promise.all(Array.from({ length: 5 }, () => run.reserveModelId('average')));
    assert.deepEqual([...ids].sort(), ['average-1', 'average-2', 'average-3', 'average-4', 'average-5']);
    assert.deepEqual(await run.models(), []);
    await run.discardModel('average-2');
    assert.equal(await run.reserveModelId('average'), 'average-2');
  });

  it('leaves out models and results that cannot be read', async () => {
    const run = await makeFinishedRun(workspace.store);
    await mkdir(run.path('models'));
    await mkdir(run.path('analyses'));
    await writeFile(run.path('models', 'average-1.json'), '{"id": "average-1"');
    await writeFile(run.path('analyses', 'contour-1.json'), '{"kind": "contour"}');
    await writeFile(run.path('analyses', 'x.json'), '[]');
    assert.deepEqual(await run.models(), []);
    assert.deepEqual(await run.analyses(), []);
  });

  it('replaces run.json whole, and leaves nothing beside it', async () => {
    const run = await makeFinishedRun(workspace.store);
    const manifest = await run.readManifest();
    await Promise.all(Array.from({ length: 8 }, (_, i) => run.writeManifest({ ...manifest, name: `n${i}` })));
    assert.match((await run.readManifest()).name, /^n\d$/);
    assert.deepEqual(
      (await readdir(run.directory)).filter((name) => name.includes('.tmp')),
      [],
    );
  });

  it('names the objectives there are', async () => {
    const manifest = await (await makeFinishedRun(workspace.store)).readManifest();
    assert.equal(findObjective(manifest).index, 0);
    assert.equal(findObjective(manifest, 'loss').index, 0);
    assert.throws(
      () => findObjective(manifest, 3),
      (error: unknown) => hasCode('bad-input')(error) && /0 \(loss\)/.test((error as BasinError).cure ?? ''),
    );
    assert.throws(() => findObjective({ ...manifest, objectives: [] }), hasCode('no-steps'));
  });

  it('finds the nearest workspace upwards', async () => {
    await makeFinishedRun(workspace.store);
    const deep = path.join(workspace.root, 'a', 'b c');
    await mkdir(deep, { recursive: true });
    assert.equal(findRoot(deep), workspace.root);
  });
});
