/** |λmin/λmax| over a plane as a heat map, the path on it. */
import type { CurvatureMapResult } from '../src/protocol/curvatureMap.ts';
import type { Drawing, Size } from './chart.ts';
import { barAxes, barSeries, gridsWithBar } from './colourBar.ts';
import { csv } from './dataTable.ts';
import type { TableData } from './dataTable.ts';
import type { Option } from './echarts.ts';
import type { FigureSpec } from './figure.ts';
import { formatNumber } from './format.ts';
import { lossScale, valuesOf } from './lossScale.ts';
import { planeFrame } from './planeFrame.ts';
import { overRamp, rampColor } from './ramp.ts';
import { strings } from './strings.ts';
import type { Theme } from './theme.ts';

const words = strings.curvatureMap;

export const curvatureMapSpec: FigureSpec<CurvatureMapResult> = {
  parts: [
    {
      id: 'curvature-map',
      title: words.title,
      draw: curvatureMapDrawing,
      has: (result) => lossScale(valuesOf(result.ratio), 'linear') !== null,
      tables: (result) => [table(result)],
      csv: curvatureMapCsv,
    },
  ],
};

export function curvatureMapDrawing(result: CurvatureMapResult, theme: Theme, size: Size): Drawing | null {
  const { x, y, ratio, trajectory, plane } = result;
  const scale = lossScale(valuesOf(ratio), 'linear');
  if (scale === null) return null;
  const compact = size.width < 420;
  const [left, bottom] = [compact ? 46 : 64, compact ? 38 : 48];
  const { frame: plot } = planeFrame(result, {
    left,
    top: 14,
    width: Math.max(80, size.width - left - (compact ? 56 : 100)),
    height: Math.max(60, size.height - bottom - 14),
  });
  const bar = barAxes(scale, plot.height, compact, words.ratio);
  const axis = (values: readonly number[], name: string | undefined) => {
    const half = ((values[1] ?? 1) - (values[0] ?? 0)) / 2;
    return {
      type: 'value' as const,
      gridIndex: 0,
      min: (values[0] ?? 0) - half,
      max: (values.at(-1) ?? 0) + half,
      name: name ?? '',
      nameLocation: 'middle' as const,
      splitLine: { show: false },
      // The ends lie half a cell beyond the grid.
      axisLabel: {
        formatter: (value: number) => formatNumber(value, 2),
        showMinLabel: false,
        showMaxLabel: false,
        hideOverlap: true,
      },
    };
  };
  const cells = y.flatMap((v, row) =>
    x.flatMap((u, column) => {
      const value = ratio[row]?.[column] ?? null;
      return value === null ? [] : [[u, v, value]];
    }),
  );
  const step = [(x[1] ?? 1) - (x[0] ?? 0), (y[1] ?? 1) - (y[0] ?? 0)];
  const [first, second] = plane.directions;
  const option: Option = {
    grid: gridsWithBar(plot, compact, theme),
    xAxis: [{ ...axis(x, first && strings.direction(first.name)), nameGap: compact ? 22 : 28 }, bar.x],
    yAxis: [
      { ...axis(y, compact || second === undefined ? '' : strings.direction(second.name)), nameGap: 44 },
      bar.y,
    ],
    series: [
      {
        id: 'cells',
        type: 'custom',
        clip: true,
        silent: true,
        data: cells,
        encode: { x: 0, y: 1 },
        renderItem: (_, api) => {
          const [px = 0, py = 0] = api.coord([api.value(0), api.value(1)]);
          const [width = 0, tall = 0] = (api.size?.(step) ?? []) as number[];
          const value = Number(api.value(2));
          return {
            type: 'rect',
            shape: { x: px - width / 2, y: py - tall / 2, width: width + 0.5, height: tall + 0.5 },
            style: { fill: rampColor(scale.toUnit(value)) },
          };
        },
      },
      {
        id: 'path',
        type: 'line',
        silent: true,
        clip: true,
        symbol: 'none',
        data: trajectory.map((point) => [point.x, point.y]),
        lineStyle: { color: overRamp.ink, width: 1.5 },
      },
      {
        id: 'last',
        type: 'scatter',
        silent: true,
        clip: true,
        symbol: 'diamond',
        symbolSize: 11,
        data: trajectory.slice(-1).map((point) => [point.x, point.y]),
        itemStyle: { color: overRamp.last, borderColor: overRamp.halo, borderWidth: 1.5 },
      },
      barSeries(),
    ],
  };
  return { option, description: `${words.title}. ${result.trust[0] ?? ''}` };
}

function table(result: CurvatureMapResult): TableData {
  const { x, y, largest, smallest, ratio, residual } = result;
  return {
    caption: words.title,
    columns: ['x', 'y', 'λmax', 'λmin', words.ratio, strings.residual],
    rows: y.flatMap((v, row) =>
      x.map((u, column) => [
        formatNumber(u),
        formatNumber(v),
        ...[largest, smallest, ratio, residual].map((field) => formatNumber(field[row]?.[column] ?? null)),
      ]),
    ),
  };
}

/** One line a grid point, every number in full. */
export function curvatureMapCsv({ x, y, largest, smallest, ratio, residual }: CurvatureMapResult): string {
  return csv(
    ['x', 'y', 'largest', 'smallest', 'ratio', 'residual'],
    y.flatMap((v, row) =>
      x.map((u, column) => [
        u,
        v,
        ...[largest, smallest, ratio, residual].map((field) => field[row]?.[column] ?? null),
      ]),
    ),
  );
}
