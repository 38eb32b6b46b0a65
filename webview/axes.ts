/** Axes with round labels also on a log scale of less than a decade, which ECharts' own log axis cannot label. */
import { formatNumber } from './format.ts';
import { linearLevels, logLevels } from './lossScale.ts';
import type { ScaleKind } from './lossScale.ts';

export interface ScaledAxis {
  /** Data value to axis value; null stays null and breaks a line. */
  to(value: number | null | undefined): number | null;
  from(position: number): number;
  /** To be spread into a y axis of type `value`. */
  readonly option: object;
}

/** @param ticks about how many labels there is room for */
export function scaledAxis(
  values: readonly (number | null | undefined)[],
  wanted: ScaleKind,
  ticks: number,
  includeZero = false,
): ScaledAxis {
  const known = values.filter((v): v is number => typeof v === 'number' && Number.isFinite(v));
  let min = known.reduce((a, b) => Math.min(a, b), Infinity);
  let max = known.reduce((a, b) => Math.max(a, b), -Infinity);
  if (min > max) [min, max] = [0, 1];
  const log = wanted === 'log' && min > 0;
  const forward = log ? Math.log10 : (x: number) => x;
  const back = log ? (x: number) => 10 ** x : (x: number) => x;
  if (includeZero && !log) min = Math.min(0, min);
  let [low, high] = [forward(min), forward(max)];
  const margin = high > low ? 0.06 * (high - low) : 0.5 * Math.abs(high) || 0.5;
  low = includeZero && !log && min === 0 ? 0 : low - margin;
  high += margin;
  const levels = log ? logLevels(back(low), back(high), ticks) : linearLevels(low, high, ticks);
  const marks = (includeZero && low === 0 ? [0, ...levels] : levels).map(forward).filter(Number.isFinite);
  return {
    to: (value) => {
      if (value === null || value === undefined || !Number.isFinite(value)) return null;
      return log && value <= 0 ? null : forward(value);
    },
    from: back,
    option: {
      type: 'value',
      min: low,
      max: high,
      axisTick: { customValues: marks },
      axisLabel: {
        customValues: marks,
        formatter: (x: number) => formatNumber(includeZero && !log && Math.abs(x) < 1e-12 ? 0 : back(x), 4),
        showMinLabel: true,
        showMaxLabel: true,
      },
      // Split lines would follow ticks of their own: markLines at the labels are not worth it.
      splitLine: { show: false },
    },
  };
}

/** Whether a log scale shows more of these values than a linear one: they span more than a decade. */
export function prefersLog(values: readonly (number | null | undefined)[]): boolean {
  const known = values.filter((v): v is number => typeof v === 'number' && Number.isFinite(v));
  const min = Math.min(...known);
  return known.length > 1 && min > 0 && Math.max(...known) / min > 8;
}
