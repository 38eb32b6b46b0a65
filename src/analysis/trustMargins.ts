/** Sentences on how far a classifier's answers are from turning over. */
import type { Estimated, MarginsResult } from '../protocol/generalisation.ts';
import { figures, percent } from './trust.ts';

/** First what new samples can stand, then what that rests on. */
export function marginSentences({
  train,
  validation,
  gap,
  reason,
}: Pick<MarginsResult, 'train' | 'validation' | 'gap' | 'reason'>): string[] {
  const judged = validation ?? train;
  const words = validation === null ? 'training' : 'validation';
  const near = judged.input ?? judged.output;
  const space = judged.input === null ? 'of the output' : 'in input space (to first order)';
  const other = validation === null ? null : (train.input ?? train.output);
  return [
    `Half of the ${words} samples have a margin ${space} of less than ${figures(near.quantiles[4] ?? NaN, 3)}` +
      `${other === null ? '' : ` (training samples: ${figures(other.quantiles[4] ?? NaN, 3)})`}, ` +
      `and ${percent(judged.output.notRight)} are not answered rightly.`,
    ...(gap === null
      ? ['No validation data was recorded: this says nothing about new samples.']
      : [
          `Validation loss less training loss: ${withError(gap.loss, (x) => figures(x, 2))}; training accuracy less validation ` +
            `accuracy: ${withError(gap.accuracy, percent)}.`,
        ]),
    ...(reason === null ? [] : [`There are no input margins: ${reason}`]),
    ...(judged.flat > 0
      ? [
          `${judged.flat} ${words} samples have no distance from the boundary: their margin does not change with the input.`,
        ]
      : []),
    'Output margins grow with the scale of the weights; between models compare those in input space.',
  ];
}

function withError({ value, standardError }: Estimated, words: (x: number) => string): string {
  if (value === null) return 'not known';
  return standardError === null ? words(value) : `${words(value)} ± ${words(standardError)}`;
}
