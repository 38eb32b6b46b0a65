/** A reliability table as a person reads it on a terminal. */
import type { CalibrationResult } from '../../protocol/generalisation.ts';
import { figures, newTable } from './table.ts';

export function calibrationTable(result: CalibrationResult): string {
  const table = newTable(['confidence', 'samples', 'mean confidence', 'accuracy']);
  for (const { from, to, samples, confidence, accuracy, standardError } of result.bins) {
    if (samples === 0) continue;
    table.push([
      `${figures(from, 3)} to ${figures(to, 3)}`,
      samples,
      figures(confidence),
      `${figures(accuracy)} ± ${figures(standardError, 2)}`,
    ]);
  }
  return [
    table.toString(),
    `expected calibration error ${figures(result.error)} ± ${figures(result.standardError, 2)}, ` +
      `largest of a bin ${figures(result.maximumError)}, at ${result.at}`,
  ].join('\n');
}
