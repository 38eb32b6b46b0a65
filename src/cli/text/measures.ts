/** Measures against the generalisation gap as a person reads them on a terminal. */
import { measureWords, type MeasuresResult, type RankCorrelation } from '../../protocol/measures.ts';
import { figures, newTable } from './table.ts';

/** Measures over all runs, and the runs' own numbers below. */
export function measuresTables({ measures, runs, gap }: MeasuresResult): string {
  const table = newTable([
    'measure',
    'runs',
    'Spearman ρ',
    '95 %',
    'p',
    'of all',
    'Kendall τ',
    'p',
    'verdict',
  ]);
  for (const m of measures) {
    table.push([
      measureWords[m.name],
      m.runs,
      figures(m.spearman?.value, 2),
      range(m.spearman),
      figures(m.spearman?.p, 2),
      figures(m.spearman?.adjusted, 2),
      figures(m.kendall?.value, 2),
      figures(m.kendall?.p, 2),
      m.verdict.replace('-', ' '),
    ]);
  }
  const each = newTable(['run', 'name', 'at', `${gap} gap`, '±', 'measures known']);
  for (const { run, name, at, gap: known, values } of runs) {
    each.push([
      run,
      name,
      at,
      figures(known?.value),
      figures(known?.standardError, 2),
      `${values.filter((value) => value !== null).length} of ${measures.length}`,
    ]);
  }
  return [table.toString(), each.toString()].join('\n');
}

function range(correlation: RankCorrelation | null): string {
  if (correlation?.interval == null) return '–';
  return correlation.interval.map((end) => figures(end, 2)).join(' to ');
}
