/** Whether the process that started this one for questions is gone: then nobody will ever ask. */
import { readlinkSync } from 'node:fs';
import type { Starter } from '../../protocol/launch.ts';

/** False as well where it cannot be known: without a starter, or from another namespace of process ids. */
export function isForsaken(starter: Starter | undefined): boolean {
  if (starter === undefined || namespace() !== starter.namespace) return false;
  try {
    process.kill(starter.pid, 0);
    return false;
  } catch (error) {
    // EPERM: it lives, under another user.
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

function namespace(): string | null {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return null;
  }
}
