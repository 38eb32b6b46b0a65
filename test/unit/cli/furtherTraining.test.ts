/** Training further on the command line, in both frameworks: what is built, kept when it is stopped, and used again. */
import assert from 'node:assert/strict';
import { copyFile, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SwaResult, TrainedEnsembleResult } from '../../../src/protocol/furtherTraining.ts';
import type { CalibrationResult, MarginsResult } from '../../../src/protocol/generalisation.ts';
import type { ScoreResult } from '../../../src/protocol/results.ts';
import { cli, CommandLine, startNode } from '../../fixtures/commandLine.ts';
import { makeWorkspace, type Workspace } from '../../fixtures/runs.ts';
import { needs, testPython } from '../../harness/requires.ts';

const repository = path.resolve(import.meta.dirname, '../../..');

/** A classifier of noisy labels with batch norm and dropout, whose loader shuffles. */
const PYTHON = `
import sys, torch, torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

def data(n, seed):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 10, generator=g)
    return x, (x[:, 0] + 1.2 * torch.randn(n, generator=g) > 0).long()

def main():
    torch.manual_seed(0)
    train = DataLoader(TensorDataset(*data(1600, 1)), batch_size=20, shuffle=True)
    held_out = DataLoader(TensorDataset(*data(1000, 2)), batch_size=500)
    net = nn.Sequential(nn.Linear(10, 20), nn.BatchNorm1d(20), nn.ReLU(), nn.Dropout(0.1), nn.Linear(20, 2))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.5)
    for epoch in range(3):
        net.train()
        for x, y in train:
            optimizer.zero_grad()
            F.cross_entropy(net(x), y).backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            for x, y in held_out:
                F.cross_entropy(net(x), y)

main()
`;

async function until(said: () => string, what: RegExp): Promise<void> {
  const end = Date.now() + 120_000;
  while (!what.test(said())) {
    assert.ok(Date.now() < end, said());
    await sleep(50);
  }
}

describe('training further on the command line', function () {
  this.timeout(300_000);

  for (const framework of ['TensorFlow.js', 'PyTorch'] as const) {
    describe(framework, () => {
      let workspace: Workspace;
      let command: string[];
      const basin = () => new CommandLine(workspace.root, { OMP_NUM_THREADS: '1' });
      before(async function () {
        needs(this, 'bundles');
        if (framework === 'PyTorch') needs(this, 'torch');
        workspace = await makeWorkspace();
        if (framework === 'PyTorch') {
          const file = path.join(workspace.root, 'train.py');
          await writeFile(file, PYTHON);
          command = [testPython(), file];
        } else {
          const file = path.join(workspace.root, 'train.mjs');
          await copyFile(path.join(repository, 'test/fixtures/scripts/clouds.mjs'), file);
          await symlink(path.join(repository, 'node_modules'), path.join(workspace.root, 'node_modules'));
          command = [process.execPath, file];
        }
        const { code, stderr } = await basin().run('train', '--', ...command);
        assert.equal(code, 0, stderr);
      });
      after(() => workspace?.remove());
      const ask = <T>(...args: string[]): Promise<T> => basin().ask<T>(...args);

      it('averages on the way, better than the points it averages, and goes on from there', async () => {
        const result = await ask<SwaResult>(
          'swa',
          'last',
          '--train',
          '400',
          '--cycle',
          '20',
          '--rate',
          '0.3',
        );
        const { training } = result;
        assert.equal(result.complete, true);
        assert.deepEqual([training.steps, training.budget, result.iterates.length], [400, 400, 21]);
        assert.deepEqual([training.schedule.name, training.schedule.high], ['constant', 0.3]);
        assert.ok(training.source.kind === (framework === 'PyTorch' ? 'loader' : 'tensors'));
        assert.equal(training.source.reason, null);
        const own = result.score.validation?.loss ?? NaN;
        assert.ok(own < (result.meanIterate.validation ?? NaN), JSON.stringify(result.meanIterate));
        assert.ok(result.score.validation?.lossStandardError);
        // Kept as a model of the run: scored and asked as any other, and the same question has its answer.
        const score = await ask<ScoreResult>('score', 'last', '--at', result.model);
        assert.deepEqual(score.score, result.score);
        const again = await ask<SwaResult>('swa', 'last', '--train', '400', '--cycle', '20', '--rate', '0.3');
        assert.equal(again.id, result.id);
        const on = await ask<SwaResult>(
          'swa',
          'last',
          '--at',
          result.model,
          '--train',
          '10',
          '--cycle',
          '5',
          '--cyclic',
        );
        assert.equal(on.training.batches.from, training.batches.to);
        assert.equal(on.training.schedule.name, 'cyclic');
        assert.equal(on.training.schedule.low, on.training.schedule.high / 100);
        const text = await basin().run('swa', 'last', '--train', '400', '--cycle', '20', '--rate', '0.3');
        assert.match(text.stdout, /point after 20 steps/);
        assert.match(text.stdout, /distinct samples/);
      });

      it('builds a fast geometric and a snapshot ensemble, whose members are models of the run', async () => {
        const fge = await ask<TrainedEnsembleResult<'fge'>>('fge', 'last', '--train', '60', '--cycle', '20');
        assert.deepEqual(
          fge.members.map((m) => m.step),
          [10, 30, 50],
        );
        assert.equal(fge.training.schedule.name, 'triangular');
        const mean = fge.members.reduce((s, m) => s + (m.score.train.loss ?? NaN) / 3, 0);
        assert.ok((fge.score.train.loss ?? NaN) <= mean * (1 + 1e-6));
        const [member] = fge.members;
        const score = await ask<ScoreResult>('score', 'last', '--at', member?.model ?? '');
        assert.deepEqual(score.score, member?.score);
        const cosine = await ask<TrainedEnsembleResult<'snapshot-ensemble'>>(
          'snapshot-ensemble',
          'last',
          '--at',
          member?.model ?? '',
          '--train',
          '40',
          '--cycle',
          '20',
          '--nesterov',
        );
        // The member had come to the tenth batch behind its origin.
        assert.equal(cosine.training.batches.from, fge.training.batches.from + 10);
        assert.equal(cosine.training.nesterov, true);
        assert.equal(cosine.members.length, 2);
        // The ensemble itself is asked as any model by what looks at predictions, and refused by what needs weights.
        const whole = await ask<ScoreResult>('score', 'last', '--at', fge.model);
        assert.deepEqual(whole.score, fge.score);
        const { accuracy } = await ask<CalibrationResult>('calibration', 'last', '--at', fge.model);
        assert.ok(Math.abs(accuracy - (fge.score.validation?.accuracy ?? NaN)) < 1e-9);
        const { validation } = await ask<MarginsResult>('margins', 'last', '--at', fge.model);
        assert.ok(Math.abs((validation?.accuracy.value ?? NaN) - accuracy) < 1e-9);
        const { stderr, code } = await basin().run('sharpness', 'last', '--at', fge.model);
        assert.equal(code, 1);
        assert.match(stderr, /has no weights of its own[^]*point-1/);
      });

      for (const kind of ['fge', 'snapshot-ensemble'] as const) {
        it(`keeps the members of ${kind} that are there when it is interrupted`, async () => {
          const args = [kind, 'last', '--train', '2000', '--cycle', '40', '--seed', '7', '--json'];
          const { child, finished, said } = startNode(workspace.root, [cli, ...args], {
            OMP_NUM_THREADS: '1',
          });
          await until(said, /step (?:1[5-9]\d|[2-9]\d\d|\d{4}) of/);
          child.kill('SIGINT');
          const { code, stdout } = await finished;
          assert.equal(code, 0, said());
          const result = JSON.parse(stdout) as TrainedEnsembleResult<typeof kind>;
          assert.equal(result.complete, false);
          const first = kind === 'fge' ? 20 : 40;
          const { steps } = result.training;
          assert.ok(steps >= 100 && steps < 2000, String(steps));
          assert.equal(result.members.length, 1 + Math.floor((steps - first) / 40));
          const score = await ask<ScoreResult>('score', 'last', '--at', result.model);
          assert.deepEqual(score.score, result.score);
        });
      }

      it('says plainly that the training process has ended, when that is killed, and leaves no half model', async function () {
        if (process.platform !== 'linux') this.skip();
        const models = async () => (await (await workspace.store.open('last')).models()).map((m) => m.id);
        const before = await models();
        const args = ['swa', 'last', '--train', '1000000', '--cycle', '5', '--seed', '8'];
        const { child, finished, said } = startNode(workspace.root, [cli, ...args], { OMP_NUM_THREADS: '1' });
        await until(said, /step (?:[2-9]\d|\d{3,}) of/);
        const tasks = `/proc/${child.pid ?? 0}/task`;
        const children = await Promise.all(
          (await readdir(tasks)).map((task) => readFile(`${tasks}/${task}/children`, 'utf8')),
        );
        const [script] = children.join(' ').split(' ').filter(Boolean);
        process.kill(Number(script), 'SIGKILL');
        const { code, stderr } = await finished;
        assert.equal(code, 1);
        assert.match(
          stderr,
          /error: The training process ended while Basin was asking it\.\ncure: Ask again/,
        );
        assert.deepEqual(await models(), before);
      });

      it('keeps what is there when it is interrupted', async () => {
        const args = ['swa', 'last', '--train', '1000000', '--cycle', '5', '--seed', '7', '--json'];
        const { child, finished, said } = startNode(workspace.root, [cli, ...args], { OMP_NUM_THREADS: '1' });
        await until(said, /step (?:[2-9]\d|\d{3,}) of/);
        child.kill('SIGINT');
        const { code, stdout } = await finished;
        assert.equal(code, 0, said());
        const result = JSON.parse(stdout) as SwaResult;
        assert.equal(result.complete, false);
        assert.ok(result.training.steps >= 5 && result.training.steps < 1_000_000);
        assert.equal(result.iterates.length, 1 + Math.floor(result.training.steps / 5));
        const score = await ask<ScoreResult>('score', 'last', '--at', result.model);
        assert.deepEqual(score.score, result.score);
      });

      it('refuses what cannot be', async () => {
        const refused = async (code: string, ...args: string[]): Promise<void> => {
          const { stdout, code: exit } = await basin().run(...args, '--json');
          assert.equal(exit, 1, stdout);
          assert.equal((JSON.parse(stdout) as { error: { code: string } }).error.code, code);
        };
        await refused('bad-input', 'fge', 'last', '--cycle', '7');
        await refused('bad-input', 'swa', 'last', '--momentum', '1');
        await refused('bad-input', 'snapshot-ensemble', 'last', '--train', '10', '--cycle', '10');
        await refused('not-found', 'swa', 'last', '--at', 'no-such-model');
        await refused('non-finite', 'swa', 'last', '--train', '50', '--cycle', '10', '--rate', '1e30');
      });
    });
  }
});
