/** Sentences on an ensemble's members: whether choosing them pays, and how different they are. */
import type { Diversity, Selection } from '../protocol/ensembles.ts';
import { figures, percent } from './trust.ts';

export function selectionSentences(selection: Selection | null, last: number): string[] {
  if (selection === null) return [];
  const { taken, candidates, expectedGain, verdict } = selection;
  const how = `${taken.length} of ${candidates.length} models were selected by their validation loss, each once`;
  if (taken.length === 1 && taken[0]?.member === String(last)) {
    return [
      `No gain: no ensemble of the ${candidates.length} models has a lower validation loss than snapshot ${last} alone.`,
    ];
  }
  if (expectedGain === null) return [`${how}; whether that pays is not known.`];
  const size = `${figures(Math.abs(expectedGain.value), 2)} ± ${figures(expectedGain.standardError, 1)}`;
  return [
    `${verdict === 'gain' ? 'Selecting pays' : 'No gain'}: on samples that had no part in it the selected ensemble's loss is ` +
      `${expectedGain.value < 0 ? 'higher' : 'lower'} than snapshot ${last}'s by ${size}.`,
    `${how}; the score of the whole is of the samples that selected it, and so too good.`,
  ];
}

/** @param reason why nothing is known of single samples */
export function diversitySentences(diversity: Diversity | null, reason: string | null): string[] {
  if (diversity === null)
    return reason === null ? [] : [`How different the members are is not known: ${reason}`];
  const { disagreement, distance } = diversity;
  if (distance === null) return [];
  const apart = `${figures(distance.value, 3)} ± ${figures(distance.standardError, 1)}`;
  return [
    disagreement === null
      ? `Two members' predictions are ${apart} apart on average.`
      : `Two members answer differently on ${percent(disagreement.value)} ± ${percent(disagreement.standardError)} of the samples; their ` +
        `predicted distributions have a total variation of ${apart}.`,
  ];
}
