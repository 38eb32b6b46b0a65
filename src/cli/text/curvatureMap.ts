/** The extreme eigenvalues over a plane as a person reads them on a terminal. */
import type { CurvatureMapResult } from '../../protocol/curvatureMap.ts';
import { figures, newTable } from './table.ts';

const MOST_COLUMNS = 9;

/** |λmin/λmax| over the plane, thinned to what fits on a terminal, and the centre. */
export function curvatureMapTable({ x, y, ratio, centre, plane }: CurvatureMapResult): string {
  const [columns, rows] = [thinned(x.length), thinned(y.length)];
  const table = newTable(['|λmin/λmax|', ...columns.map((i) => figures(x[i], 2))]);
  // As a picture has it: y grows upwards.
  for (const j of [...rows].reverse())
    table.push([figures(y[j], 2), ...columns.map((i) => figures(ratio[j]?.[i], 2))]);
  const middle = newTable();
  middle.push(
    ['axes', plane.directions.map((d) => d.name).join(', ')],
    ['λ at the centre', `${figures(centre.smallest)} to ${figures(centre.largest)}`],
    ['known to', figures(centre.residual, 2)],
  );
  return [table.toString(), middle.toString()].join('\n');
}

/** Indices that keep the middle and both ends. */
function thinned(length: number): number[] {
  const every = Math.ceil((length - 1) / (MOST_COLUMNS - 1));
  const middle = (length - 1) / 2;
  return Array.from({ length }, (_, i) => i).filter(
    (i) => (i - middle) % every === 0 || i === 0 || i === length - 1,
  );
}
