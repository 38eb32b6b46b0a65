/**
 * Whose turn it is to measure beside a run that trains: whoever started it and a debugger that attaches both would, and
 * the run's budget is one. A file of the run names the process; one that is gone has lost its turn.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import * as v from 'valibot';
import { isAlive, startTimeOf } from '../runs/processes.ts';
import type { Run } from '../runs/run.ts';

const turnSchema = v.object({ pid: v.number(), startTime: v.nullable(v.string()) });

/** @returns what gives it back; null where a living process has it, or the run is gone */
export async function takeMeasuringTurn(run: Run): Promise<(() => Promise<void>) | null> {
  const file = run.path('measuring.json');
  const own = { pid: process.pid, startTime: startTimeOf(process.pid) };
  for (let tries = 0; tries < 2; tries++) {
    try {
      await writeFile(file, JSON.stringify(own), { flag: 'wx' });
      return () => rm(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return null;
    }
    const holder = v.safeParse(
      turnSchema,
      await readFile(file, 'utf8')
        .then(JSON.parse)
        .catch(() => null),
    );
    // What cannot be read is being written at this moment, or torn: the next try tells.
    if (holder.success && isAlive(holder.output)) return null;
    if (holder.success || tries > 0) await rm(file, { force: true });
  }
  return null;
}
