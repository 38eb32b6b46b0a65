/** Sentences on whether an average of snapshots pays. */
import type { Candidate, OwnLast, SweepResult } from '../protocol/averaging.ts';
import type { Gain } from '../protocol/gain.ts';
import { circlingSentences } from './trustCircling.ts';
import { figures, percent } from './trust.ts';

/** First the suggestion, then what it rests on. @param heldOut whether the judged samples were kept out of training */
export function sweepSentences(
  result: Pick<
    SweepResult,
    | 'verdict'
    | 'best'
    | 'expectedGain'
    | 'windows'
    | 'moving'
    | 'last'
    | 'circling'
    | 'besideIterates'
    | 'ownLast'
  >,
  heldOut: boolean,
): string[] {
  const { verdict, best, expectedGain: expected, last } = result;
  const looked = result.windows.length + result.moving.length;
  if (best === null)
    return ['No average has a finite loss: a snapshot diverged. Sweep the steps before, with --to.'];
  const words = candidateWords(best);
  if (expected === null) {
    return [
      `The lowest loss of ${looked} averages has the ${words}; whether that is a gain is not known.`,
      (last.validation ?? last.train).loss === null
        ? `Snapshot ${last.step}, the last one, has a loss that is NaN or infinite: there is nothing to compare with. Sweep the steps before, with --to.`
        : heldOut
          ? 'The script does not show the loss of single samples, so the choice cannot be judged on samples apart from it.'
          : 'No validation data was recorded: training samples do not tell what an average is worth.',
      ...evidence(result),
    ];
  }
  const size = `${figures(expected.value, 2)} ± ${figures(expected.standardError, 1)} in validation loss`;
  const stopping = stoppingSentence(result.ownLast ?? null, last.step);
  return [
    verdict === 'gain'
      ? `${stopping?.alone === true ? 'Stopping earlier pays' : 'Averaging pays'}: the ${words} is better than snapshot ${last.step} by ${size}.`
      : `No gain: the last snapshot is as good (the best average changes it by ${size}).`,
    `That is judged on samples that had no part in choosing among the ${looked} averages` +
      (best.gain === null
        ? '.'
        : `; by its own samples the choice would seem worth ${figures(best.gain.value, 2)}.`),
    ...(verdict === 'gain' && stopping !== null ? [stopping.sentence] : []),
    ...(verdict === 'gain' ? lossAloneSentence(best, last) : []),
    ...evidence(result),
  ];
}

/** What of the gain the window's own last snapshot has by itself; `alone` where averaging adds nothing that is seen. */
function stoppingSentence(own: OwnLast | null, last: number): { sentence: string; alone: boolean } | null {
  if (own?.gain == null || own.added === null) return null;
  const { step, gain, added } = own;
  if (!(gain.value > 2 * gain.standardError)) return null;
  const size = (x: Gain): string => `${figures(x.value, 2)} ± ${figures(x.standardError, 1)}`;
  const alone = !(added.value > 2 * added.standardError);
  return {
    alone,
    sentence:
      `Snapshot ${step} by itself is better than snapshot ${last} by ${size(gain)}, which is what stopping there is worth; ` +
      `the average adds ${alone ? 'nothing that can be told from noise' : 'more'} (${size(added)}).`,
  };
}

/** A lower loss of as many right answers is another confidence: no better decisions, and a temperature may do as much. */
function lossAloneSentence(best: Candidate, last: SweepResult['last']): string[] {
  const gain = best.accuracyGain ?? null;
  if (gain === null || gain.value > 2 * gain.standardError) return [];
  const calibration =
    best.calibrationError === null || last.calibrationError === null
      ? ''
      : ` (expected calibration error ${figures(best.calibrationError, 2)}, of the last snapshot ${figures(last.calibrationError, 2)})`;
  const change =
    gain.value === 0
      ? 'is the same'
      : `is ${gain.value > 0 ? 'higher' : 'lower'} by ${percent(Math.abs(gain.value))} ± ${percent(gain.standardError)}`;
  return [
    `More right answers are not shown: accuracy ${change}. What is gained is how sure the answers are${calibration}.`,
  ];
}

/** What the path and the iterates themselves say for or against averaging (Izmailov et al. 2018). */
function evidence({
  circling,
  besideIterates: beside,
}: Pick<SweepResult, 'circling' | 'besideIterates'>): string[] {
  const sentences = circling === undefined ? [] : circlingSentences(circling);
  if (beside == null || beside.gain === null) return sentences;
  const { iterates, gain, train } = beside;
  const size = `${figures(Math.abs(gain.value), 2)} ± ${figures(gain.standardError, 1)}`;
  const below = gain.value > 2 * gain.standardError;
  const above = gain.value < -2 * gain.standardError;
  const training =
    train === null
      ? ''
      : ` (in training loss ${train > 0 ? 'below' : 'above'} by ${figures(Math.abs(train), 2)})`;
  return [
    ...sentences,
    below
      ? `The best average's loss lies ${size} below the mean of ${iterates} of its own iterates${training}: ${
          train !== null && train < 0
            ? 'it fits the training samples less closely than they do, as an earlier snapshot would too.'
            : 'they lie at the boundary of a flat region, the average inside.'
        }`
      : above
        ? `The best average's loss lies ${size} above the mean of ${iterates} of its own iterates${training}: they do not surround it.`
        : `The best average's loss is that of ${iterates} of its own iterates (difference ${size})${training}.`,
  ];
}

/** `average of 12 snapshots, steps 300 to 410`, or the moving average's decay. */
export function candidateWords({ decay, from, to, snapshots }: Candidate): string {
  return decay === null
    ? `average of ${snapshots} snapshots, steps ${from} to ${to}`
    : `moving average of decay ${decay} over ${snapshots} snapshots, steps ${from} to ${to}`;
}
