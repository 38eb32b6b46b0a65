/** Results of scripts whose samples cannot be counted: each of their batches counts as one. */
import type { Draft } from '../analysis/model.ts';
import type { AnalysisResult } from '../protocol/analyses.ts';

const SAMPLES = /\b(\d+ (?:of the \d+ )?(?:training|validation)) samples\b/g;

/** The draft with batches in place of samples, where it says what it was computed on. */
export function countingBatches<R extends AnalysisResult>(draft: Draft<R>): Draft<R> {
  if (draft.data === null) return draft;
  return {
    ...draft,
    data: { ...draft.data, unit: 'batches' },
    trust: [
      ...draft.trust.map((sentence) => sentence.replace(SAMPLES, '$1 batches')),
      'How many samples are behind this loss cannot be told from what it reads: each batch counts as one.',
    ],
  };
}
