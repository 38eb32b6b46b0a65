/** Scores of the last snapshot, the average and the ensemble side by side, with their standard errors. */
import type { AnalysisResult } from '../src/protocol/analyses.ts';
import type { AverageResult, EnsembleResult, Score, Scores } from '../src/protocol/results.ts';
import { h } from './dom.ts';
import { formatAccuracy, formatCount, formatWithError } from './format.ts';
import { strings } from './strings.ts';

export type Comparison = 'better' | 'worse' | 'same';

interface Row {
  readonly name: string;
  readonly scores: Scores;
  /** Forward passes per prediction. */
  readonly cost: number;
}

/**
 * Whether a value differs by more than two standard errors of the difference of two independent means. On the
 * same samples the two are correlated, so their difference is known better than this: a cautious test.
 */
export function compare(
  value: number | null,
  error: number | null,
  base: number | null,
  baseError: number | null,
  smallerIsBetter: boolean,
): Comparison {
  if (value === null || base === null || error === null || baseError === null) return 'same';
  const difference = smallerIsBetter ? base - value : value - base;
  if (Math.abs(difference) <= 2 * Math.hypot(error, baseError)) return 'same';
  return difference > 0 ? 'better' : 'worse';
}

/** The newest average and the newest ensemble; null when there is neither. */
export function newestBuilt(results: readonly AnalysisResult[]): {
  average: AverageResult | null;
  ensemble: EnsembleResult | null;
} {
  return {
    average: results.find((result) => result.kind === 'average') ?? null,
    ensemble: results.find((result) => result.kind === 'ensemble') ?? null,
  };
}

export type TrainedResult = Extract<AnalysisResult, { kind: 'swa' | 'fge' | 'snapshot-ensemble' }>;

/** The newest of each way of training further. */
export function newestTrained(results: readonly AnalysisResult[]): TrainedResult[] {
  const newest = <K extends TrainedResult['kind']>(kind: K): TrainedResult[] =>
    results.filter((r): r is TrainedResult => r.kind === kind).slice(0, 1);
  return [...newest('swa'), ...newest('fge'), ...newest('snapshot-ensemble')];
}

/** null while nothing has been built. */
export function scoreTable(results: readonly AnalysisResult[]): HTMLElement | null {
  const { average, ensemble } = newestBuilt(results);
  const trained = newestTrained(results);
  const baseline = (average ?? ensemble ?? trained[0])?.baseline;
  if (!baseline) return null;
  const rows: Row[] = [{ name: strings.score.lastSnapshot(baseline.step), scores: baseline, cost: 1 }];
  if (average)
    rows.push({ name: strings.score.average(average.members.length), scores: average.score, cost: 1 });
  if (ensemble)
    rows.push({
      name: strings.score.ensemble(ensemble.members.length),
      scores: ensemble.score,
      cost: ensemble.forwardPasses,
    });
  for (const result of trained) {
    rows.push({
      name: strings.score.trained[result.kind](
        result.kind === 'swa' ? result.iterates.length : result.members.length,
        result.training.steps,
      ),
      scores: result.score,
      cost: result.kind === 'swa' ? 1 : result.forwardPasses,
    });
  }
  const validated = rows.some((row) => row.scores.validation !== null);
  const accurate = rows.some((row) => row.scores.train.accuracy !== null);
  const group = (name: string, samples: number | undefined): HTMLElement =>
    h(
      'th',
      { scope: 'colgroup', colspan: accurate ? 2 : 1, class: 'group' },
      `${name}${samples === undefined ? '' : ` (${formatCount(samples)})`}`,
    );
  const pair = (): HTMLElement[] => [
    h('th', { scope: 'col' }, strings.loss),
    ...(accurate ? [h('th', { scope: 'col' }, strings.accuracy)] : []),
  ];
  return h(
    'div',
    { class: 'table-scroll scores', role: 'region', 'aria-label': strings.score.caption, tabindex: 0 },
    h(
      'table',
      { class: 'data' },
      h('caption', {}, strings.score.caption),
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          h('th', { scope: 'col', rowspan: 2 }, strings.score.model),
          group(strings.split.train, baseline.train.samples),
          validated ? group(strings.split.validation, baseline.validation?.samples) : null,
          h('th', { scope: 'col', rowspan: 2 }, strings.score.cost),
        ),
        h('tr', {}, ...pair(), ...(validated ? pair() : [])),
      ),
      h(
        'tbody',
        {},
        ...rows.map((row, k) =>
          h(
            'tr',
            {},
            h('th', { scope: 'row' }, row.name),
            ...cells(row.scores.train, k === 0 ? null : baseline.train, accurate),
            ...(validated
              ? cells(row.scores.validation, k === 0 ? null : baseline.validation, accurate)
              : []),
            h('td', {}, String(row.cost)),
          ),
        ),
      ),
    ),
  );
}

function cells(score: Score | null, base: Score | null, accurate: boolean): HTMLElement[] {
  if (score === null) return Array.from({ length: accurate ? 2 : 1 }, () => h('td', {}, '–'));
  const loss = base && compare(score.loss, score.lossStandardError, base.loss, base.lossStandardError, true);
  const accuracy =
    base &&
    compare(score.accuracy, score.accuracyStandardError, base.accuracy, base.accuracyStandardError, false);
  return [
    cell(formatWithError(score.loss, score.lossStandardError), loss),
    ...(accurate ? [cell(formatAccuracy(score.accuracy, score.accuracyStandardError), accuracy)] : []),
  ];
}

/** The mark is a shape with words, not a colour alone. */
function cell(text: string, comparison: Comparison | null): HTMLElement {
  if (comparison === null) return h('td', {}, text);
  const sign = { better: '▲', worse: '▼', same: '≈' }[comparison];
  const words = strings.score[comparison];
  return h(
    'td',
    { class: comparison, title: words },
    text,
    ' ',
    h('span', { class: 'mark', role: 'img', 'aria-label': words }, sign),
  );
}
