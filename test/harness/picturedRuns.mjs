/**
 * The runs that `npm run pictures` shows: the small digit classifier in TensorFlow.js, with SGD and with Adam, and the
 * sample in PyTorch, trained and asked every kind of question by the `basin` command. What was asked before is taken
 * from its files.
 */
import { execFile, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { say } from './progress.mjs';
import { root } from './setup.mjs';

const env = { OMP_NUM_THREADS: '1', ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' };
const cli = join(root, 'dist/cli.cjs');

/** Of the smaller network; the other one is asked what it answers in a minute or two. */
const questions = [
  'trajectory',
  'cycles',
  'margins',
  'calibration',
  'average',
  'ensemble --last 5',
  'swag',
  'spectrum --matrix gauss-newton --top 5 --bottom 0 --density',
  'spectrum --top 3 --bottom 1 --density',
  'spectrum --top 5 --bottom 2 --density --per-layer',
  'flatness',
  'stability --snapshots 12',
  'line --from 0 --to last',
  'sharpness --top 3',
  'layers',
  'noise --batches 16 --top 3',
  'sweep --places 8 --decays 0.9',
  'contour --plane random --size 21 --seeds 3',
  'contour --plane last,average-1,first --size 25 --data validation',
  'contour --plane last,average-1,first --size 25',
  'curvature-map --size 7 --tolerance 0.05',
  'contour --plane pca --size 61',
  'point --plane pca --x 0.2 --y -0.1',
];

const LONG = /--per-layer|gauss-newton|curvature-map|flatness/;

/**
 * @param {string} python one with torch
 * @returns {Promise<{folder: string, names: string[]}>} the workspace, and its runs' names, the one to be looked at first in front
 */
export async function picturedRuns(python) {
  const folder = join(root, 'out/workspaces/pictures');
  mkdirSync(folder, { recursive: true });
  cpSync(join(root, 'test/fixtures/scripts/small-digits.mjs'), join(folder, 'digits.mjs'));
  for (const file of ['train.py', 'digits.py'])
    cpSync(join(root, 'media/samples/digits-torch', file), join(folder, file));
  const wanted = [
    { name: 'digits, TensorFlow.js', asked: questions, command: [process.execPath, 'digits.mjs'] },
    {
      name: 'digits, PyTorch',
      asked: questions.filter((question) => !LONG.test(question)),
      command: [python, 'train.py'],
    },
    { name: 'digits, Adam', asked: [], command: [process.execPath, 'digits.mjs', 'adam'] },
  ];
  const runs = join(folder, '.basin/runs');
  for (const { name, asked, command } of wanted) {
    const known = async () => (await basin(folder, 'runs')).runs.find((run) => run.name === name);
    let run = existsSync(runs) && readdirSync(runs).length > 0 ? await known() : undefined;
    if (run?.state !== 'finished' && run?.state !== 'held') {
      say(`training: ${name}`);
      // Held at its end, one process answers everything.
      const args = ['train', '--root', folder, '--name', name, '--every-step', '--live-budget', '50'];
      const training = spawn(process.execPath, [cli, ...args, '--hold', '1800', '--', ...command], {
        cwd: folder,
        env,
        stdio: 'ignore',
      });
      process.once('exit', () => training.kill());
      while ((run = existsSync(runs) ? await known() : undefined)?.state !== 'held') {
        if (training.exitCode !== null) throw new Error(`${name} was not trained`);
        await sleep(500);
      }
    }
    for (const question of asked) {
      const [kind, ...rest] = question.split(' ');
      say(`${name}: ${question}`);
      await basin(folder, kind, run.id, ...rest);
    }
    await basin(folder, 'release', run.id);
  }
  const { runs: all } = await basin(folder, 'runs');
  const [one, , other] = wanted.map(({ name }) => all.find((run) => run.name === name));
  const members = ['last', '0', `${other.id}:last`].join(',');
  say('landscapes of two runs');
  await basin(folder, 'landscapes', one.id, '--members', members, '--size', '31');
  return { folder, names: wanted.map(({ name }) => name) };
}

/** The one JSON document that a command answers with. */
async function basin(folder, ...args) {
  const command = [cli, ...args, '--root', folder, '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, command, {
    cwd: folder,
    env,
    maxBuffer: 2 ** 28,
  });
  return JSON.parse(stdout);
}
