/** The landscapes of several runs as a person reads them on a terminal. */
import type { LandscapesResult } from '../../protocol/landscapes.ts';
import { figures, newTable } from './table.ts';

/** A row a run: its own loss at the first model, the lowest and the highest of its landscape, on what it was evaluated. */
export function landscapesTable({ landscapes }: LandscapesResult): string {
  const table = newTable([
    'run',
    'loss at the origin',
    'lowest',
    'highest',
    'standard error',
    'evaluated on',
  ]);
  for (const { name, contour } of landscapes) {
    if (contour === null) {
      table.push([name, '–', '–', '–', '–', '–']);
      continue;
    }
    const losses = contour.loss.flat().filter((loss) => loss !== null);
    const { samples, split, unit } = contour.data;
    table.push([
      name,
      figures(contour.centre.loss),
      figures(losses.reduce<number | null>((a, b) => (a === null || b < a ? b : a), null)),
      figures(losses.reduce<number | null>((a, b) => (a === null || b > a ? b : a), null)),
      figures(contour.standardError, 2),
      `${samples} ${split} ${unit ?? 'samples'}`,
    ]);
  }
  return table.toString();
}
