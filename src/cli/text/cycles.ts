/** What repeats in a run's updates, as a person reads it on a terminal. */
import type { CyclesResult } from '../../protocol/cycles.ts';
import { figures, newTable } from './table.ts';

export function cyclesTable(result: CyclesResult): string {
  const { autocorrelation: r, epoch, strongest } = result;
  const table = newTable(['lag', 'autocorrelation of the updates']);
  const row = (name: string, lag: number): void => {
    if (r[lag] !== undefined) table.push([`${lag}${name}`, figures(r[lag], 3)]);
  };
  for (const lag of [1, 2, 3]) row('', lag);
  if (epoch !== null) for (const k of [1, 2, 3]) row(` (${k} epoch${k > 1 ? 's' : ''})`, k * epoch);
  if (strongest !== null) row(' (the largest)', strongest.lag);
  return table.toString();
}
