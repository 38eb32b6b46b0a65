import type { SoupResult } from '../src/protocol/soups.ts';
import { modelName } from './lineChart.ts';
import type { ScoredModel } from './scoresChart.ts';
import { strings } from './strings.ts';

/** The soup, that of all candidates, and each candidate by itself. */
export function soupModels(result: SoupResult, { soup: words, snapshot } = strings): ScoredModel[] {
  const plain = { calibrationError: null, doubt: null };
  return [
    { ...result.score, ...plain, name: words.soupOf(result.members.length, result.candidates.length) },
    ...(result.uniform === null || result.method === 'uniform'
      ? []
      : [{ ...result.uniform, ...plain, name: words.all(result.candidates.length) }]),
    ...result.candidates.map(({ id, score }) => ({ ...score, ...plain, name: modelName(id, { snapshot }) })),
  ];
}
