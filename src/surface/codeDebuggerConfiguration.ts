/** What a code debugger is told to start a script for Basin's. */

/** What Basin's adapter asks for. */
export interface StartUnder {
  readonly under: 'node' | 'debugpy';
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** As VS Code takes one. */
export interface CodeDebuggerConfiguration {
  readonly type: string;
  readonly name: string;
  readonly request: string;
  readonly [more: string]: unknown;
}

/**
 * The same command line in the words of the code debugger: `[interpreter, …its options, script or -m module, …arguments]`.
 * Python's interpreter is a text: of a list, which debugpy would take too, its extension can make nothing.
 */
export function configurationOf(
  { under, command, cwd, env }: StartUnder,
  name: string,
): CodeDebuggerConfiguration {
  const [interpreter = '', ...words] = command;
  const shared = { request: 'launch', name, cwd, env, console: 'internalConsole' } as const;
  const module = words.indexOf('-m');
  const script = words.findIndex((word) => /\.(?:py|[cm]?[jt]s)$/.test(word));
  if (under === 'debugpy' && module >= 0 && (script < 0 || module < script)) {
    return {
      ...shared,
      type: 'debugpy',
      python: interpreter,
      pythonArgs: words.slice(0, module),
      module: words[module + 1],
      args: words.slice(module + 2),
    };
  }
  const [before, program, args] = [words.slice(0, script), words[script], words.slice(script + 1)];
  return under === 'debugpy'
    ? { ...shared, type: 'debugpy', python: interpreter, pythonArgs: before, program, args }
    : {
        ...shared,
        type: 'node',
        runtimeExecutable: interpreter,
        runtimeArgs: before,
        program,
        args,
        outputCapture: 'std',
      };
}
