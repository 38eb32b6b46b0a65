/** Progress lines of the harness: what runs, and for how long it has been running. */
import { spawn } from 'node:child_process';
import { performance } from 'node:perf_hooks';

const started = performance.now();

export function say(text) {
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`[${seconds.padStart(6)} s] ${text}`);
}

/**
 * Runs a command to its end, its output shown. While it is silent for long, a line says that it still runs.
 * @returns {Promise<{code: number, output: string}>} output: stdout and stderr as they came, if `quiet`
 */
export function run(command, args, { cwd, env, quiet = false, label = command, timeoutMs } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: env ?? process.env,
      stdio: quiet ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
    });
    let output = '';
    child.stdout?.on('data', (data) => (output += data));
    child.stderr?.on('data', (data) => (output += data));
    const began = performance.now();
    const alive = setInterval(() => {
      if (quiet) say(`${label}: still at it after ${Math.round((performance.now() - began) / 1000)} s`);
    }, 15_000);
    const limit = timeoutMs && setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    const forward = (signal) => child.kill(signal);
    process.on('SIGINT', forward).on('SIGTERM', forward);
    const settle = () => {
      clearInterval(alive);
      clearTimeout(limit);
      process.off('SIGINT', forward).off('SIGTERM', forward);
    };
    child.once('error', (error) => (settle(), reject(error)));
    child.once('close', (code, signal) => (settle(), resolve({ code: code ?? (signal ? 128 : 1), output })));
  });
}

/** As {@link run}, but a failure throws with the command's last lines. */
export async function must(command, args, options = {}) {
  const { code, output } = await run(command, args, options);
  if (code === 0) return output;
  const tail = output.trim().split('\n').slice(-12).join('\n');
  throw new Error(
    `${options.label ?? [command, ...args].join(' ')} failed (exit ${code})${tail && `:\n${tail}`}`,
  );
}
