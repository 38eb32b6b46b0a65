/**
 * Telling a process from a later one with the same pid: run.json keeps the start time that the system gives.
 * Linux: field 22 (starttime, clock ticks since boot) of /proc/<pid>/stat. Elsewhere null: the pid alone decides.
 */

/**
 * @param stat content of /proc/<pid>/stat; its second field, the command in parentheses, may hold spaces and
 *   parentheses itself, so fields are counted from the last closing one
 * @returns null when the text is no such line
 */
export function parseStartTime(stat: string): string | null {
  const behindCommand = stat.lastIndexOf(')');
  if (behindCommand < 0) return null;
  const field = stat.slice(behindCommand + 2).split(' ')[22 - 3];
  return field !== undefined && /^\d+$/.test(field) ? field : null;
}
