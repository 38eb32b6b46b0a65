/** Which Python people expect their script to be run with. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { BasinError } from '../protocol/errors.ts';
import { exists } from './files.ts';
import { findOnPath, isProgram, windows } from './programs.ts';

export interface PythonSearch {
  /** The script's folder. */
  readonly folder: string;
  /** The workspace folder; virtual environments are looked for from `folder` up to it. */
  readonly root: string;
  /** What the user has set; empty for none. Relative to `root`, or a program's name on the PATH. */
  readonly setting: string;
  readonly env: NodeJS.ProcessEnv;
}

export interface Python {
  /** Absolute path. */
  readonly program: string;
  /** Why this one, in a few words for people. */
  readonly from: string;
}

const VIRTUAL_ENVIRONMENTS = ['.venv', 'venv', 'env'];

/**
 * In this order: the setting; a virtual environment beside the script or above it up to the workspace folder; the
 * active one (VIRTUAL_ENV, CONDA_PREFIX); `python3` or `python` on the PATH.
 * @throws BasinError `not-found`
 */
export async function findPython({ folder, root, setting, env }: PythonSearch): Promise<Python> {
  if (setting !== '')
    return { program: await fromSetting(setting, root, env), from: 'setting basin.pythonPath' };
  for (const above of foldersUpTo(folder, root)) {
    for (const name of VIRTUAL_ENVIRONMENTS) {
      const program = await inEnvironment(path.join(above, name));
      if (program !== null)
        return { program, from: `virtual environment ${path.relative(root, path.join(above, name))}` };
    }
  }
  for (const variable of ['VIRTUAL_ENV', 'CONDA_PREFIX']) {
    const prefix = env[variable];
    const program = prefix === undefined || prefix === '' ? null : await inPrefix(prefix);
    if (program !== null) return { program, from: `active environment (${variable})` };
  }
  for (const name of ['python3', 'python']) {
    const program = await findOnPath(name, env);
    if (program !== null) return { program, from: `${name} on the PATH` };
  }
  throw new BasinError(
    'not-found',
    'There is no Python on the PATH and no virtual environment in the workspace.',
    'Install Python 3.9 or newer, make a .venv, or set basin.pythonPath to its path.',
  );
}

/** The Python of a virtual environment in or above a folder that has torch installed; null when there is none. */
export async function pythonWithTorch(folder: string): Promise<string | null> {
  for (const above of foldersUpTo(folder, path.parse(folder).root)) {
    for (const name of VIRTUAL_ENVIRONMENTS) {
      const environment = path.join(above, name);
      const program = await inEnvironment(environment);
      if (program !== null && (await hasPackage(environment, 'torch'))) return program;
    }
  }
  return null;
}

async function fromSetting(setting: string, root: string, env: NodeJS.ProcessEnv): Promise<string> {
  const named = /[\\/]/.test(setting) ? null : await findOnPath(setting, env);
  if (named !== null) return named;
  const file = path.resolve(root, setting);
  if (await isProgram(file)) return file;
  // A virtual environment's folder is what people have at hand as well.
  const inside = await inPrefix(file);
  if (inside !== null) return inside;
  throw new BasinError(
    'not-found',
    `There is no Python at ${file}.`,
    'Set basin.pythonPath to the path of Python.',
  );
}

function foldersUpTo(folder: string, root: string): string[] {
  const folders: string[] = [];
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    folders.push(at);
    if (at === path.resolve(root) || at === path.dirname(at)) return folders;
  }
}

/** pyvenv.cfg tells a virtual environment from a folder that is only called so. */
async function inEnvironment(folder: string): Promise<string | null> {
  return (await exists(path.join(folder, 'pyvenv.cfg'))) ? inPrefix(folder) : null;
}

async function inPrefix(prefix: string): Promise<string | null> {
  const places = windows ? ['Scripts/python.exe', 'python.exe'] : ['bin/python', 'bin/python3'];
  for (const place of places) {
    if (await isProgram(path.join(prefix, place))) return path.join(prefix, place);
  }
  return null;
}

async function hasPackage(environment: string, name: string): Promise<boolean> {
  if (windows) return exists(path.join(environment, 'Lib/site-packages', name));
  const versions = await readdir(path.join(environment, 'lib')).catch(() => []);
  for (const version of versions) {
    if (await exists(path.join(environment, 'lib', version, 'site-packages', name))) return true;
  }
  return false;
}
