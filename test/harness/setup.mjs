/**
 * Sets a fresh clone up, and finds at once that nothing is left to do in one that is. Runs before node_modules exist,
 * so it imports nothing but Node's own.
 *
 *   node test/harness/setup.mjs [--vscode] [--torch]
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { exclusively } from './cache.mjs';
import { ensurePackages } from './debian.mjs';
import { must, say } from './progress.mjs';
import { setUpTfjsNode } from './tfjs-node.mjs';
import { setUpDebugpy, setUpReferences, setUpTorch } from './torch.mjs';
import { installVSCode } from './vscode/install.mjs';

export const root = resolve(import.meta.dirname, '../..');

/**
 * @param {{vscode?: boolean, torch?: boolean}} wanted vscode: also a real VS Code and a browser, for the editor and
 *   webview suites; torch: also a Python with torch
 * @returns {Promise<{tfjs: 'native' | 'wasm', python: string | null, missing: string[]}>} python: one that imports
 *   torch, null when there is none or none was wanted; missing: what could not be had, for people to read
 */
export async function setUp({ vscode = false, torch = false } = {}) {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 12)) {
    throw new Error(`Node ${process.versions.node} is too old: Basin needs Node 20.12 or newer.`);
  }
  const tfjs = await exclusively(join(root, 'out/setup.lock'), async () => {
    await installDependencies();
    return setUpTfjsNode(root);
  });
  let missing = [];
  if (vscode) {
    missing = await ensurePackages(['chromium', 'fonts-dejavu-core'], 'driving a real VS Code');
    await installVSCode();
  }
  let python = null;
  if (torch) {
    try {
      python = await setUpTorch(root);
    } catch (error) {
      say(error.message);
      missing = [...missing, 'a Python with torch'];
    }
    try {
      if (python !== null) await setUpReferences(root, python);
    } catch (error) {
      say(error.message);
      missing = [
        ...missing,
        'the curvature libraries that results of PyTorch scripts are compared with (torch)',
      ];
    }
    try {
      if (python !== null) await setUpDebugpy(root, python);
    } catch (error) {
      say(error.message);
      missing = [...missing, 'debugpy, which a test has scripts started under'];
    }
  }
  return { tfjs, python, missing };
}

async function installDependencies() {
  if (installedAsLocked()) return;
  say('installing the npm packages of the lockfile');
  // Install scripts stay off: the one that matters, tfjs-node's, is tried by itself where its download can be reached.
  await must('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    quiet: true,
    label: 'npm ci',
  });
}

/** Compares what npm says it installed with the lockfile; packages for other platforms may be left out. */
function installedAsLocked() {
  const hidden = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(hidden) || !existsSync(join(root, 'node_modules/@tensorflow/tfjs-node/package.json')))
    return false;
  const locked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(hidden, 'utf8')).packages;
  return Object.entries(locked).every(
    ([path, entry]) => path === '' || entry.optional || installed[path]?.version === entry.version,
  );
}

if (process.argv[1] === import.meta.filename) {
  const { tfjs, missing } = await setUp({
    vscode: process.argv.includes('--vscode'),
    torch: process.argv.includes('--torch'),
  });
  say(`ready; TensorFlow.js runs ${tfjs === 'native' ? 'natively (tfjs-node)' : 'on wasm'}`);
  process.exitCode = missing.length > 0 ? 1 : 0;
}
