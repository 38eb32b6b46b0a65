/**
 * Keeps a script that is being launched from outliving whoever launches it: until a debugger drives it, nobody would see
 * that it goes on. A process of Basin's own, since one that is killed can end nobody.
 */
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import { isAlive, startTimeOf } from '../runs/processes.ts';
import { Run } from '../runs/run.ts';
import { settleRun } from './training.ts';

const wardSchema = v.object({
  pid: v.number(),
  /** null where the system does not tell. */
  startTime: v.nullable(v.string()),
  /** The run's directory. */
  run: v.string(),
});
type Ward = v.InferOutput<typeof wardSchema>;

const LOOK_MILLISECONDS = 20;

/**
 * Has a script, with all of its process group, ended as soon as this process is gone.
 * @param command starts {@link keepWatch}
 * @returns lets it go; call it when somebody has it in hand, or when it has ended
 */
export function watchOver(run: Run, pid: number, command: readonly [string, ...string[]]): () => void {
  const [program, ...args] = command;
  // Of a group of its own: what kills this process with its group must not kill it.
  const keeper = spawn(program, args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  // Without it a script waits for its debugger for a minute, as its probe does by itself.
  keeper.on('error', () => undefined);
  keeper.stdin.on('error', () => undefined);
  keeper.unref();
  const ward: Ward = { pid, startTime: startTimeOf(pid), run: run.directory };
  keeper.stdin.write(`${JSON.stringify(ward)}\n`);
  return () => void keeper.stdin.end('released\n');
}

/** The keeper's own work: reads the ward from its input, which ends when its starter does. */
export async function keepWatch(input: NodeJS.ReadableStream): Promise<void> {
  let text = '';
  for await (const chunk of input) text += String(chunk);
  const [first = '', released = ''] = text.split('\n');
  if (first === '' || released !== '') return;
  const { run, ...script } = v.parse(wardSchema, JSON.parse(first));
  if (!isAlive(script)) return;
  process.kill(process.platform === 'win32' ? script.pid : -script.pid, 'SIGKILL');
  while (isAlive(script)) await sleep(LOOK_MILLISECONDS);
  await settleRun(new Run(run), { code: null, signal: 'SIGKILL' }, 'Ended when its debugger was gone');
}
