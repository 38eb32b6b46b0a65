/** What an ensemble is made of, as a person reads it on a terminal. */
import type { EnsembleResult } from '../../protocol/results.ts';
import { figures, newTable } from './table.ts';

/** What every further member adds, and who was selected; nothing for results that do not tell. */
export function ensembleTables({ byCount, members, selection }: EnsembleResult): string[] {
  const tables: string[] = [];
  if (byCount != null && byCount.length > 1) {
    const table = newTable(['forward passes', 'with', 'loss', 'accuracy']);
    byCount.forEach(({ members: count, loss, standardError, accuracy }, i) => {
      const spread = standardError === null ? '' : ` ± ${figures(standardError, 2)}`;
      table.push([count, String(members[i] ?? ''), `${figures(loss)}${spread}`, figures(accuracy)]);
    });
    tables.push(table.toString());
  }
  if (selection?.refused != null)
    tables.push(
      `Next would have been ${selection.refused.member}, with loss ${figures(selection.refused.loss)}.`,
    );
  return tables;
}
