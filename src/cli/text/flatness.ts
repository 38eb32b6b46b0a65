/** Measures of flatness as a person reads them on a terminal. */
import type { Evaluations, FlatnessMeasure, FlatnessResult } from '../../protocol/flatness.ts';
import { figures, newTable } from './table.ts';

export function flatnessTable(result: FlatnessResult): string {
  const table = newTable(['measure', 'paper', 'settings', 'value', 'same function, rescaled', 'evaluations']);
  for (const measure of result.measures) {
    const { name, paper, settings, value, standardError, evaluations } = measure;
    table.push([
      name,
      paper,
      Object.entries(settings)
        .map(([key, setting]) => `${key} ${setting}`)
        .join('\n'),
      standardError === null ? figures(value) : `${figures(value)} ± ${figures(standardError, 2)}`,
      twinText(measure),
      evaluationsText(evaluations),
    ]);
  }
  const meanings = result.measures.map(({ name, meaning }) => `${name}: ${meaning}`);
  return [table.toString(), `loss ${figures(result.loss)} at ${result.at}`, ...meanings].join('\n');
}

function twinText({ twin }: FlatnessMeasure): string {
  if (twin === null) return '–';
  if (twin.verdict === 'unknown') return 'unknown';
  return twin.verdict === 'unchanged' ? 'unchanged' : `changes by factor ${figures(twin.factor, 3)}`;
}

function evaluationsText(spent: Evaluations): string {
  return Object.entries(spent)
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${count} ${what}`)
    .join('\n');
}
