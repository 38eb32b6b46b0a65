/** Sentences on how far a classifier's confidence can be trusted. */
import type { CalibrationResult } from '../protocol/generalisation.ts';
import { percent } from './trust.ts';

/** First whether people may believe the confidence, then what that rests on. */
export function calibrationSentences(
  c: Pick<
    CalibrationResult,
    'error' | 'standardError' | 'interval' | 'ifCalibrated' | 'confidence' | 'accuracy' | 'binning' | 'bins'
  >,
): string[] {
  const apart = c.error > c.ifCalibrated.percentile95;
  const side = c.confidence > c.accuracy ? 'too sure of itself' : 'less sure of itself than it may be';
  return [
    apart
      ? `The model is ${side}: right in ${percent(c.accuracy)} where it claims ${percent(c.confidence)}.`
      : `Its confidence can be taken at its word: nothing here tells ${percent(c.accuracy)} right from ${percent(c.confidence)} claimed.`,
    `Expected calibration error ${percent(c.error)} ± ${percent(c.standardError)} over ${c.bins.length} bins of equal ` +
      `${c.binning === 'width' ? 'width' : 'numbers of samples'}; chance alone would show ${percent(c.ifCalibrated.mean)}, and ` +
      `more than ${percent(c.ifCalibrated.percentile95)} once in twenty times.`,
    ...(c.interval === undefined
      ? []
      : [
          `Of endlessly many samples it would be ${percent(c.interval[0])} to ${percent(c.interval[1])}, with 95 % confidence.`,
        ]),
  ];
}
