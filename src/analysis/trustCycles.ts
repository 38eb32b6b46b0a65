/** Sentences on whether SGD goes in circles. */
import type { CyclesResult } from '../protocol/cycles.ts';
import { figures } from './trust.ts';

/** First what repeats and what to do, then what it rests on, then where the path goes. */
export function cycleSentences(
  c: Pick<
    CyclesResult,
    | 'verdict'
    | 'atEpoch'
    | 'epoch'
    | 'strongest'
    | 'from'
    | 'to'
    | 'coordinates'
    | 'exponent'
    | 'autocorrelation'
  >,
): string[] {
  const { verdict, atEpoch, epoch, strongest, exponent } = c;
  const first = {
    'fixed-order':
      `The updates repeat every epoch of ${epoch} steps: the batches come in the same order each time. Shuffle the data in every ` +
      'epoch, unless that is meant.',
    repeats: `The updates repeat every ${strongest?.lag ?? '?'} steps: if that is an epoch, the batches come in a fixed order.`,
    none:
      epoch === null
        ? 'Nothing repeats: no lag stands out.'
        : `Nothing repeats an epoch of ${epoch} steps later: the order of the data leaves no cycle.`,
    unknown: `An epoch has ${epoch ?? '?'} steps, and fewer than two of them are in the sketch: cycles cannot be told.`,
  }[verdict];
  const neighbour = c.autocorrelation[1] ?? 0;
  return [
    first,
    ...(atEpoch === null
      ? []
      : [
          `Autocorrelation of the updates an epoch apart ${figures(atEpoch.value, 3)}, at lags near it ` +
            `${figures(atEpoch.neighbours.mean, 2)} ± ${figures(atEpoch.neighbours.deviation, 2)}; ${atEpoch.shuffled.count} shuffled orders ` +
            `reach ${figures(atEpoch.shuffled.percentile95, 2)} once in twenty times (p = ${figures(atEpoch.p, 2)}).`,
        ]),
    ...(neighbour < -0.3
      ? [
          `Each update undoes part of the one before (autocorrelation ${figures(neighbour, 2)}): SGD bounces between the walls of a valley, ` +
            'as at the edge of stability.',
        ]
      : []),
    ...(exponent === null ? [] : [growthSentence(exponent)]),
    `From the weights' sketch, ${c.coordinates} of them at steps ${c.from} to ${c.to}.`,
  ];
}

function growthSentence(exponent: number): string {
  const grows = `Squared distance grows with time to the power ${figures(exponent, 2)}`;
  if (exponent < 0.4)
    return `${grows}: SGD circles and no longer gets anywhere; averaging snapshots pays from here on.`;
  if (exponent < 1.3) return `${grows}: SGD wanders like a random walk (1).`;
  return `${grows}: SGD is still under way (2 is a straight line); an average would trail behind.`;
}
