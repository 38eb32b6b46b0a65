/** How typical a random plane is among those of other seeds. */
import type { PlaneRepeats } from '../src/protocol/results.ts';
import { scaledAxis } from './axes.ts';
import type { Drawing, Size } from './chart.ts';
import type { TableData } from './dataTable.ts';
import type { Option, SeriesOption } from './echarts.ts';
import { formatNumber } from './format.ts';
import { band, dots, grids, level, stacked, usualRoom, xAxis, yAxis } from './plots.ts';
import type { XY } from './plots.ts';
import { strings } from './strings.ts';
import type { Theme } from './theme.ts';

const words = strings.seeds;

/** The mean rise of the loss on a circle, one dot a plane; the first is the one that is drawn. */
export function repeatsDrawing(repeats: PlaneRepeats, theme: Theme, size: Size): Drawing {
  const { rises, mean, standardDeviation, radius } = repeats;
  const room = usualRoom(size);
  const frames = stacked(size, [1], room);
  const axis = scaledAxis([0, ...rises, mean + standardDeviation], 'linear', 6, true);
  const range = { min: 0.5, max: rises.length + 0.5 };
  const places = { customValues: rises.map((_, k) => k + 1) };
  const option: Option = {
    grid: grids(frames),
    xAxis: [
      {
        ...xAxis(0, range, words.plane, (x) => String(Math.round(x))),
        axisTick: places,
        axisLabel: { ...places, formatter: (x: number) => String(Math.round(x)) },
      },
    ] as NonNullable<Option['xAxis']>,
    yAxis: [yAxis(0, words.rise, axis, room.left)],
    series: [
      band(
        'deviation',
        0,
        [range.min, range.max].map((x) => [
          x,
          axis.to(Math.max(0, mean - standardDeviation)),
          axis.to(mean + standardDeviation),
        ]),
        theme.loss,
      ),
      level('mean', '', 0, range, axis.to(mean), theme),
      dots(
        'others',
        '',
        0,
        rises.slice(1).map((rise, k): XY => [k + 2, axis.to(rise)]),
        theme.loss,
        { theme },
      ),
      dots('shown', '', 0, [[1, axis.to(rises[0])]], theme.sharpness, { theme, symbol: 'diamond', size: 14 }),
    ] as SeriesOption[],
  };
  return {
    option,
    description: words.describe(
      formatNumber(rises[0], 3),
      formatNumber(radius, 3),
      `${formatNumber(mean, 3)} ± ${formatNumber(standardDeviation, 2)}`,
      rises.length,
    ),
  };
}

export function repeatsTable({ rises, mean, standardDeviation }: PlaneRepeats): TableData {
  return {
    caption: words.repeats,
    columns: [words.plane, words.rise],
    rows: [
      ...rises.map((rise, k) => [k === 0 ? words.shown : String(k + 1), formatNumber(rise)]),
      [words.mean, formatNumber(mean)],
      [words.deviation, formatNumber(standardDeviation)],
    ],
  };
}
