/** Whether the process that writes a run is still the one it was. */
import { readFileSync, readlinkSync } from 'node:fs';
import { parseStartTime } from '../protocol/processIdentity.ts';

export interface ProcessIdentity {
  readonly pid: number;
  /** null where the system does not tell; then the pid alone decides. */
  readonly startTime: string | null;
}

/** Start time of a living process as run.json keeps it; null when it is gone or the system does not tell. */
export function startTimeOf(pid: number): string | null {
  if (process.platform !== 'linux') return null;
  try {
    return parseStartTime(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return null;
  }
}

/** Linux's name for the namespace of this process's ids; null where there is none. */
export function processNamespace(): string | null {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return null;
  }
}

/** False for a pid that was given to another process since, and for a zombie: it will never write again. */
export function isAlive(identity: ProcessIdentity): boolean {
  try {
    process.kill(identity.pid, 0);
  } catch (error) {
    // EPERM: it lives, under another user.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  if (process.platform !== 'linux') return true;
  try {
    const stat = readFileSync(`/proc/${identity.pid}/stat`, 'utf8');
    const state = stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
    if (state === 'Z' || state === 'X') return false;
    const startTime = parseStartTime(stat);
    return identity.startTime === null || startTime === null || startTime === identity.startTime;
  } catch {
    // /proc may be mounted so that other users' processes are hidden: trust the signal.
    return true;
  }
}
