/** In a hooked shell: asking for a run for this process, at the moment when it loads TensorFlow.js. */
import { spawnSync } from 'node:child_process';
import * as v from 'valibot';
import {
  HOOK_VARIABLE,
  hookSchema,
  PROBE_VARIABLE,
  probeOptionsSchema,
  type ProbeOptions,
} from '../../protocol/launch.ts';

/** Longer than any machine takes to answer; then the script goes on unrecorded. */
const PATIENCE_MS = 20_000;

/**
 * The options that the answer holds, also left in this process's environment, where a child that trains in this one's
 * place finds them; null when there is no answer. Processes that this one starts ask for no run of their own.
 */
export function askForRun(variable: string): ProbeOptions | null {
  Reflect.deleteProperty(process.env, HOOK_VARIABLE);
  try {
    const { command, environment } = v.parse(hookSchema, JSON.parse(variable));
    const [program = '', ...words] = command;
    // The asked command is Basin's own: it must not load the probe. It strips the variables from what it records.
    const answer = spawnSync(
      program,
      [
        ...words,
        ...['--pid', String(process.pid), '--cwd', process.cwd(), '--'],
        ...[process.execPath, ...process.execArgv, ...process.argv.slice(1)],
      ],
      {
        encoding: 'utf8',
        timeout: PATIENCE_MS,
        stdio: ['ignore', 'pipe', 'ignore'],
        env: { ...process.env, ...environment },
      },
    );
    const options = v.parse(probeOptionsSchema, JSON.parse(answer.stdout));
    process.env[PROBE_VARIABLE] = JSON.stringify(options);
    return options;
  } catch {
    return null;
  }
}
