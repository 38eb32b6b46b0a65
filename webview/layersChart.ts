/** Every parameter along the run as a row of colours: update ratio, gradient norm, alignment of gradients, dead units. */
import type { LayersResult } from '../src/protocol/layers.ts';
import type { Drawing, Size } from './chart.ts';
import { barAxes, barSeries, gridsWithBar } from './colourBar.ts';
import { csv } from './dataTable.ts';
import type { TableData } from './dataTable.ts';
import type { Option } from './echarts.ts';
import { formatNumber } from './format.ts';
import { lossScale } from './lossScale.ts';
import { cellNamesAxis, itemTooltip } from './plots.ts';
import { rampColor } from './ramp.ts';
import { strings } from './strings.ts';
import type { Theme } from './theme.ts';
import { tip } from './tip.ts';

const words = strings.layers;

export type LayerQuantity = 'updateRatio' | 'gradientNorm' | 'alignment' | 'dead';

/** Rows that can still be told apart. */
const MOST_ROWS = 40;

type Series = NonNullable<LayersResult['series']>;

/** Parameters that have the quantity; of a deep net the kernels alone. */
function rowsOf(result: LayersResult, series: Series, quantity: LayerQuantity): number[] {
  const all = result.parameters
    .map((_, k) => k)
    .filter((k) => series.parameters[k]?.[quantity]?.some((value) => value !== null) ?? false);
  if (all.length <= MOST_ROWS) return all;
  return all
    .filter((k) => ['kernel', 'embedding'].includes(result.parameters[k]?.role ?? ''))
    .slice(0, MOST_ROWS);
}

/** null where the result is of an older Basin, or has nothing of the quantity. */
export function layersHeat(
  result: LayersResult,
  quantity: LayerQuantity,
  theme: Theme,
  size: Size,
): Drawing | null {
  const { series } = result;
  if (series === undefined) return null;
  const rows = rowsOf(result, series, quantity);
  const values = (k: number): readonly (number | null)[] => series.parameters[k]?.[quantity] ?? [];
  const scale = lossScale(
    rows.flatMap((k) => values(k)).filter((value) => quantity !== 'updateRatio' || (value ?? 0) > 0),
    quantity === 'alignment' || quantity === 'dead' ? 'linear' : 'log',
  );
  if (scale === null || rows.length === 0) return null;
  const compact = size.width < 480;
  const names = rows.map((k) => result.parameters[k]?.name ?? '');
  const left = compact ? 100 : Math.min(240, 24 + 7 * Math.max(...names.map((name) => name.length)));
  const bottom = 46;
  const plot = {
    left,
    top: 14,
    width: Math.max(60, size.width - left - (compact ? 60 : 110)),
    height: Math.max(20, size.height - bottom - 14),
  };
  const bar = barAxes(scale, plot.height, compact, words.quantities[quantity]);
  const { steps } = series;
  const [from, to] = [steps[0] ?? 0, steps.at(-1) ?? 1];
  const cells = rows.flatMap((k, row) =>
    values(k).flatMap((value, i) =>
      value === null ? [] : [{ row, value, step: steps[i] ?? 0, next: steps[i + 1] ?? steps[i] ?? 0 }],
    ),
  );
  const byRow = cellNamesAxis(0, names, true);
  const option: Option = {
    grid: gridsWithBar(plot, compact, theme),
    xAxis: [
      {
        type: 'value',
        gridIndex: 0,
        min: from,
        max: to > from ? to : from + 1,
        name: words.step,
        nameLocation: 'middle',
        nameGap: 26,
        splitLine: { show: false },
        axisLine: { onZero: false },
        axisLabel: { hideOverlap: true, formatter: (x: number) => formatNumber(x, 5) },
      },
      bar.x,
    ],
    yAxis: [{ ...byRow, axisLabel: { ...byRow.axisLabel, width: left - 14, overflow: 'truncate' } }, bar.y],
    tooltip: {
      ...itemTooltip,
      formatter: (params) => {
        const item = Array.isArray(params) ? params[0] : params;
        const cell = cells[item?.dataIndex ?? -1];
        return cell === undefined
          ? ''
          : tip(names[cell.row] ?? '', [
              [words.step, String(cell.step)],
              [words.quantities[quantity], formatNumber(cell.value, 3)],
            ]);
      },
    },
    series: [
      {
        id: `cells-${quantity}`,
        type: 'custom',
        clip: true,
        data: cells.map(({ step, row, value, next }) => [step, row, value, next]),
        encode: { x: 0, y: 1 },
        renderItem: (_, api) => {
          const [x = 0, y = 0] = api.coord([api.value(0), api.value(1)]);
          const [right = 0] = api.coord([api.value(3), api.value(1)]);
          const [, height = 0] = (api.size?.([1, 1]) ?? []) as number[];
          const value = Number(api.value(2));
          return {
            type: 'rect',
            // A little over the next cell: no seam shows at fractional pixels.
            shape: { x, y: y - height / 2, width: Math.max(1.5, right - x + 0.6), height: height - 1 },
            style: { fill: Number.isFinite(value) ? rampColor(scale.toUnit(value)) : theme.background },
          };
        },
      },
      barSeries(),
    ],
  };
  const last = rows.map(
    (k, row) =>
      `${names[row]} ${formatNumber(
        values(k)
          .filter((x) => x !== null)
          .at(-1),
        2,
      )}`,
  );
  return {
    option,
    description: words.describe(
      words.quantities[quantity],
      rows.length,
      from,
      to,
      last.slice(0, 8).join(', '),
    ),
  };
}

export function layersTable(result: LayersResult): TableData {
  return {
    caption: words.table,
    columns: [
      words.parameter,
      ...(['updateRatio', 'gradientNorm'] as const).flatMap((name) => [
        words.last(words.quantities[name]),
        words.median(words.quantities[name]),
      ]),
      words.weightNorm,
      words.quantities.alignment,
      words.quantities.dead,
      words.nonFinite,
    ],
    rows: result.parameters.map((p) => [
      p.name,
      formatNumber(p.updateRatio.last, 3),
      formatNumber(p.updateRatio.median, 3),
      formatNumber(p.gradientNorm.last, 3),
      formatNumber(p.gradientNorm.median, 3),
      formatNumber(p.weightNorm.last, 3),
      formatNumber(p.alignment.median, 2),
      p.dead === null ? '–' : words.deadOf(p.dead.units, p.dead.of),
      p.nonFinite === null ? '–' : `${words.broken[p.nonFinite.what]}, ${strings.step(p.nonFinite.step)}`,
    ]),
  };
}

export function layersCsv({ series, parameters }: LayersResult): string {
  return csv(
    ['step', 'parameter', 'updateRatio', 'gradientNorm', 'alignment', 'deadUnits'],
    (series?.steps ?? []).flatMap((step, i) =>
      parameters.map(({ name }, k) => {
        const one = series?.parameters[k];
        return [
          step,
          name,
          one?.updateRatio[i] ?? null,
          one?.gradientNorm[i] ?? null,
          one?.alignment[i] ?? null,
          one?.dead?.[i] ?? null,
        ];
      }),
    ),
  );
}
