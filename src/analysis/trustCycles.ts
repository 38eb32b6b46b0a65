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
    | 'ofUpdates'
    | 'momentum'
    | 'rateScaled'
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
    unknown:
      (epoch ?? 0) < 3
        ? `An epoch has ${epoch ?? '?'} ${epoch === 1 ? 'step' : 'steps'}: whether so short a cycle is one of the data cannot be told.`
        : `An epoch has ${epoch} steps, and fewer than two of them are in the sketch: cycles cannot be told.`,
  }[verdict];
  const neighbour = c.ofUpdates[1] ?? 0;
  return [
    first,
    ...(atEpoch === null
      ? []
      : [
          `Autocorrelation of the updates an epoch apart ${figures(atEpoch.value, 3)}, at lags within half an epoch of it ` +
            `${figures(atEpoch.neighbours.mean, 2)} ± ${figures(atEpoch.neighbours.deviation, 2)}; shuffled within epochs they ` +
            `reach ${figures(atEpoch.shuffled.percentile95, 2)} once in twenty times (p = ${figures(atEpoch.p, 2)}, ${atEpoch.shuffled.count} shuffles).`,
        ]),
    ...momentumSentence(c),
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

function momentumSentence({ momentum, rateScaled }: Pick<CyclesResult, 'momentum' | 'rateScaled'>): string[] {
  const scaled = rateScaled ? ['Each update was divided by its learning rate, which changes.'] : [];
  if (momentum === null)
    return [
      'The momentum of the optimizer is not known; where it has one, it smears out what a short epoch repeats.',
      ...scaled,
    ];
  if (momentum.beta === 0) return scaled;
  const { beta, kind } = momentum;
  const lasts = figures(1 / (1 - beta), 2);
  return [
    `Momentum (β = ${figures(beta, 4)}) carries every gradient on over some ${lasts} steps, so it was taken out first: what is ` +
      'compared is what each update brought anew, ' +
      {
        none: '',
        'heavy-ball': 'Δ_t − β·Δ_{t−1}.',
        nesterov: 'the gradient behind Nesterov’s step.',
        adaptive: 'Δ_t − β·Δ_{t−1} (to first order: the scale of each weight changes slowly).',
      }[kind],
    ...scaled,
  ];
}

function growthSentence(exponent: number): string {
  const grows = `Squared distance grows with time to the power ${figures(exponent, 2)}`;
  if (exponent < 0.4)
    return `${grows}: SGD circles and no longer gets anywhere; averaging snapshots pays from here on.`;
  if (exponent < 1.3) return `${grows}: SGD wanders like a random walk (1).`;
  return `${grows}: SGD is still under way (2 is a straight line); an average would trail behind.`;
}
