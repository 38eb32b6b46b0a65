/** Starting a user's command and learning how it ended. */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { BasinError } from '../protocol/errors.ts';

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface StartedChild {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly ended: Promise<Ending>;
}

/** @throws BasinError `bad-input` when the command or its working directory is not there */
export async function startCommand(
  command: readonly string[],
  options: SpawnOptions & { cwd: string },
): Promise<StartedChild> {
  const [program, ...args] = command;
  if (program === undefined)
    throw new BasinError('bad-input', 'No command was given.', 'Give one after `--`.');
  if (statSync(options.cwd, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new BasinError('bad-input', `The working directory ${options.cwd} is not there.`);
  }
  const missing = missingScript(program, args, options.cwd);
  if (missing !== null) {
    throw new BasinError(
      'bad-input',
      `There is no ${missing} in ${options.cwd}.`,
      'Check its name, and the folder that the command is started in.',
    );
  }
  // npm, npx and the like are .cmd files on Windows, which only a shell can start.
  const shell = process.platform === 'win32' && path.extname(program) === '' && program !== 'node';
  const child = spawn(program, args, { ...options, shell });
  const ended = new Promise<Ending>((resolve) =>
    child.once('exit', (code, signal) => resolve({ code, signal })),
  );
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'ENOENT' ? 'it is not on the PATH' : error.message;
      reject(
        new BasinError('bad-input', `Cannot start ${program}: ${why}.`, cureFor(program, options.cwd), {
          cause: error,
        }),
      );
    });
  });
  return { child, pid: child.pid as number, ended };
}

/** Options of Python and Node that take no argument of their own, and leave the next word to be the script. */
const FLAGS =
  /^(?:-[bBdOqsuv]+|--(?:trace-warnings|trace-uncaught|no-warnings|enable-source-maps|expose-gc))$/;

/** The script that an interpreter is given and that is not there; null where that is not known for sure. */
export function missingScript(program: string, args: readonly string[], cwd: string): string | null {
  if (!/^(?:python[\d.]*|node(?:js)?)(?:\.exe)?$/i.test(path.basename(program))) return null;
  const script = args.find((word) => !FLAGS.test(word));
  if (script === undefined || script.startsWith('-') || !/\.(?:py|[cm]?[jt]s)$/.test(script)) return null;
  return existsSync(path.resolve(cwd, script)) ? null : script;
}

/** A script that lies there wants its interpreter before it. */
function cureFor(program: string, cwd: string): string {
  const interpreter = /\.py$/i.test(program) ? 'python' : /\.[cm]?[jt]s$/i.test(program) ? 'node' : null;
  const isThere = statSync(path.resolve(cwd, program), { throwIfNoEntry: false })?.isFile() === true;
  if (interpreter === null) return 'Check the command line.';
  return isThere
    ? `Name what runs it: ${interpreter} ${program}`
    : `There is no ${program} in ${cwd}; a script is started by its interpreter: ${interpreter} ${program}`;
}

const signalNumbers: Readonly<Record<number, NodeJS.Signals>> = {
  1: 'SIGHUP',
  2: 'SIGINT',
  4: 'SIGILL',
  6: 'SIGABRT',
  8: 'SIGFPE',
  9: 'SIGKILL',
  11: 'SIGSEGV',
  15: 'SIGTERM',
};

/** The signal that ended a process, also when a shell or npm in between turned it into an exit code of 128 + n. */
export function endingSignal(ending: Ending): NodeJS.Signals | null {
  return ending.signal ?? signalNumbers[(ending.code ?? 0) - 128] ?? null;
}
