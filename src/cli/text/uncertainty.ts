/** How sure several models are of their answers, as a person reads it on a terminal. */
import type { Uncertainty } from '../../protocol/uncertainty.ts';
import { figures, newTable } from './table.ts';

export function uncertaintyTables(uncertainty: Uncertainty | null): string[] {
  if (uncertainty === null) return [];
  const table = newTable(['uncertainty', '5 %', 'median', '95 %', 'mean', 'where right', 'where wrong']);
  for (const { name, quantiles, mean, right, wrong } of uncertainty.measures) {
    const [, low, , , median, , , high] = quantiles;
    table.push([name, ...[low, median, high, mean, right, wrong].map((x) => figures(x, 3))]);
  }
  const kept = uncertainty.kept?.map(
    ({ share, accuracy }) => `${100 * share} %: ${(100 * accuracy).toFixed(1)} %`,
  );
  return [
    table.toString(),
    ...(kept === undefined ? [] : [`Accuracy of the most certain share of samples: ${kept.join(', ')}.`]),
  ];
}
