/** The norm of a parameter as people are told it. */
import type { ParameterStatistics } from '../protocol/standing.ts';

/** NaN where a number of the parameter is not finite: its norm is that of the others. */
export function wholeNorm(statistics: ParameterStatistics | undefined): number {
  return statistics === undefined || statistics.nonFinite > 0 ? NaN : statistics.norm;
}
