/**
 * `npm test`: sets up, builds, checks, and runs every suite. The last line sums all suites up; a step that breaks off
 * counts as a failure, so that the sum never looks better than the run was.
 *
 *   node test/harness/test.mjs [static] [unit] [torch] [editor] [webview]     by default all of them
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageExtension } from './build.mjs';
import { run, say } from './progress.mjs';
import { root, setUp } from './setup.mjs';

const wanted = new Set(process.argv.slice(2));
const wants = (name) => wanted.size === 0 || wanted.has(name);
const scratch = mkdtempSync(join(tmpdir(), 'basin-tests-'));
const total = { passed: 0, failed: 0, skipped: 0 };
const outcomes = [];

function count(name, { passed = 0, failed = 0, skipped = 0 }) {
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
  outcomes.push({ name, passed, failed, skipped });
}

/** A step that either holds or does not: no test of its own, but a failure when it breaks. */
async function step(name, work) {
  const began = performance.now();
  say(`${name} …`);
  try {
    await work();
    say(`${name}: fine (${((performance.now() - began) / 1000).toFixed(1)} s)`);
    outcomes.push({ name, passed: 0, failed: 0, skipped: 0 });
    return true;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    count(name, { failed: 1 });
    return false;
  }
}

async function script(name) {
  const { code, output } = await run('npm', ['run', '--silent', name], {
    cwd: root,
    quiet: true,
    label: name,
  });
  if (code !== 0) throw new Error(`${output.trim()}\nnpm run ${name} failed`);
}

/** A mocha suite in a process of its own; the reporter leaves its counts in a file. */
async function suite(name) {
  const summary = join(scratch, `${name}.json`);
  say(`${name} tests …`);
  const env = { ...process.env, BASIN_TEST_SUMMARY: summary, BASIN_BUILT: '1', TF_CPP_MIN_LOG_LEVEL: '2' };
  const { code } = await run('npm', ['run', '--silent', `test:${name}`], { cwd: root, env });
  let counts = null;
  try {
    counts = JSON.parse(readFileSync(summary, 'utf8'));
  } catch {
    say(`${name} tests broke off (exit ${code})`);
  }
  if (!counts) count(name, { failed: 1 });
  else if (counts.passed + counts.failed === 0) {
    say(`${name}: no test was executed`);
    count(name, { ...counts, failed: 1 });
  } else count(name, { ...counts, failed: counts.failed || (code === 0 ? 0 : 1) });
}

/** The PyTorch probe's own tests, by pytest; its JUnit file has the counts. */
async function torchSuite() {
  const python = process.env.BASIN_TEST_PYTHON;
  if (!python) {
    say('torch: SKIPPED, there is no Python with torch; see above for what to install');
    count('torch', { skipped: 1 });
    return;
  }
  const summary = join(scratch, 'torch.xml');
  say('torch tests …');
  const workers = String(Math.min(4, Math.max(2, availableParallelism())));
  const args = [
    '-m',
    'pytest',
    'test/torch',
    '-q',
    '-n',
    workers,
    '--dist',
    'worksteal',
    `--junitxml=${summary}`,
  ];
  const env = { ...process.env, OMP_NUM_THREADS: '1', PYTHONDONTWRITEBYTECODE: '1' };
  const { code } = await run(python, [...args, '-p', 'no:cacheprovider'], { cwd: root, env });
  let counts = null;
  try {
    const of = (name) =>
      Number(new RegExp(`<testsuite [^>]*\\b${name}="(\\d+)"`).exec(readFileSync(summary, 'utf8'))[1]);
    const failed = of('failures') + of('errors');
    counts = { failed, skipped: of('skipped'), passed: of('tests') - failed - of('skipped') };
  } catch {
    say(`torch tests broke off (exit ${code})`);
  }
  if (counts === null) count('torch', { failed: 1 });
  else count('torch', { ...counts, failed: counts.failed || (code === 0 ? 0 : 1) });
}

const ready = await step('set-up', async () => {
  const { tfjs, python, missing } = await setUp({
    vscode: wants('editor') || wants('webview'),
    torch: wants('unit') || wants('torch') || wants('editor'),
  });
  if (python !== null) process.env.BASIN_TEST_PYTHON = python;
  say(
    `TensorFlow.js runs ${tfjs === 'native' ? 'natively (tfjs-node)' : 'on wasm'}; ${availableParallelism()} cores`,
  );
  if (missing.length > 0 && (process.env.CI || missing.some((name) => !name.includes('torch')))) {
    throw new Error(`Missing: ${missing.join(', ')}.`);
  }
});
if (ready && (await step('build and package', packageExtension))) {
  if (wants('static'))
    for (const name of ['typecheck', 'lint', 'walls', 'format:check']) await step(name, () => script(name));
  for (const name of ['unit', 'editor', 'webview']) if (wants(name)) await suite(name);
  if (wants('torch')) await torchSuite();
}
rmSync(scratch, { recursive: true, force: true });

console.log();
for (const { name, passed, failed, skipped } of outcomes) {
  const counts =
    passed + skipped > 0 ? ` ${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}` : '';
  console.log(`${failed > 0 ? '✖' : '✔'} ${name}${counts}`);
}
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = total.failed > 0 ? 1 : 0;
