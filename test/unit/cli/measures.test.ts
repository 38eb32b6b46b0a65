/** Measures over runs of both frameworks, computed as a user asks for it: the same network and data give the same numbers. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { MeasureName, MeasuresResult } from '../../../src/protocol/measures.ts';
import { CommandLine } from '../../fixtures/commandLine.ts';
import { makeWorkspace, type Workspace } from '../../fixtures/runs.ts';
import { twinProblem } from '../../fixtures/twinProblem.ts';
import { needs, testPython } from '../../harness/requires.ts';

const script = (name: string): string => path.resolve(import.meta.dirname, '../../fixtures/scripts', name);

describe('basin measures', function () {
  this.timeout(300_000);
  let workspace: Workspace;
  let basin: CommandLine;
  before(async function () {
    needs(this, 'bundles');
    needs(this, 'torch');
    workspace = await makeWorkspace();
    basin = new CommandLine(workspace.root, { OMP_NUM_THREADS: '1' });
    await writeFile(path.join(workspace.root, 'mlp.json'), JSON.stringify(twinProblem('mlp')));
    for (const batch of ['32', '64']) {
      for (const command of [
        [process.execPath, script('twin.mjs')],
        [testPython(), script('twin.py')],
      ]) {
        const { code, stderr } = await basin.run('train', '--', ...command, workspace.root, 'mlp', batch);
        assert.equal(code, 0, stderr);
      }
    }
  });
  after(() => workspace?.remove());

  it('measures every run in its own framework, and the two agree', async () => {
    const result = await basin.ask<MeasuresResult>('measures', '--compute');
    assert.equal(result.known, 4);
    assert.deepEqual(
      result.runs.flatMap((r) => r.notes),
      [],
    );
    assert.equal(result.measures.length, 15);
    for (const { name, runs } of result.measures) assert.equal(runs, 4, name);
    assert.match(result.trust[0] ?? '', /^With 4 runs nothing can be told/);
    assert.ok(!result.trust.some((s) => s.includes('different sets')), result.trust.join('\n'));
    // Oldest first: TF.js and PyTorch with one batch size, then with the other. Random draws and their means are left out.
    const drawn: readonly MeasureName[] = ['trace', 'average-case', 'worst-case', 'calibration-error'];
    result.measures.forEach(({ name }, k) => {
      if (drawn.includes(name)) return;
      for (const pair of [0, 2]) {
        const [a, b] = [pair, pair + 1].map((i) => result.runs[i]?.values[k]?.value ?? NaN) as [
          number,
          number,
        ];
        assert.ok(Math.abs(a - b) <= 5e-3 * Math.abs(a), `${name}: ${a} and ${b}`);
      }
    });
    const [a, b] = result.runs.map((r) => r.gap?.value ?? NaN) as [number, number];
    assert.ok(Math.abs(a - b) < 1e-4, `${a} and ${b}`);
  });

  it('answers from what is kept, as a table, and refuses what it does not know', async () => {
    const { code, stdout } = await basin.run('measures', '--gap', 'accuracy');
    assert.equal(code, 0);
    assert.match(stdout, /λ₁ of the Hessian.*│/);
    assert.match(stdout, /from the run's files/);
    assert.equal((await basin.run('measures', '--gap', 'none')).code, 2);
    const unknown = await basin.run('measures', 'nowhere');
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /No run has the id nowhere/);
  });
});
