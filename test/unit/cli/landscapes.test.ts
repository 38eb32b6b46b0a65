/** Landscapes of two real runs on one plane: each is its own run's loss on its own data, and only its own. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { LandscapesResult } from '../../../src/protocol/landscapes.ts';
import type { PointResult } from '../../../src/protocol/points.ts';
import type { ContourResult, ScoreResult } from '../../../src/protocol/results.ts';
import { CommandLine } from '../../fixtures/commandLine.ts';
import { makeWorkspace, type Workspace } from '../../fixtures/runs.ts';
import { twinProblem } from '../../fixtures/twinProblem.ts';
import { needs } from '../../harness/requires.ts';

const script = path.resolve(import.meta.dirname, '../../fixtures/scripts/twin.mjs');

describe('basin landscapes', function () {
  this.timeout(300_000);
  let workspace: Workspace;
  let basin: CommandLine;
  let runs: { one: string; two: string };
  let result: LandscapesResult;

  /** Trains the same network on a problem of its own. */
  const train = async (name: string, problem: unknown): Promise<string> => {
    const folder = path.join(workspace.root, name);
    await mkdir(folder);
    await writeFile(path.join(folder, 'mlp.json'), JSON.stringify(problem));
    const { code, stderr } = await basin.run(
      'train',
      '--name',
      name,
      '--',
      process.execPath,
      script,
      folder,
      'mlp',
    );
    assert.equal(code, 0, stderr);
    const [found] = await workspace.store.list();
    assert.ok(found);
    return found.id;
  };

  before(async function () {
    needs(this, 'bundles');
    workspace = await makeWorkspace();
    basin = new CommandLine(workspace.root, { OMP_NUM_THREADS: '1' });
    const problem = twinProblem('mlp') as { labels: number[]; classes: number };
    // The same pictures, each called by the name of the next class.
    const labels = problem.labels.map((label) => (label + 1) % problem.classes);
    const one = await train('as it was', problem);
    const two = await train('other labels', { ...problem, labels });
    runs = { one, two };
    result = await basin.ask<LandscapesResult>(
      'landscapes',
      one,
      '--members',
      `0,last,${two}:last`,
      '--size',
      '9',
      '--full',
    );
  });
  after(() => workspace?.remove());

  const of = (run: string): ContourResult => {
    const found = result.landscapes.find((one) => one.run === run)?.contour;
    assert.ok(found);
    return found;
  };

  it('asks every run whose models are named, on the same coordinates', () => {
    assert.deepEqual(
      result.landscapes.map(({ name, error }) => [name, error]),
      [
        ['as it was', null],
        ['other labels', null],
      ],
    );
    assert.ok(result.complete);
    const [a, b] = [of(runs.one), of(runs.two)];
    for (const axis of ['x', 'y'] as const)
      a[axis].forEach((value, i) => assert.ok(Math.abs(value - b[axis][i]!) < 1e-4, `${value}`));
    assert.ok(result.trust.some((sentence) => /2 different sets of samples/.test(sentence)));
  });

  it('shows at each run’s own models what that run itself says of them', async () => {
    for (const run of [runs.one, runs.two]) {
      const { score } = await basin.ask<ScoreResult>('score', run, '--at', 'last');
      const last = of(run).trajectory.at(-1)!;
      const own = of(run).plane.corners!.find(({ at }) => at === String(last.step))!;
      for (const told of [own.evaluated, last.evaluated])
        assert.ok(Math.abs(told! / score.train.loss! - 1) < 1e-5, `${told} and ${score.train.loss}`);
    }
    // The start is the same weights in both, and their losses there are their own.
    const [a, b] = [of(runs.one), of(runs.two)];
    assert.equal(a.trajectory[0]!.step, 0);
    assert.ok(Math.abs(b.trajectory[0]!.evaluated! - a.trajectory[0]!.evaluated!) > 1e-3);
    // A minimum for the one is none for the other.
    const other = a.plane.corners!.find(({ at }) => at.startsWith(`${runs.two}:`))!;
    assert.ok(other.evaluated! > 1.1 * b.trajectory.at(-1)!.evaluated!);
  });

  it('has everywhere on the plane the loss that a point saved there has for that run', async () => {
    const planes = {
      [runs.one]: `0,last,${runs.two}:last`,
      [runs.two]: `${runs.one}:0,${runs.one}:last,last`,
    };
    for (const [run, plane] of Object.entries(planes)) {
      const { x, y, loss } = of(run);
      const [i, j] = [2, 6];
      const { score } = await basin.ask<PointResult>(
        'point',
        run,
        '--plane',
        plane,
        '--x',
        String(x[i]),
        '--y',
        String(y[j]),
      );
      assert.ok(Math.abs(loss[j]![i]! / score.train.loss! - 1) < 1e-4, `${loss[j]![i]}, ${score.train.loss}`);
    }
  });

  it('is one question with one line for people, and wrong ones are told', async () => {
    const { code, stdout } = await basin.run(
      'landscapes',
      runs.one,
      '--members',
      `0,last,${runs.two}:last`,
      '--size',
      '9',
      '--full',
    );
    assert.equal(code, 0);
    assert.match(stdout, /as it was .*256 train samples/);
    assert.match(stdout, /other labels .*256 train samples/);
    assert.match(stdout, new RegExp(`kept as ${result.id} `), 'the same question has its answer on disk');
    const few = await basin.run('landscapes', runs.one, '--members', '0,last');
    assert.equal(few.code, 1);
    assert.match(few.stderr, /A plane goes through three models/);
    assert.equal((await basin.run('landscapes', runs.one)).code, 2);
    assert.equal((await basin.run('landscapes', runs.one, '--members', '0,8,16', '--size', '8')).code, 2);
  });
});
