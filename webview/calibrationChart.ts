/** The reliability diagram: how often a model is right where it claims to be so sure, and how many samples that is of. */
import type { CalibrationResult } from '../src/protocol/generalisation.ts';
import { scaledAxis } from './axes.ts';
import type { Drawing, Size } from './chart.ts';
import { csv } from './dataTable.ts';
import type { TableData } from './dataTable.ts';
import type { Option, SeriesOption } from './echarts.ts';
import { formatAccuracy, formatPercent } from './format.ts';
import {
  bars,
  curve,
  grids,
  guide,
  itemTooltip,
  legend,
  stacked,
  usualRoom,
  whiskers,
  xAxis,
  yAxis,
} from './plots.ts';
import { strings } from './strings.ts';
import type { Theme } from './theme.ts';
import { tip } from './tip.ts';

const words = strings.calibration;

export function reliabilityDrawing(result: CalibrationResult, theme: Theme, size: Size): Drawing {
  const room = usualRoom(size);
  const frames = stacked(size, [3, 1], room);
  const filled = result.bins.filter((bin) => bin.samples > 0);
  const accuracy = scaledAxis([0, 1], 'linear', 6, true);
  const samples = scaledAxis([0, ...result.bins.map((bin) => bin.samples)], 'linear', 3, true);
  const range = { min: 0, max: 1 };
  const percent = (x: number): string => formatPercent(x);
  const points = filled.map((bin) => [bin.confidence, bin.accuracy] as const);
  const option: Option = {
    grid: grids(frames),
    legend: legend([words.accuracy, words.perfect], room),
    xAxis: [xAxis(0, range, '', percent), xAxis(1, range, words.confidence, percent)],
    yAxis: [
      yAxis(0, words.accuracy, accuracy, room.left, percent),
      yAxis(1, words.samples, samples, room.left),
    ],
    tooltip: {
      ...itemTooltip,
      formatter: (params) => {
        const item = Array.isArray(params) ? params[0] : params;
        const bin = filled[item?.dataIndex ?? -1];
        return bin === undefined
          ? ''
          : tip(words.bin(formatPercent(bin.from, 1), formatPercent(bin.to, 1)), [
              [words.accuracy, formatAccuracy(bin.accuracy, bin.standardError)],
              [words.confidence, formatPercent(bin.confidence, 1)],
              [words.samples, String(bin.samples)],
            ]);
      },
    },
    series: [
      // What each bin is wrong by: from what it claims to what it is.
      bars(
        'gaps',
        0,
        filled.map((bin) => ({
          from: [bin.from, accuracy.to(bin.confidence) ?? 0],
          to: [bin.to, accuracy.to(bin.accuracy) ?? 0],
        })),
        theme.sharpness,
        { opacity: 0.35 },
      ),
      guide(
        'perfect',
        words.perfect,
        0,
        [
          [0, 0],
          [1, 1],
        ],
        theme,
      ),
      curve(
        'accuracy',
        words.accuracy,
        0,
        points.map(([x, y]) => [x, accuracy.to(y)]),
        {
          color: theme.loss,
          symbol: 'circle',
          z: 5,
        },
      ),
      whiskers(
        'errors',
        0,
        filled.flatMap(({ confidence, accuracy: value, standardError }) =>
          confidence === null || value === null || standardError === null
            ? []
            : [
                [
                  [confidence, Math.max(0, value - standardError)],
                  [confidence, Math.min(1, value + standardError)],
                ] as const,
              ],
        ),
        theme.loss,
      ),
      bars(
        'samples',
        1,
        filled.map((bin) => ({ from: [bin.from, 0], to: [bin.to, bin.samples] })),
        theme.loss,
        { opacity: 0.75 },
      ),
      // A custom series has no data to hold the axis: an empty line does.
      curve('frame', '', 1, [[0, 0]], { color: theme.loss, width: 0 }),
    ] as SeriesOption[],
  };
  const worst = filled.reduce(
    (a, b) =>
      Math.abs((b.accuracy ?? 0) - (b.confidence ?? 0)) > Math.abs((a.accuracy ?? 0) - (a.confidence ?? 0))
        ? b
        : a,
    filled[0] ?? { from: 0, to: 1, accuracy: null, confidence: null },
  );
  return {
    option,
    description: words.describe(
      result.bins.length,
      formatPercent(result.error, 1),
      formatPercent(worst.from),
      formatPercent(worst.to),
      formatPercent(worst.accuracy),
      formatPercent(worst.confidence),
    ),
  };
}

export function reliabilityTable({ bins }: CalibrationResult): TableData {
  return {
    caption: words.diagram,
    columns: [words.claimed, words.samples, words.confidence, words.accuracy, strings.standardError],
    rows: bins.map((bin) => [
      words.bin(formatPercent(bin.from, 1), formatPercent(bin.to, 1)),
      String(bin.samples),
      formatPercent(bin.confidence, 1),
      formatPercent(bin.accuracy, 1),
      formatPercent(bin.standardError, 1),
    ]),
  };
}

export function reliabilityCsv({ bins }: CalibrationResult): string {
  return csv(
    ['from', 'to', 'samples', 'confidence', 'accuracy', 'standardError'],
    bins.map((bin) => [bin.from, bin.to, bin.samples, bin.confidence, bin.accuracy, bin.standardError]),
  );
}
