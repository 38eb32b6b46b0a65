/** How a training script is run: by which interpreter, with which words, in which folder. */
import path from 'node:path';
import { BasinError } from '../protocol/errors.ts';
import { exists } from './files.ts';
import { findOnPath, isProgram } from './programs.ts';
import { findPython } from './python.ts';

export interface Script {
  readonly script: string;
  readonly scriptArguments: readonly string[];
  /** Workspace folder. */
  readonly root: string;
  /** From the setting; empty for the `node` on the PATH. */
  readonly nodePath: string;
  /** From the setting; empty to look for one. */
  readonly pythonPath: string;
  /** The interpreter that the Python extension has for the script; null without that extension. */
  readonly activePython: string | null;
}

export interface ScriptCommand {
  readonly run: readonly string[];
  readonly cwd: string;
  /** Where the interpreter was found. */
  readonly from: string;
}

const TYPESCRIPT = /\.[cm]?ts$/;
const JAVASCRIPT = /\.[cm]?js$/;

export const isPython = (script: string): boolean => script.endsWith('.py');

/** The file that stands for a Python module where an interpreter is looked for. */
export const moduleFile = (root: string, module: string): string =>
  path.join(root, `${module.replaceAll('.', path.sep)}.py`);

/** @throws BasinError `unsupported` for a notebook and for a file that neither runs, `not-found` without Node, Python or, for TypeScript, tsx */
export async function scriptCommand(
  script: Script,
  env: NodeJS.ProcessEnv = process.env,
): Promise<ScriptCommand> {
  if (script.script.endsWith('.ipynb')) {
    const name = path.basename(script.script);
    throw new BasinError(
      'unsupported',
      `${name} is a notebook: what is recorded runs as a script, from its first line to its last.`,
      `Run \`jupyter nbconvert --to script ${/\s/.test(name) ? `"${name}"` : name}\` in its folder, then train the .py file that it writes.`,
    );
  }
  return isPython(script.script) ? pythonCommand(script, env) : nodeCommand(script, env);
}

/**
 * `python script` in the workspace folder, as the Python extension's Run does; a module of a package (there is an
 * `__init__.py` beside it) as `python -m package.module` in the folder that holds the package, so that its relative
 * imports work.
 */
async function pythonCommand(options: Script, env: NodeJS.ProcessEnv): Promise<ScriptCommand> {
  const { script, root, scriptArguments } = options;
  const folder = path.dirname(script);
  const { program: python, from } =
    options.pythonPath === '' && options.activePython !== null
      ? { program: options.activePython, from: 'chosen in the Python extension' }
      : await findPython({ folder, root, setting: options.pythonPath, env });
  const packages: string[] = [];
  let above = folder;
  while (above !== path.dirname(above) && (await exists(path.join(above, '__init__.py')))) {
    packages.unshift(path.basename(above));
    above = path.dirname(above);
  }
  if (packages.length === 0) return { run: [python, script, ...scriptArguments], cwd: root, from };
  const name = path.basename(script, '.py');
  const module = [...packages, ...(name === '__main__' || name === '__init__' ? [] : [name])].join('.');
  return { run: [python, '-m', module, ...scriptArguments], cwd: above, from };
}

/** `node script` in the nearest folder with a package.json. */
async function nodeCommand(options: Script, env: NodeJS.ProcessEnv): Promise<ScriptCommand> {
  const { script, root } = options;
  const cwd = await packageFolder(path.dirname(script), root);
  const program = await findNode(options.nodePath, root, env);
  const from = options.nodePath === '' ? 'node on the PATH' : 'setting basin.nodePath';
  const run: string[] = [program];
  if (TYPESCRIPT.test(script)) {
    if (!(await hasPackage(cwd, 'tsx'))) {
      throw new BasinError(
        'not-found',
        `${path.basename(script)} is TypeScript, and tsx, which runs it, is not installed in ${cwd}.`,
        'Run `npm install --save-dev tsx` there.',
      );
    }
    run.push('--import', 'tsx');
  } else if (!JAVASCRIPT.test(script)) {
    throw new BasinError(
      'unsupported',
      `${path.basename(script)} is not a script that Node or Python runs.`,
      'Open a .js, .mjs, .cjs, .ts or .py file that trains a model.',
    );
  }
  run.push(script, ...options.scriptArguments);
  return { run, cwd, from };
}

/** The nearest folder with a package.json between a script's folder and the workspace folder, else the latter. */
async function packageFolder(from: string, root: string): Promise<string> {
  for (let folder = from; ; folder = path.dirname(folder)) {
    if (await exists(path.join(folder, 'package.json'))) return folder;
    const inside = path.relative(root, folder);
    if (inside === '' || inside.startsWith('..') || folder === path.dirname(folder)) return root;
  }
}

/** As Node resolves a bare name from a folder. */
async function hasPackage(from: string, name: string): Promise<boolean> {
  for (let folder = from; ; folder = path.dirname(folder)) {
    if (await exists(path.join(folder, 'node_modules', name, 'package.json'))) return true;
    if (folder === path.dirname(folder)) return false;
  }
}

async function findNode(setting: string, root: string, env: NodeJS.ProcessEnv): Promise<string> {
  if (setting !== '') {
    const file = path.resolve(root, setting);
    if (await isProgram(file)) return file;
    throw new BasinError(
      'not-found',
      `There is no program ${file}.`,
      'Set basin.nodePath to the path of Node.js.',
    );
  }
  const found = await findOnPath('node', env);
  if (found !== null) return found;
  throw new BasinError(
    'not-found',
    'There is no Node.js on the PATH, and training scripts run with it.',
    'Install Node.js 20 or newer, or set basin.nodePath to its path.',
  );
}
