/**
 * Whole trainings in a process that is held at its end leave it as it was, bit for bit: weights, batch-norm statistics,
 * optimizer, random streams, data.
 */
import assert from 'node:assert/strict';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SwaResult, TrainedEnsembleResult } from '../../../src/protocol/furtherTraining.ts';
import { CommandLine, type Started } from '../../fixtures/commandLine.ts';
import { makeWorkspace, type Workspace } from '../../fixtures/runs.ts';
import { needs, testPython } from '../../harness/requires.ts';

const scripts = path.resolve(import.meta.dirname, '../../fixtures/scripts');
/** At a rate at which the copy that is trained moves far. */
const settings = ['--train', '60', '--cycle', '20', '--rate', '0.3', '--momentum', '0.9'];

async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  const end = Date.now() + 120_000;
  while (!(await condition())) {
    assert.ok(Date.now() < end, 'it takes too long');
    await sleep(50);
  }
}

describe('a held process', function () {
  this.timeout(300_000);
  let workspace: Workspace;
  let started: Started | null = null;
  before(function () {
    needs(this, 'bundles');
  });
  beforeEach(async () => {
    workspace = await makeWorkspace();
  });
  afterEach(async () => {
    started?.child.kill('SIGINT');
    await started?.finished;
    started = null;
    await workspace.remove();
  });

  /** Trains it, and is back when it stands at its end. */
  async function hold(basin: CommandLine, ...command: string[]): Promise<void> {
    // Without λ₁ of the last steps, which may still be computed when the script has ended: nobody may look meanwhile.
    started = basin.start('train', '--hold', '600', '--live-budget', '0', '--', ...command);
    await until(async () => {
      const run = await workspace.store.open('last').catch(() => null);
      return run !== null && (await run.readManifest()).state === 'held';
    });
  }

  /** Each kind of training to its end, in the held process. */
  async function trainInIt(basin: CommandLine, kind: 'swa' | 'fge' | 'snapshot-ensemble'): Promise<void> {
    const result = await basin.ask<SwaResult | TrainedEnsembleResult<'fge' | 'snapshot-ensemble'>>(
      kind,
      'last',
      ...settings,
    );
    assert.equal(result.provenance.evaluator, 'held');
    assert.deepEqual([result.complete, result.training.steps], [true, 60]);
  }

  it('is as it was after each of swa, fge and snapshot-ensemble in PyTorch', async function () {
    needs(this, 'torch');
    const basin = new CommandLine(workspace.root, { OMP_NUM_THREADS: '1' });
    await copyFile(path.join(scripts, 'held.py'), path.join(workspace.root, 'held.py'));
    await hold(basin, testPython(), 'held.py');
    const look = async (name: string): Promise<Record<string, string>> => {
      await writeFile(path.join(workspace.root, `${name}.look`), '');
      const seen = path.join(workspace.root, `${name}.seen`);
      await until(() => existsSync(seen));
      return JSON.parse(await readFile(seen, 'utf8')) as Record<string, string>;
    };
    const before = await look('before');
    assert.equal(Object.keys(before).length, 41);
    for (const kind of ['swa', 'fge', 'snapshot-ensemble'] as const) {
      await trainInIt(basin, kind);
      assert.deepEqual(await look(kind), before, kind);
    }
    await basin.run('release', 'last');
    assert.equal((await started!.finished).code, 0);
  });

  it('ends as without Basin after swa, fge and snapshot-ensemble in TensorFlow.js', async () => {
    const basin = new CommandLine(workspace.root);
    // The digest is printed at the very end, when the process has been let go. Math.random is seeded.
    const command = [process.execPath, '--random-seed=7', path.join(scripts, 'held.cjs')];
    const plain = spawnSync(command[0]!, command.slice(1), { encoding: 'utf8' }).stdout;
    assert.match(plain, /"weights":"[0-9a-f]{64}"/);
    await hold(basin, ...command);
    for (const kind of ['swa', 'fge', 'snapshot-ensemble'] as const) await trainInIt(basin, kind);
    await basin.run('release', 'last');
    const { code, stdout } = await started!.finished;
    assert.equal(code, 0);
    assert.ok(stdout.includes(plain.trim().split('\n').at(-1)!), `${stdout}\nplain: ${plain}`);
  });
});
