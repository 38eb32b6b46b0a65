/** The spectrum of a model's Hessian: its density with the eigenvalues on it, and λ₁ and trace layer by layer. */
import type { SpectralDensity, SpectrumBlock, SpectrumResult } from '../src/protocol/curvature.ts';
import { prefersLog, scaledAxis } from './axes.ts';
import type { Drawing, Size } from './chart.ts';
import { csv } from './dataTable.ts';
import type { TableData } from './dataTable.ts';
import type { Option, SeriesOption } from './echarts.ts';
import { formatNumber, formatWithError } from './format.ts';
import { layer } from './layer.ts';
import {
  axisTooltip,
  band,
  curve,
  dots,
  grids,
  itemTooltip,
  legend,
  namesAxis,
  nearest,
  pointedAt,
  rangeOf,
  stacked,
  usualRoom,
  whiskers,
  xAxis,
  yAxis,
  zoomAlong,
} from './plots.ts';
import { strings } from './strings.ts';
import type { Theme } from './theme.ts';
import { tip } from './tip.ts';

const words = strings.spectrum;

/** The first block: the whole network, or the parameters that were chosen. */
export const wholeOf = (result: SpectrumResult): SpectrumBlock | undefined => result.blocks[0];

/** The height of one eigenvalue alone in a density: less than a tenth of it says nothing of an eigenvalue. */
export function oneEigenvalue(density: SpectralDensity, dimension: number): number {
  return 1 / (dimension * density.bandwidth * Math.sqrt(2 * Math.PI));
}

/** @param other the density of the other matrix at the same model, where it is kept */
export function densityDrawing(
  result: SpectrumResult,
  other: SpectrumResult | null,
  theme: Theme,
  size: Size,
): Drawing | null {
  const whole = wholeOf(result);
  const density = whole?.density;
  if (!whole || !density) return null;
  const beside = other === null ? null : (wholeOf(other)?.density ?? null);
  const room = usualRoom(size);
  const frames = stacked(size, [1], room);
  const floor = oneEigenvalue(density, whole.dimension) / 10;
  const held = (value: number): number => Math.max(floor, value);
  const high = density.density.map((d, k) => held(d + (density.standardError[k] ?? 0)));
  const axis = scaledAxis(
    [...high, floor, ...(beside?.density ?? []).map(held)],
    'log',
    (frames[0]?.height ?? 0) / 40,
  );
  const eigenvalues = [...(whole.largest?.values ?? []), ...(whole.smallest?.values ?? [])];
  const range = rangeOf([...density.x, ...(beside?.x ?? []), ...eigenvalues]);
  const names = [
    words.densityOf(result.matrix),
    ...(beside && other ? [words.densityOf(other.matrix)] : []),
    ...(eigenvalues.length > 0 ? [words.eigenvalues] : []),
  ];
  const option: Option = {
    grid: grids(frames),
    legend: legend(names, room),
    xAxis: [xAxis(0, range, words.curvature)],
    yAxis: [yAxis(0, words.share, axis, room.left, (value) => formatNumber(value, 2))],
    tooltip: {
      ...axisTooltip,
      formatter: (params) => {
        const x = pointedAt(params);
        if (x === null) return '';
        const k = nearest(density.x, x);
        return tip(`${words.curvature} ${formatNumber(density.x[k], 3)}`, [
          [words.share, formatWithError(density.density[k], density.standardError[k])],
          [words.bandwidth, formatNumber(density.bandwidth, 3)],
        ]);
      },
    },
    dataZoom: zoomAlong([0]),
    series: [
      band(
        'error',
        0,
        density.x.map((x, k) => {
          const error = density.standardError[k] ?? 0;
          const value = density.density[k] ?? 0;
          return [x, axis.to(held(value - error)), axis.to(held(value + error))];
        }),
        theme.loss,
        0.25,
      ),
      curve(
        'density',
        names[0] ?? '',
        0,
        density.x.map((x, k) => [x, axis.to(held(density.density[k] ?? 0))]),
        {
          color: theme.loss,
        },
      ),
      ...(beside && other
        ? [
            curve(
              'other',
              words.densityOf(other.matrix),
              0,
              beside.x.map((x, k) => [x, axis.to(held(beside.density[k] ?? 0))]),
              { color: theme.validation, type: 'dashed' },
            ),
          ]
        : []),
      dots(
        'eigenvalues',
        words.eigenvalues,
        0,
        eigenvalues.map((value) => [value, axis.to(floor)]),
        theme.sharpness,
        {
          symbol: 'triangle',
          size: 11,
          theme,
        },
      ),
      bandwidthMark(density, theme),
    ] as SeriesOption[],
  };
  return { option, description: describe(result, whole, density) };
}

/** A bar as long as the bandwidth, in the corner: nothing narrower is resolved. */
function bandwidthMark({ bandwidth }: SpectralDensity, theme: Theme): SeriesOption {
  return layer('bandwidth', 6, (api, frame) => {
    const [width = 0] = (api.size?.([2 * bandwidth, 0]) ?? []) as number[];
    const right = frame.x + frame.width - 8;
    const y = frame.y + 16;
    const left = right - Math.max(1, Math.min(width, frame.width / 2));
    const style = { stroke: theme.foreground, lineWidth: 1.4 };
    return [
      { type: 'line', shape: { x1: left, y1: y, x2: right, y2: y }, style },
      ...[left, right].map((x) => ({ type: 'line', shape: { x1: x, y1: y - 4, x2: x, y2: y + 4 }, style })),
      {
        type: 'text',
        style: {
          text: words.bandwidthMark(formatNumber(bandwidth, 2)),
          x: left - 8,
          y,
          align: 'right',
          verticalAlign: 'middle',
          fill: theme.foreground,
          fontSize: theme.fontSize - 1,
          fontFamily: theme.fontFamily,
        },
      },
    ];
  });
}

function describe(result: SpectrumResult, whole: SpectrumBlock, density: SpectralDensity): string {
  const peak = density.x[density.density.indexOf(Math.max(...density.density))];
  return [
    words.describe(
      words.densityOf(result.matrix),
      whole.dimension,
      result.at,
      formatNumber(density.bandwidth, 2),
    ),
    words.describePeak(
      formatNumber(peak, 2),
      formatNumber(density.x[0], 3),
      formatNumber(density.x.at(-1), 3),
    ),
    whole.largest === null ? '' : words.describeLargest(formatNumber(whole.largest.values[0])),
  ]
    .filter(Boolean)
    .join(' ');
}

/** λ₁ and the trace of each layer's block beside the whole. */
export function layersDrawing(result: SpectrumResult, theme: Theme, size: Size): Drawing | null {
  const { blocks } = result;
  if (blocks.length < 2) return null;
  const names = blocks.map(({ name }) => blockName(name));
  const longest = Math.min(180, 24 + 7 * Math.max(...names.map((name) => name.length)));
  const room = { ...usualRoom(size), left: longest, gap: 24 };
  const traced = blocks.some(({ trace }) => trace !== null);
  const count = traced ? 2 : 1;
  const width = (size.width - longest - room.right - (count - 1) * room.gap) / count;
  const frames = Array.from({ length: count }, (_, k) => ({
    left: longest + k * (width + room.gap),
    top: room.top,
    width: Math.max(40, width),
    height: Math.max(20, size.height - room.top - room.bottom),
  }));
  const lambda = blocks.map(({ largest }) => largest?.values[0] ?? null);
  const least = blocks.map(({ smallest }) => smallest?.values[0] ?? null);
  const traces = blocks.map(({ trace }) => trace?.value ?? null);
  const intervals = blocks.flatMap(({ trace }) => trace?.interval ?? []);
  const along = [...lambda, ...least];
  const axes = [
    scaledAxis(along, prefersLog(along) ? 'log' : 'linear', width / 90, true),
    ...(traced
      ? [
          scaledAxis(
            [...traces, ...intervals],
            prefersLog([...traces, ...intervals]) ? 'log' : 'linear',
            width / 90,
            true,
          ),
        ]
      : []),
  ];
  const at = (values: readonly (number | null)[], k: number): [number | null, number][] =>
    values.map((value, row) => [axes[k]?.to(value) ?? null, row]);
  const ranked = least.some((value) => value !== null);
  const titles = [ranked ? words.eigenvalue : strings.lambda1, words.trace];
  const option: Option = {
    grid: grids(frames),
    legend: legend(ranked ? [words.largest, words.smallest] : [], room),
    xAxis: axes.map((axis, gridIndex) => ({
      gridIndex,
      name: titles[gridIndex] ?? '',
      nameLocation: 'middle',
      nameGap: 26,
      ...axis.option,
      axisLine: { onZero: false },
    })),
    yAxis: frames.map((_, k) => namesAxis(k, names, k === 0)),
    tooltip: {
      ...itemTooltip,
      formatter: (params) => {
        const item = Array.isArray(params) ? params[0] : params;
        const block = blocks[item?.dataIndex ?? -1];
        return block === undefined ? '' : tip(blockName(block.name), blockRows(block));
      },
    },
    series: [
      dots('largest', words.largest, 0, at(lambda, 0), theme.sharpness, { theme }),
      ...(ranked
        ? [dots('smallest', words.smallest, 0, at(least, 0), theme.validation, { symbol: 'diamond', theme })]
        : []),
      ...(traced
        ? [
            dots('traces', words.trace, 1, at(traces, 1), theme.loss, { theme }),
            whiskers(
              'intervals',
              1,
              blocks.flatMap(({ trace }, row) => {
                if (trace === null) return [];
                const [low, high] = trace.interval.map((value) => axes[1]?.to(value) ?? null);
                return low === null || low === undefined || high === null || high === undefined
                  ? []
                  : [[[low, row] as const, [high, row] as const] as const];
              }),
              theme.loss,
            ),
          ]
        : []),
    ],
  };
  const [top] = blocks
    .slice(1)
    .sort((p, q) => (q.largest?.values[0] ?? -Infinity) - (p.largest?.values[0] ?? -Infinity));
  return {
    option,
    description: words.describeLayers(
      blocks.length - 1,
      top?.name ?? '–',
      formatNumber(top?.largest?.values[0]),
    ),
  };
}

export const blockName = (name: string): string =>
  name === 'all' ? words.whole : name === 'chosen' ? words.chosen : name;

function blockRows({ dimension, largest, smallest, trace }: SpectrumBlock): [string, string][] {
  return [
    [words.dimension, String(dimension)],
    ...(largest === null ? [] : [[words.largest, formatNumber(largest.values[0])] as [string, string]]),
    ...(smallest === null ? [] : [[words.smallest, formatNumber(smallest.values[0])] as [string, string]]),
    ...(trace === null
      ? []
      : [[words.trace, formatWithError(trace.value, trace.standardError)] as [string, string]]),
  ];
}

/** Eigenvalues of the whole with their residuals. */
export function eigenvalueTable(result: SpectrumResult): TableData {
  const whole = wholeOf(result);
  const rows = (
    [
      ['largest', whole?.largest],
      ['smallest', whole?.smallest],
    ] as const
  ).flatMap(([which, found]) =>
    (found?.values ?? []).map((value, k) => [
      words.rank(which, k + 1),
      formatNumber(value, 5),
      formatNumber(found?.residuals[k], 2),
      found?.converged ? words.yes : words.no,
    ]),
  );
  return {
    caption: strings.tableOf.eigenvalues,
    columns: ['', words.eigenvalue, words.residual, words.converged],
    rows,
  };
}

export function blockTable({ blocks }: SpectrumResult): TableData {
  return {
    caption: words.blocks,
    columns: [
      words.block,
      words.dimension,
      words.largest,
      words.smallest,
      words.trace,
      words.interval,
      words.samples,
    ],
    rows: blocks.map(({ name, dimension, largest, smallest, trace }) => [
      blockName(name),
      String(dimension),
      formatNumber(largest?.values[0]),
      formatNumber(smallest?.values[0]),
      trace === null ? '–' : formatWithError(trace.value, trace.standardError),
      trace === null ? '–' : trace.interval.map((value) => formatNumber(value)).join(' … '),
      trace === null ? '–' : words.drawn(trace.samples, trace.sketch),
    ]),
  };
}

export function densityTable(density: SpectralDensity): TableData {
  return {
    caption: words.densityTable(formatNumber(density.bandwidth, 3), density.probes, density.steps),
    columns: [words.curvature, words.share, strings.standardError],
    rows: density.x.map((x, k) => [
      formatNumber(x),
      formatNumber(density.density[k]),
      formatNumber(density.standardError[k], 2),
    ]),
  };
}

export function densityCsv(result: SpectrumResult): string {
  const density = wholeOf(result)?.density;
  return csv(
    ['curvature', 'density', 'standardError'],
    (density?.x ?? []).map((x, k) => [x, density?.density[k] ?? null, density?.standardError[k] ?? null]),
  );
}

export function blockCsv({ blocks }: SpectrumResult): string {
  return csv(
    ['block', 'dimension', 'rank', 'eigenvalue', 'residual', 'trace', 'traceStandardError'],
    blocks.flatMap(({ name, dimension, largest, smallest, trace }) => {
      const values = [
        ...(largest?.values ?? []).map((value, k) => [k + 1, value, largest?.residuals[k] ?? null] as const),
        ...(smallest?.values ?? []).map(
          (value, k) => [-(k + 1), value, smallest?.residuals[k] ?? null] as const,
        ),
      ];
      const rest = [trace?.value ?? null, trace?.standardError ?? null];
      return values.length === 0
        ? [[name, dimension, null, null, null, ...rest]]
        : values.map(([rank, value, residual]) => [name, dimension, rank, value, residual, ...rest]);
    }),
  );
}
