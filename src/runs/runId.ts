/** Ids of runs, models and results: sortable by time of making, readable, and safe as file names anywhere. */
import { randomInt } from 'node:crypto';

const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789';

/** e.g. `20260123-154210123-k7qm`: UTC to the millisecond, so that ids sort by age, and four random characters. */
export function newRunId(now = new Date()): string {
  const digits = now.toISOString().replaceAll(/[-:.]/g, '');
  return `${digits.slice(0, 8)}-${digits.slice(9, 18)}-${randomCharacters(4)}`;
}

/** e.g. `contour-20260123-154210123-k7qm`. */
export function newResultId(kind: string, now = new Date()): string {
  return `${kind}-${newRunId(now)}`;
}

function randomCharacters(n: number): string {
  return Array.from({ length: n }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
}
