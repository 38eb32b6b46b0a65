/** Tables and numbers as every answer on a terminal has them. */
import Table from 'cli-table3';

/** Plain: no colour of its own, so that it reads the same in a log. */
export function newTable(head: string[] = []): Table.Table {
  return new Table({ head, style: { head: [], border: [], compact: true } });
}

/** From here on a number is written with its power of ten: nobody counts the zeros of 470000000000000000. */
const WITH_POWER = 1e7;

/** A number to so many significant figures; – where there is none. */
export function figures(x: number | null | undefined, digits = 4): string {
  if (x === null || x === undefined) return '–';
  if (x === 0 || !Number.isFinite(x)) return String(x);
  const rounded = Number(x.toPrecision(digits));
  return Math.abs(rounded) < WITH_POWER ? String(rounded) : rounded.toExponential().replace('e+', 'e');
}
