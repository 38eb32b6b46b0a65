/** Whether updates repeat: their autocorrelation over lags with the epoch marked, and their spectrum. */
import type { CyclesResult } from '../src/protocol/cycles.ts';
import { prefersLog, scaledAxis } from './axes.ts';
import type { Drawing, Size } from './chart.ts';
import { csv } from './dataTable.ts';
import type { TableData } from './dataTable.ts';
import type { Option, SeriesOption } from './echarts.ts';
import { formatNumber, formatPercent } from './format.ts';
import {
  axisTooltip,
  band,
  curve,
  dots,
  grids,
  guide,
  legend,
  level,
  nearest,
  pointedAt,
  stacked,
  upright,
  usualRoom,
  xAxis,
  yAxis,
  zoomAlong,
} from './plots.ts';
import type { XY } from './plots.ts';
import { strings } from './strings.ts';
import type { Theme } from './theme.ts';
import { tip } from './tip.ts';

const words = strings.cycles;

export function autocorrelationDrawing(result: CyclesResult, theme: Theme, size: Size): Drawing {
  const { autocorrelation: r, atEpoch, epoch } = result;
  const room = usualRoom(size);
  const frames = stacked(size, [1], room);
  // Lag 0 is 1 by definition and would flatten the rest.
  const lags = r.map((_, lag) => lag).slice(1);
  const of = (values: readonly number[] | undefined): (number | null)[] =>
    lags.map((lag) => values?.[lag] ?? null);
  const updates = result.momentum == null ? [] : of(result.ofUpdates);
  const axis = scaledAxis(
    [0, ...of(r), ...updates, atEpoch?.value, atEpoch?.shuffled.percentile95],
    'linear',
    (frames[0]?.height ?? 0) / 40,
  );
  const range = { min: 0, max: lags.at(-1) ?? 1 };
  const marks = epoch === null ? [] : lags.filter((lag) => lag % epoch === 0);
  const bottom = axis.to(Math.min(0, ...r)) ?? 0;
  const names = [
    words.anew,
    ...(updates.length > 0 ? [words.asTheyWere] : []),
    ...(atEpoch === null ? [] : [words.atEpoch]),
  ];
  const option: Option = {
    grid: grids(frames),
    legend: legend(names, room),
    xAxis: [xAxis(0, range, words.lag)],
    yAxis: [yAxis(0, words.autocorrelation, axis, room.left)],
    tooltip: {
      ...axisTooltip,
      formatter: (params) => {
        const x = pointedAt(params);
        const lag = x === null ? undefined : lags[nearest(lags, x)];
        return lag === undefined
          ? ''
          : tip(words.atLag(lag), [
              [words.anew, formatNumber(r[lag], 3)],
              ...(updates.length > 0
                ? [[words.asTheyWere, formatNumber(result.ofUpdates[lag], 3)] as const]
                : []),
            ]);
      },
    },
    dataZoom: zoomAlong([0]),
    series: [
      ...(atEpoch === null
        ? []
        : [
            // 95 % of shuffled orders lie below its upper edge; what lies below their mean is as likely as above.
            band(
              'shuffled',
              0,
              [range.min, range.max].map((x) => [
                x,
                axis.to(2 * atEpoch.shuffled.mean - atEpoch.shuffled.percentile95),
                axis.to(atEpoch.shuffled.percentile95),
              ]),
              theme.muted,
              0.3,
            ),
          ]),
      level('zero', '', 0, range, axis.to(0), theme),
      ...marks.map((lag) =>
        guide(
          `epoch-${lag}`,
          '',
          0,
          [
            [lag, bottom],
            [lag, axis.to(r[lag]) ?? 0],
          ],
          theme,
        ),
      ),
      ...(updates.length > 0
        ? [
            curve(
              'updates',
              words.asTheyWere,
              0,
              updates.map((value, k): XY => [lags[k] ?? 0, axis.to(value)]),
              { color: theme.validation, width: 1.2, type: 'dashed' },
            ),
          ]
        : []),
      curve(
        'anew',
        words.anew,
        0,
        of(r).map((value, k): XY => [lags[k] ?? 0, axis.to(value)]),
        { color: theme.loss, width: 1.6 },
      ),
      ...(atEpoch === null || epoch === null
        ? []
        : [
            dots('at-epoch', words.atEpoch, 0, [[epoch, axis.to(atEpoch.value)]], theme.sharpness, {
              symbol: 'diamond',
              size: 13,
              theme,
            }),
          ]),
    ] as SeriesOption[],
  };
  return {
    option,
    description: [
      words.describe(lags.length, words.verdict[result.verdict]),
      ...(atEpoch === null || epoch === null
        ? []
        : [
            words.describeEpoch(
              epoch,
              formatNumber(atEpoch.value, 3),
              formatNumber(atEpoch.shuffled.percentile95, 2),
            ),
          ]),
    ].join(' '),
  };
}

export function powerDrawing(result: CyclesResult, theme: Theme, size: Size): Drawing {
  const { frequency, power } = result.spectrum;
  const room = usualRoom(size);
  const frames = stacked(size, [1], room);
  const axis = scaledAxis(power, prefersLog(power) ? 'log' : 'linear', (frames[0]?.height ?? 0) / 40);
  const range = { min: 0, max: frequency.at(-1) ?? 0.5 };
  const top = axis.to(Math.max(...power)) ?? 1;
  const bottom = axis.to(Math.min(...power.filter((p) => p > 0))) ?? 0;
  const harmonics =
    result.epoch === null
      ? []
      : Array.from({ length: 5 }, (_, k) => (k + 1) / (result.epoch ?? 1)).filter((f) => f < range.max);
  const option: Option = {
    grid: grids(frames),
    legend: legend([words.power, ...(harmonics.length > 0 ? [words.harmonics] : [])], room),
    xAxis: [xAxis(0, range, words.frequency, (x) => formatNumber(x, 2))],
    yAxis: [yAxis(0, words.powerShare, axis, room.left, (x) => formatNumber(x, 2))],
    tooltip: {
      ...axisTooltip,
      formatter: (params) => {
        const x = pointedAt(params);
        if (x === null) return '';
        const k = nearest(frequency, x);
        return tip(words.period(formatNumber(1 / (frequency[k] ?? NaN), 3)), [
          [words.frequency, formatNumber(frequency[k], 3)],
          [words.power, formatPercent(power[k], 2)],
        ]);
      },
    },
    series: [
      ...harmonics.map((f, k) => ({
        ...upright(`harmonic-${k}`, words.harmonics, 0, f, [bottom, top], theme),
      })),
      curve(
        'power',
        words.power,
        0,
        frequency.map((f, k): XY => [f, axis.to(power[k])]),
        { color: theme.loss, width: 1.6 },
      ),
    ] as SeriesOption[],
  };
  const peak = power.indexOf(Math.max(...power));
  return {
    option,
    description: words.describeSpectrum(formatNumber(1 / (frequency[peak] ?? NaN), 3)),
  };
}

export function autocorrelationTable(result: CyclesResult): TableData {
  const updates = result.momentum == null ? null : result.ofUpdates;
  return {
    caption: words.autocorrelation,
    columns: [words.lag, words.anew, ...(updates === null ? [] : [words.asTheyWere])],
    rows: result.autocorrelation.map((value, lag) => [
      String(lag),
      formatNumber(value, 3),
      ...(updates === null ? [] : [formatNumber(updates[lag], 3)]),
    ]),
  };
}

export function powerTable({ spectrum }: CyclesResult): TableData {
  return {
    caption: words.spectrumTitle,
    columns: [words.frequency, words.periodColumn, words.power],
    rows: spectrum.frequency.map((f, k) => [
      formatNumber(f),
      formatNumber(1 / f, 3),
      formatPercent(spectrum.power[k], 2),
    ]),
  };
}

export function autocorrelationCsv({ autocorrelation, ofUpdates }: CyclesResult): string {
  return csv(
    ['lag', 'autocorrelation', 'ofUpdates'],
    // The second is missing in results of an early version.
    autocorrelation.map((value, lag) => [
      lag,
      value,
      (ofUpdates as readonly number[] | undefined)?.[lag] ?? null,
    ]),
  );
}

export function powerCsv({ spectrum }: CyclesResult): string {
  return csv(
    ['frequency', 'power'],
    spectrum.frequency.map((f, k) => [f, spectrum.power[k] ?? null]),
  );
}
