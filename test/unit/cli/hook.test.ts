/** A hooked shell: trainings that are started by their own command line, without a launcher, have runs of their own. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ScoreResult } from '../../../src/protocol/results.ts';
import { isUnfinished, type RunManifest } from '../../../src/protocol/run.ts';
import { until } from '../../editor/until.ts';
import { cli, CommandLine } from '../../fixtures/commandLine.ts';
import { makeWorkspace, type Workspace } from '../../fixtures/runs.ts';
import { needs, testPython } from '../../harness/requires.ts';

const repository = fileURLToPath(new URL('../../..', import.meta.url));

describe('a hooked shell', function () {
  this.timeout(120_000);
  let workspace: Workspace;
  before(async function () {
    needs(this, 'bundles');
    if (process.platform === 'win32') this.skip();
    workspace = await makeWorkspace();
    await copyFile(
      path.join(repository, 'test', 'fixtures', 'scripts', 'clouds.mjs'),
      path.join(workspace.root, 'träin me.mjs'),
    );
    await symlink(path.join(repository, 'node_modules'), path.join(workspace.root, 'node_modules'));
  });
  after(() => workspace?.remove());

  /** What the lines print in a shell that was hooked first. */
  const shell = (...lines: string[]) =>
    promisify(execFile)(
      '/bin/sh',
      ['-c', [`eval "$('${process.execPath}' '${cli}' hook)"`, ...lines].join('\n')],
      { cwd: workspace.root, env: { ...process.env, EPOCHS: '20', OMP_NUM_THREADS: '1' } },
    );
  /** The runs once all of them have ended, the newest first; those without a step are gone by then. */
  const ended = (count: number): Promise<readonly RunManifest[]> =>
    until(`${count} ended runs`, 60, async () => {
      const runs = (await workspace.store.list()).flatMap((entry) => entry.manifest ?? []);
      return runs.length === count && runs.every((r) => !isUnfinished(r.state)) ? runs : null;
    });
  const forget = async (): Promise<void> => {
    for (const { run } of await workspace.store.list()) await run.delete();
  };
  const node = `'${process.execPath}'`;

  it('records a script of TensorFlow.js, which prints what it always prints, and can be asked again', async () => {
    const plain = await promisify(execFile)(process.execPath, ['träin me.mjs'], {
      cwd: workspace.root,
      env: { ...process.env, EPOCHS: '20' },
    });
    const { stdout } = await shell(`${node} 'träin me.mjs'`);
    assert.match(plain.stdout, /weights [0-9a-f]{64}/);
    assert.equal(stdout, plain.stdout, 'to the last bit of the weights');
    const [run] = await ended(1);
    assert.equal(run?.state, 'finished');
    assert.equal(run.framework, 'tfjs');
    assert.equal(run.name, 'träin me.mjs');
    assert.deepEqual(run.command.slice(1), [path.join(workspace.root, 'träin me.mjs')]);
    assert.equal(run.environment?.PYTHONPATH, process.env.PYTHONPATH, 'a relaunch finds what the shell had');
    const score = await new CommandLine(workspace.root, { EPOCHS: '20' }).ask<ScoreResult>('score');
    assert.equal(score.at, String(run.recording.steps));
    await forget();
  });

  it('leaves no run of a process that trains nothing, nor of one after the hook was taken away', async () => {
    const load = `${node} --input-type=module -e 'await import("@tensorflow/tfjs"); console.log("loaded")'`;
    const { stdout } = await shell(
      load,
      `eval "$(${node} '${cli}' hook --off)"`,
      `${node} 'träin me.mjs' > /dev/null`,
    );
    assert.match(stdout, /loaded/);
    await ended(0);
  });

  it('tells a killed run as interrupted, and gives none to what a training starts', async () => {
    await writeFile(
      path.join(workspace.root, 'killed.cjs'),
      `const tf = require('@tensorflow/tfjs');
       const { spawnSync } = require('node:child_process');
       const w = tf.variable(tf.scalar(1));
       const optimizer = tf.train.sgd(0.1);
       const step = () => optimizer.minimize(() => w.square());
       if (process.argv[2] === 'child') { step(); process.exit(); }
       (async () => {
         for (let i = 0; i < 40; i++) { step(); await new Promise((done) => setTimeout(done, 20)); }
         spawnSync(process.execPath, [__filename, 'child']);
         process.kill(process.pid, 'SIGKILL');
       })();`,
    );
    await assert.rejects(shell(`exec ${node} killed.cjs`));
    const [run] = await ended(1);
    assert.equal(run?.state, 'interrupted');
    assert.ok(run.recording.steps > 0);
    await until('a state that is written', 20, async () => {
      const { run: files } = (await workspace.store.list())[0]!;
      return (await files.readRecordedManifest()).state === 'interrupted';
    });
    await forget();
  });

  it('records a script of PyTorch', async function () {
    needs(this, 'torch');
    await copyFile(
      path.join(repository, 'test/torch/scripts/cross_entropy_module.py'),
      path.join(workspace.root, 'träin me.py'),
    );
    await shell(`'${testPython()}' 'träin me.py'`, `'${testPython()}' -c 'import torch'`);
    const [run] = await ended(1);
    assert.equal(run?.state, 'finished');
    assert.equal(run.framework, 'torch');
    assert.equal(run.objectives[0]?.replay?.exact, true);
    assert.equal(run.environment?.PYTHONPATH, process.env.PYTHONPATH);
    await forget();
  });

  it('has words for three shells', async () => {
    const basin = new CommandLine(workspace.root);
    for (const [name, line] of [
      ['posix', /^export BASIN_HOOK='/m],
      ['fish', /^set -gx BASIN_HOOK '/m],
      ['powershell', /^\$env:BASIN_HOOK = '/m],
    ] as const) {
      assert.match((await basin.run('hook', '--shell', name)).stdout, line);
    }
    assert.equal((await basin.run('hook', '--shell', 'tcsh')).code, 2);
  });
});
