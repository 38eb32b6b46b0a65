/**
 * The editor suite: the mocha files of test/editor, run inside VS Code's extension host.
 *
 * VSCODE_TEST_EXECUTABLE names a desktop VS Code, VSCODE_TEST_DESKTOP=1 downloads one; otherwise a server and a
 * headless browser take its place. BASIN_TEST_GREP selects tests.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './build.mjs';
import { say } from './progress.mjs';
import { root, setUp } from './setup.mjs';
import { freshWorkspace } from './workspace.mjs';

const desktop = Boolean(process.env.VSCODE_TEST_EXECUTABLE || process.env.VSCODE_TEST_DESKTOP);
const { missing, python } = await setUp({ vscode: !desktop, torch: true });
if (missing.includes('chromium')) process.exit(1);
// Tests read it; without it those that need torch are skipped, or fail on CI.
if (python !== null) process.env.BASIN_TEST_PYTHON = python;
// Two torch processes of several threads each on few cores slow each other down many times over.
process.env.OMP_NUM_THREADS ??= '1';
await build();
const testsPath = await bundleSuites();

const { downloadAndUnzipVSCode, runTests } = await import('@vscode/test-electron');
const vscodeExecutablePath =
  process.env.VSCODE_TEST_EXECUTABLE ||
  (desktop ? await downloadAndUnzipVSCode('stable') : join(import.meta.dirname, 'vscode/code-shim.mjs'));
say(`editor suite in ${desktop ? vscodeExecutablePath : 'the extension host of VS Code’s server'}`);
const code = await runTests({
  vscodeExecutablePath,
  extensionDevelopmentPath: root,
  extensionTestsPath: testsPath,
  launchArgs: [freshWorkspace('editor'), ...(desktop ? ['--disable-workspace-trust'] : [])],
}).catch((error) => {
  console.error(String(error));
  return 1;
});
process.exit(code);

/** One CommonJS file a suite and mocha's entry, in out/editor. */
async function bundleSuites() {
  const esbuild = await import('esbuild');
  const outdir = join(root, 'out/editor');
  rmSync(outdir, { recursive: true, force: true });
  const suites = readdirSync(join(root, 'test/editor'), { recursive: true })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => ({ in: join('test/editor', file), out: file.slice(0, -'.ts'.length) }));
  await esbuild.build({
    absWorkingDir: root,
    entryPoints: [{ in: 'test/harness/vscode/editorMain.ts', out: 'index' }, ...suites],
    outdir,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    external: ['vscode', 'mocha'],
    sourcemap: 'inline',
    logLevel: 'warning',
  });
  return join(outdir, 'index.cjs');
}
