/** What repeats in a run's updates, as a person reads it on a terminal. */
import type { CyclesResult } from '../../protocol/cycles.ts';
import { figures, newTable } from './table.ts';

export function cyclesTable(result: CyclesResult): string {
  const { autocorrelation: r, ofUpdates, epoch, strongest, momentum } = result;
  const carried = momentum !== null && momentum.beta > 0;
  const table = newTable([
    'lag',
    'autocorrelation of the updates',
    ...(carried ? ['with momentum taken out'] : []),
  ]);
  const row = (name: string, lag: number): void => {
    if (r[lag] === undefined) return;
    const own = carried ? figures(ofUpdates[lag], 3) : figures(r[lag], 3);
    table.push([`${lag}${name}`, own, ...(carried ? [figures(r[lag], 3)] : [])]);
  };
  for (const lag of [1, 2, 3]) row('', lag);
  if (epoch !== null) for (const k of [1, 2, 3]) row(` (${k} epoch${k > 1 ? 's' : ''})`, k * epoch);
  if (strongest !== null) row(' (the largest)', strongest.lag);
  return table.toString();
}
