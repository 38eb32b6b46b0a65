/**
 * `npm run demo`: from a fresh clone to the loss landscape of the sample digit classifier and one HTML report.
 *
 *   npm run demo                 trains, analyses, prints a table and, last, the report's path
 *   npm run demo -- --python     the same for the PyTorch twin of the sample as well
 *   npm run demo -- --open       serves VS Code with the extension and the trained workspace, prints its address
 *   npm run demo -- --size 21    points along each axis of the contours
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { build, packageExtension } from './build.mjs';
import { say } from './progress.mjs';
import { root, setUp } from './setup.mjs';
import { startServing } from './serve.mjs';
import { freshWorkspace } from './workspace.mjs';

const open = process.argv.includes('--open');
const sizeAt = process.argv.indexOf('--size');
const size = sizeAt < 0 ? '31' : process.argv[sizeAt + 1];
/**
 * The sample in one framework. Its workspace is a copy, so that runs in the sample's own folder stay what they are.
 * @param {string[]} command what trains it
 */
const sample = (name, source, title, command) => ({
  name,
  source,
  title,
  command,
  workspace: join(root, 'out/workspaces', name),
  report: join(root, 'out', `${name === 'demo' ? 'digits' : 'digits-torch'}-report.html`),
});
// One thread for PyTorch: a net this small gains nothing from more, and on a busy machine they wait for each other.
const env = { OMP_NUM_THREADS: '1', ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' };

/** Runs the `basin` command: progress goes through, the one JSON document on stdout is the answer. */
function basin(workspace, ...args) {
  return new Promise((resolve, reject) => {
    const command = [join(root, 'dist/cli.cjs'), ...args];
    const child = spawn(process.execPath, command, {
      cwd: workspace,
      stdio: ['ignore', 'pipe', 'inherit'],
      env,
    });
    let output = '';
    child.stdout.on('data', (data) => (output += data));
    const forward = (signal) => child.kill(signal);
    process.once('SIGINT', forward).once('SIGTERM', forward);
    child.once('error', reject);
    child.once('close', (code) => {
      process.off('SIGINT', forward).off('SIGTERM', forward);
      if (code === 0) resolve(output);
      else reject(Object.assign(new Error(`basin ${args[0]} ended with exit code ${code}`), { code }));
    });
  });
}

async function analyse({ workspace, title, command }) {
  const ask = async (...args) => JSON.parse(await basin(workspace, ...args, '--root', workspace, '--json'));
  say(`training the digit classifier under Basin: ${title}`);
  await basin(
    workspace,
    'train',
    '--root',
    workspace,
    '--name',
    `digits demo, ${title}`,
    '--json',
    '--',
    ...command,
  );
  const steps = [
    ['contour on the plane of the trajectory', 'contour', 'last', '--plane', 'pca', '--size', size],
    ['contour on a random plane', 'contour', 'last', '--plane', 'random', '--size', size],
    ['sharpness', 'sharpness', 'last'],
    ['stochastic weight average', 'average', 'last'],
    ['ensemble of the last snapshots', 'ensemble', 'last', '--last', '5'],
  ];
  const results = [];
  for (const [what, ...args] of steps) {
    say(what);
    results.push(await ask(...args));
  }
  return results;
}

function table([pca, random, sharpness, average, ensemble]) {
  const percent = (share) => (share === null ? '–' : `${(share * 100).toFixed(1)} %`);
  const finite = (contour) => contour.loss.flat().filter((loss) => loss !== null);
  const range = (contour) => {
    const losses = finite(contour);
    return `loss ${Math.min(...losses).toPrecision(3)} to ${Math.max(...losses).toPrecision(3)}`;
  };
  const bound = sharpness.stabilityBound === null ? 'unknown' : sharpness.stabilityBound.toPrecision(3);
  const held = ({ validation }) => {
    if (!validation) return 'no held-out digits';
    const { accuracy, accuracyStandardError: error, loss, samples } = validation;
    const spread = error === null ? '' : ` ± ${(error * 100).toFixed(1)}`;
    const right = accuracy === null ? '' : `${(accuracy * 100).toFixed(1)}${spread} % right, `;
    return `${right}loss ${loss?.toFixed(4) ?? 'not finite'} on ${samples} held-out digits`;
  };
  const rows = [
    [
      'contour, PCA plane',
      `${range(pca)}; the plane holds ${percent(pca.plane.varianceExplained)} of the path`,
    ],
    ['contour, random plane', range(random)],
    [
      'sharpness',
      `λ₁ ${sharpness.eigenvalues[0].toPrecision(3)}, stable up to ${bound}: ${sharpness.verdict}`,
    ],
    ['last snapshot', held(average.baseline)],
    [`average of ${average.members.length}`, held(average.score)],
    [`ensemble of ${ensemble.members.length}`, held(ensemble.score)],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`).join('\n');
}

try {
  const withPython = process.argv.includes('--python');
  const { python, missing } = await setUp({ vscode: open, torch: withPython });
  if (withPython && python === null) throw new Error(`Missing: ${missing.join(', ')}.`);
  const samples = [sample('demo', 'media/samples/digits', 'TensorFlow.js', [process.execPath, 'train.mjs'])];
  if (python !== null) {
    samples.push(sample('demo-torch', 'media/samples/digits-torch', 'PyTorch', [python, 'train.py']));
  }
  if (open) await packageExtension();
  else await build({ production: true });
  for (const one of samples) {
    const { workspace } = one;
    if (!open || !existsSync(join(workspace, '.basin/runs'))) {
      freshWorkspace(one.name, one.source);
      const results = await analyse(one);
      console.log(`\n${one.title}\n${table(results)}\n`);
    }
  }
  if (open) {
    await startServing(samples.at(-1).workspace);
  } else {
    say('writing the reports');
    for (const { workspace, report } of samples) {
      await basin(workspace, 'report', 'last', '--root', workspace, '--to', report, '--json');
    }
    for (const { report } of samples) console.log(report);
  }
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = error.code === 130 ? 130 : 1;
}
