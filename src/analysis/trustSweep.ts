/** Sentences on whether an average of snapshots pays. */
import type { Candidate, SweepResult } from '../protocol/averaging.ts';
import { figures } from './trust.ts';

/** First the suggestion, then what it rests on. @param heldOut whether the judged samples were kept out of training */
export function sweepSentences(
  result: Pick<SweepResult, 'verdict' | 'best' | 'expectedGain' | 'windows' | 'moving' | 'last'>,
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
    ];
  }
  const size = `${figures(expected.value, 2)} ± ${figures(expected.standardError, 1)} in validation loss`;
  return [
    verdict === 'gain'
      ? `Averaging pays: the ${words} is better than snapshot ${last.step} by ${size}.`
      : `No gain: the last snapshot is as good (the best average changes it by ${size}).`,
    `That is judged on samples that had no part in choosing among the ${looked} averages` +
      (best.gain === null
        ? '.'
        : `; by its own samples the choice would seem worth ${figures(best.gain.value, 2)}.`),
  ];
}

/** `average of 12 snapshots, steps 300 to 410`, or the moving average's decay. */
export function candidateWords({ decay, from, to, snapshots }: Candidate): string {
  return decay === null
    ? `average of ${snapshots} snapshots, steps ${from} to ${to}`
    : `moving average of decay ${decay} over ${snapshots} snapshots, steps ${from} to ${to}`;
}
