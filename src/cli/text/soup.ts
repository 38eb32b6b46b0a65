/** What a greedy soup decided, as a person reads it on a terminal. */
import type { SoupResult } from '../../protocol/soups.ts';
import { figures, newTable } from './table.ts';

export function decisionsTable({ decisions, by, baseline }: SoupResult): string {
  const table = newTable(['candidate', `${by} before`, `${by} with it`, '']);
  table.push([baseline.id, '', '', 'the best: in']);
  for (const { candidate, before, after, added } of decisions)
    table.push([candidate, figures(before), figures(after), added ? 'in' : 'out']);
  return table.toString();
}
