/** What the benchmarks share: child processes, medians, lines of a table. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '../..');
export const cli = join(root, 'dist/cli.cjs');
export const trainScript = join(import.meta.dirname, 'scripts/train.mjs');

/** A folder for runs that goes when the benchmark is done; inside the repository, so that scripts find its packages. */
export function scratchFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(root, 'out/bench-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Runs Node with the arguments to its end; its stdout. */
export function node(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  return run(process.execPath, args, env);
}

/** Runs a program to its end; its stdout. */
export async function run(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<string> {
  const child = spawn(program, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (data: Buffer) => (output += data.toString()));
  child.stderr.on('data', (data: Buffer) => (errors += data.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}:\n${errors.slice(-2000)}`);
  return output;
}

export function readJson<T>(file: string): T {
  return JSON.parse(readFileSync(file, 'utf8')) as T;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/**
 * The same work in two ways, `rounds` times in turn: a machine that warms up or fills up in one direction favours
 * neither.
 */
export async function sideBySide<T>(
  rounds: number,
  first: (round: number) => Promise<T>,
  second: (round: number) => Promise<T>,
): Promise<readonly [T[], T[]]> {
  const results: readonly [T[], T[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    for (const way of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
      results[way].push(await (way === 0 ? first : second)(round));
    }
  }
  return results;
}

/**
 * One line: what, the median of the repeats with their range, the target, and plainly whether it was reached.
 * @param values one ratio a round, each of things measured side by side in that round
 */
export function report(
  what: string,
  values: number | readonly number[],
  target: { readonly atMost?: number; readonly atLeast?: number },
): void {
  const { atMost, atLeast } = target;
  const all = typeof values === 'number' ? [values] : values;
  const value = median(all);
  const range = all.length > 1 ? `[${Math.min(...all).toFixed(3)} .. ${Math.max(...all).toFixed(3)}]` : '';
  const reached = (atMost === undefined || value <= atMost) && (atLeast === undefined || value >= atLeast);
  const bound = atMost === undefined ? (atLeast === undefined ? '' : `≥ ${atLeast}`) : `≤ ${atMost}`;
  const verdict = bound === '' ? '' : `target ${bound}: ${reached ? 'reached' : 'NOT reached'}`;
  console.log(
    `  ${what.padEnd(58)} ${value.toFixed(3).padStart(8)}  ${range.padEnd(20)}${verdict}`.trimEnd(),
  );
}
