/**
 * Records test/fixtures/engine-view.json: what the panel shows of a run for which every kind of analysis was asked, and
 * test/fixtures/adam-stability.json: the stability of an adaptive optimizer, whose process was held. The small digit
 * classifier is trained and asked by the built `basin` command itself; what was asked before is taken from its files.
 *
 *   npm run build && node --import tsx test/webview/recordEngine.ts
 */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { shareableView } from '../../src/engine/shareableView.ts';
import { RunStore } from '../../src/runs/runStore.ts';
import { buildRunView } from '../../src/runs/runView.ts';

const root = path.join(import.meta.dirname, '../..');
const fixtures = path.join(root, 'test/fixtures');

/** Inside the repository, so that the script finds its packages. */
function workspace(name: string): string {
  const folder = path.join(root, 'out/workspaces', name);
  mkdirSync(folder, { recursive: true });
  cpSync(path.join(fixtures, 'scripts/small-digits.mjs'), path.join(folder, 'digits.mjs'));
  return folder;
}

/** Runs the `basin` command; its JSON document is the answer. */
function basin(folder: string, ...args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const [command = '', ...rest] = args;
    const cli = path.join(root, 'dist/cli.cjs');
    const child = spawn(process.execPath, [cli, command, '--root', folder, '--json', ...rest], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (data: Buffer) => (output += data.toString()));
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve(output) : reject(new Error(`basin ${args.join(' ')}: ${output}`)),
    );
  });
}

/** Six digits are more than any picture shows. */
function write(name: string, value: unknown): void {
  const text = JSON.stringify(value, (_, x: unknown) =>
    typeof x === 'number' && !Number.isInteger(x) ? Number(x.toPrecision(6)) : x,
  );
  writeFileSync(path.join(fixtures, name), text);
  console.log(`${name}: ${(text.length / 1000).toFixed(0)} kB`);
}

const digits = workspace('record');
if (!existsSync(path.join(digits, '.basin/runs')))
  await basin(
    digits,
    'train',
    '--every-step',
    '--live-budget',
    '50',
    '--name',
    'small digits',
    '--',
    'node',
    'digits.mjs',
  );
for (const question of [
  'trajectory last',
  'cycles last',
  'margins last',
  'calibration last',
  'average last',
  'ensemble last --last 5',
  'swag last',
  'spectrum last --matrix gauss-newton --top 5 --bottom 0 --density',
  'spectrum last --top 5 --bottom 2 --density --per-layer',
  'flatness last',
  'stability last --snapshots 16',
  'line last --from average-1 --to last',
  'contour last --plane last,average-1,120 --size 25 --data validation --full',
  'contour last --plane last,average-1,120 --size 25 --full',
  'contour last --plane pca --size 31 --full',
  'sharpness last --top 3',
  'layers last',
  'noise last --batches 16 --top 3',
  'soup last --members 600,480,360',
  'contour last --plane pca --size 31',
  'contour last --plane random --size 21 --seed 2 --full',
  'contour last --plane random --size 21 --seed 3 --full',
  'contour last --plane random --size 21 --seeds 5 --full',
  'point last --plane pca --x 0.2 --y -0.1',
  'sweep last --places 8 --decays 0.9',
]) {
  console.log(question);
  await basin(digits, ...question.split(' '));
}
const run = await new RunStore(digits).open('last');
write('engine-view.json', shareableView(await buildRunView(run), digits));

const adam = workspace('record-adam');
const store = new RunStore(adam);
if (!existsSync(path.join(adam, '.basin/runs'))) {
  // It is held until it is released: what the process alone knows is asked for meanwhile.
  const training = basin(adam, 'train', '--hold', '900', '--', 'node', 'digits.mjs', 'adam');
  for (let held = false; !held;) {
    await new Promise((done) => setTimeout(done, 1000));
    const [newest] = await store.list().catch(() => []);
    held = newest?.manifest?.state === 'held';
  }
  await basin(adam, 'stability', 'last', '--snapshots', '8');
  await basin(adam, 'release', 'last');
  await training;
}
const [stability] = (await (await store.open('last')).analyses()).filter(({ kind }) => kind === 'stability');
write('adam-stability.json', stability);
