/** Distributions of margins as a person reads them on a terminal. */
import { marginQuantiles, type MarginsResult } from '../../protocol/generalisation.ts';
import { figures, newTable } from './table.ts';

export function marginsTable(result: MarginsResult): string {
  const shown = [0.05, 0.25, 0.5, 0.75, 0.95];
  const table = newTable(['margin', 'samples', 'not right', 'mean', ...shown.map((p) => `${100 * p} %`)]);
  for (const split of ['train', 'validation'] as const) {
    const seen = result[split];
    if (seen === null) continue;
    for (const space of ['output', 'input'] as const) {
      const found = seen[space];
      if (found === null) continue;
      table.push([
        `${split}, ${space}`,
        seen.samples - (space === 'input' ? seen.flat : 0),
        `${figures(100 * found.notRight, 3)} %`,
        `${figures(found.mean)} ± ${figures(found.standardError, 2)}`,
        ...shown.map((p) => figures(found.quantiles[marginQuantiles.findIndex((q) => q === p)])),
      ]);
    }
  }
  return table.toString();
}
