/** Tables and numbers as every answer on a terminal has them. */
import Table from 'cli-table3';

/** Plain: no colour of its own, so that it reads the same in a log. */
export function newTable(head: string[] = []): Table.Table {
  return new Table({ head, style: { head: [], border: [], compact: true } });
}

/** A number to so many significant figures; – where there is none. */
export function figures(x: number | null | undefined, digits = 4): string {
  if (x === null || x === undefined) return '–';
  if (x === 0 || !Number.isFinite(x)) return String(x);
  return String(Number(x.toPrecision(digits)));
}
