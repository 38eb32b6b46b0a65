/** From a file to the command line that trains it under Basin. */
import { access } from 'node:fs/promises';
import { constants } from 'node:fs';
import path from 'node:path';
import { BasinError } from '../protocol/errors.ts';

export interface TrainOptions {
  readonly script: string;
  readonly scriptArguments: readonly string[];
  /** Workspace folder: `.basin/` is kept there. */
  readonly root: string;
  /** From the setting; empty for the `node` on the PATH. */
  readonly nodePath: string;
  /** dist/cli.cjs */
  readonly cli: string;
  /** Updates between snapshots; 0 for automatic. */
  readonly snapshotEvery: number;
  /** Seconds that the process is kept at its end; 0 = none. */
  readonly holdSeconds: number;
}

export interface TrainCommand {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly cwd: string;
}

const TYPESCRIPT = /\.[cm]?ts$/;
const JAVASCRIPT = /\.[cm]?js$/;

/**
 * Runs `basin train -- node script` in the script's package folder, as `npm run` would.
 * @throws BasinError `unsupported` for a file that Node cannot run, `not-found` without Node or, for TypeScript, tsx
 */
export async function trainCommand(
  options: TrainOptions,
  env: NodeJS.ProcessEnv = process.env,
): Promise<TrainCommand> {
  const { script, root } = options;
  const cwd = await packageFolder(path.dirname(script), root);
  const program = await findNode(options.nodePath, root, env);
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
      `${path.basename(script)} is not a script that Node runs.`,
      'Open a .js, .mjs, .cjs or .ts file that trains a model.',
    );
  }
  run.push(script, ...options.scriptArguments);
  const recording = [
    ...(options.snapshotEvery > 0 ? ['--every', String(options.snapshotEvery)] : []),
    ...(options.holdSeconds > 0 ? ['--hold', String(options.holdSeconds)] : []),
  ];
  return { program, arguments: [options.cli, 'train', '--root', root, ...recording, '--', ...run], cwd };
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
    if (await exists(file, constants.X_OK)) return file;
    throw new BasinError(
      'not-found',
      `There is no program ${file}.`,
      'Set basin.nodePath to the path of Node.js.',
    );
  }
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  for (const folder of (env['PATH'] ?? env['Path'] ?? '').split(path.delimiter)) {
    if (folder !== '' && (await exists(path.join(folder, name), constants.X_OK)))
      return path.join(folder, name);
  }
  throw new BasinError(
    'not-found',
    'There is no Node.js on the PATH, and training scripts run with it.',
    'Install Node.js 20 or newer, or set basin.nodePath to its path.',
  );
}

async function exists(file: string, mode = constants.F_OK): Promise<boolean> {
  return access(file, mode).then(
    () => true,
    () => false,
  );
}
