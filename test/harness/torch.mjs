/**
 * A virtual environment of the project's own with the torch that the tests are pinned to, built once into the cache
 * folder. It is always used as `python -m …`: its scripts name the folder it was built in.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached, cacheDirectory, fingerprint } from './cache.mjs';
import { ensurePackages, findVenv } from './debian.mjs';
import { must, say } from './progress.mjs';

const requirementsOf = (root) => join(root, 'test/torch/requirements.txt');
const referencesOf = (root) => join(root, 'test/torch/requirements-references.txt');
const debugpyOf = (root) => join(root, 'test/torch/requirements-debugpy.txt');
const pythonIn = (folder) =>
  process.platform === 'win32' ? join(folder, 'Scripts/python.exe') : join(folder, 'bin/python');

/**
 * @param {string} root the repository
 * @returns {Promise<string>} absolute path of a Python that imports torch; $BASIN_TEST_PYTHON names another one
 * @throws when there is no Python that makes virtual environments, or pip cannot install
 */
export async function setUpTorch(root) {
  const given = process.env.BASIN_TEST_PYTHON;
  if (given) {
    if (importsTorch(given)) return given;
    throw new Error(`BASIN_TEST_PYTHON is ${given}, which cannot import torch and pytest.`);
  }
  const missing = await ensurePackages(['python3-venv'], 'a Python environment with torch for the tests');
  const base = findVenv();
  if (missing.length > 0 || base === null) throw new Error('No Python 3.9 or newer with the module venv.');
  const place = await cached(entryName(root, base), async (folder) => {
    say('installing torch into a virtual environment of its own (about 200 MB, once)');
    await must(base, ['-m', 'venv', folder], { quiet: true, label: 'python -m venv' });
    await must(
      pythonIn(folder),
      ['-m', 'pip', 'install', '--disable-pip-version-check', '--quiet', '-r', requirementsOf(root)],
      { quiet: true, label: 'pip install torch' },
    );
  });
  return pythonIn(place);
}

/** The environment if it has been built already; null otherwise. Installs nothing. */
export function findTestPython(root) {
  const given = process.env.BASIN_TEST_PYTHON;
  if (given) return importsTorch(given) ? given : null;
  const base = findVenv();
  if (base === null) return null;
  const python = pythonIn(join(cacheDirectory(), entryName(root, base)));
  return existsSync(python) ? python : null;
}

/**
 * Curvature libraries of others, for the cross-check: a folder for PYTHONPATH, beside the environment rather than in it,
 * so that no test but that one depends on them.
 * @param {string} root the repository
 * @param {string} python one that imports torch
 * @returns {Promise<string>} the folder
 */
export function setUpReferences(root, python) {
  return cached(referencesName(root, python), async (folder) => {
    say('installing the curvature libraries that the cross-check compares with (about 50 MB, once)');
    const args = ['--no-deps', '--disable-pip-version-check', '--quiet', '--target', folder];
    await must(python, ['-m', 'pip', 'install', ...args, '-r', referencesOf(root)], {
      quiet: true,
      label: 'pip install of the curvature libraries',
    });
  });
}

/** The folder if it has been filled already; null otherwise. Installs nothing. */
export function findReferences(root, python) {
  const place = join(cacheDirectory(), referencesName(root, python));
  return existsSync(place) ? place : null;
}

/**
 * Python's code debugger, in a folder of its own for PYTHONPATH as well.
 * @param {string} root the repository
 * @param {string} python one that imports torch
 * @returns {Promise<string>} the folder
 */
export function setUpDebugpy(root, python) {
  return cached(debugpyName(root, python), async (folder) => {
    say('installing debugpy, which a test has scripts started under (about 15 MB, once)');
    const args = ['--no-deps', '--disable-pip-version-check', '--quiet', '--target', folder];
    await must(python, ['-m', 'pip', 'install', ...args, '-r', debugpyOf(root)], {
      quiet: true,
      label: 'pip install debugpy',
    });
  });
}

/** The folder if it has been filled already; null otherwise. Installs nothing. */
export function findDebugpy(root, python) {
  const place = join(cacheDirectory(), debugpyName(root, python));
  return existsSync(place) ? place : null;
}

function debugpyName(root, python) {
  return besideTorch('debugpy', debugpyOf(root), python);
}

function referencesName(root, python) {
  return besideTorch('references', referencesOf(root), python);
}

/** The cache entry of what one version of Python imports beside torch. */
function besideTorch(name, requirements, python) {
  const code = 'import sys; print(*sys.version_info[:2])';
  const { stdout } = spawnSync(python, ['-c', code], { encoding: 'utf8' });
  const recipe = fingerprint(readFileSync(requirements), stdout);
  return `${name}-${process.platform}-${process.arch}-${recipe}`;
}

function entryName(root, base) {
  const { stdout } = spawnSync(base, ['-c', 'import sys; print(sys.version, sys.prefix)'], {
    encoding: 'utf8',
  });
  const recipe = fingerprint(readFileSync(requirementsOf(root)), stdout);
  return `torch-${process.platform}-${process.arch}-${recipe}`;
}

function importsTorch(python) {
  return spawnSync(python, ['-c', 'import torch, pytest'], { stdio: 'ignore' }).status === 0;
}
