/** Several plots in one chart, stacked or side by side: their frames, axes and the marks that they share. */
import type { ScaledAxis } from './axes.ts';
import type { Size } from './chart.ts';
import type { Option, SeriesOption } from './echarts.ts';
import { formatNumber } from './format.ts';
import { layer } from './layer.ts';
import type { Theme } from './theme.ts';

/** A plot's rectangle inside of the chart, in pixels. */
export interface PlotFrame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export interface Room {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  /** Between two plots. */
  readonly gap: number;
}

/** Room for axes around stacked plots. */
export function usualRoom(size: Size): Room {
  const compact = size.width < 480;
  // Where it is narrow the legend and the first axis' name do not fit into one row.
  const top = size.width < 640 ? 54 : 34;
  return { left: compact ? 48 : 64, right: compact ? 12 : 24, top, bottom: 46, gap: 46 };
}

/** Plots below each other that share the height by weight. */
export function stacked(size: Size, weights: readonly number[], room: Room): PlotFrame[] {
  const free = size.height - room.top - room.bottom - (weights.length - 1) * room.gap;
  const all = weights.reduce((a, b) => a + b, 0);
  let top = room.top;
  return weights.map((weight) => {
    const height = Math.max(20, (free * weight) / all);
    const frame = { left: room.left, top, width: Math.max(40, size.width - room.left - room.right), height };
    top += height + room.gap;
    return frame;
  });
}

/** Plots beside each other, of equal width; below each other where that would be too narrow. */
export function beside(size: Size, count: number, room: Room, narrowest = 260): PlotFrame[] {
  if (size.width / count < narrowest) return stacked(size, Array<number>(count).fill(1), room);
  const width = (size.width - room.right) / count;
  return Array.from({ length: count }, (_, k) => ({
    left: k * width + room.left,
    top: room.top,
    width: Math.max(40, width - room.left - (k < count - 1 ? room.right : 0)),
    height: Math.max(20, size.height - room.top - room.bottom),
  }));
}

/** A grid of ECharts for each frame. */
export const grids = (frames: readonly PlotFrame[]): PlotFrame[] => frames.map((frame) => ({ ...frame }));

type Axis = NonNullable<Option['xAxis']>;
type OneAxis<A> = A extends readonly (infer One)[] ? One : A;

/** @param name below the axis, and the numbers; empty where the plot below has them */
export function xAxis(
  gridIndex: number,
  range: { readonly min: number; readonly max: number },
  name: string,
  format: (x: number) => string = (x) => formatNumber(x, 4),
): OneAxis<Axis> {
  return {
    type: 'value',
    gridIndex,
    ...range,
    name,
    nameLocation: 'middle',
    nameGap: 26,
    axisLabel: {
      show: name !== '',
      hideOverlap: true,
      formatter: format,
      showMinLabel: false,
      showMaxLabel: false,
    },
    splitLine: { show: false },
    // On a log axis zero is the value 1.
    axisLine: { onZero: false },
  };
}

/** @param name above the axis. @param left room beside the plot, for the name to begin at the chart's edge */
export function yAxis(
  gridIndex: number,
  name: string,
  scaled: ScaledAxis,
  left: number,
  format?: (value: number) => string,
): OneAxis<NonNullable<Option['yAxis']>> {
  const option = scaled.option as { axisLabel: object };
  return {
    gridIndex,
    name,
    nameLocation: 'end',
    nameGap: 12,
    nameTextStyle: { align: 'left', padding: [0, 0, 0, -left + 14], fontWeight: 600 },
    ...option,
    axisLine: { onZero: false },
    axisLabel: {
      ...option.axisLabel,
      ...(format === undefined ? {} : { formatter: (x: number) => format(scaled.from(x)) }),
    },
  };
}

/** One row a name, the first on top; rows are the whole numbers from 0 on. */
export function namesAxis(
  gridIndex: number,
  names: readonly string[],
  shown = true,
): OneAxis<NonNullable<Option['yAxis']>> {
  return {
    type: 'value',
    gridIndex,
    inverse: true,
    min: -0.6,
    max: names.length - 0.4,
    splitLine: { show: false },
    axisLine: { onZero: false },
    axisTick: { show: false, customValues: names.map((_, k) => k) },
    axisLabel: {
      show: shown,
      customValues: names.map((_, k) => k),
      formatter: (k: number) => names[Math.round(k)] ?? '',
      showMinLabel: true,
      showMaxLabel: true,
    },
  };
}

/** One row or column a name, each as wide as the cells of a heat map: they fill the axis from end to end. */
export function cellNamesAxis(gridIndex: number, names: readonly string[], inverse: boolean) {
  return {
    type: 'value' as const,
    gridIndex,
    inverse,
    min: -0.5,
    max: names.length - 0.5,
    splitLine: { show: false },
    axisLine: { onZero: false },
    axisTick: { show: false },
    axisLabel: {
      customValues: names.map((_, k) => k),
      formatter: (k: number) => names[Math.round(k)] ?? '',
      showMinLabel: true,
      showMaxLabel: true,
      hideOverlap: true,
    },
  };
}

export type XY = readonly [x: number | null, y: number | null];

export interface CurveStyle {
  readonly color: string;
  readonly width?: number;
  readonly type?: 'solid' | 'dashed' | 'dotted';
  /** Marks at the points. */
  readonly symbol?: 'circle' | 'diamond';
  readonly z?: number;
  readonly step?: 'start' | 'middle' | 'end';
  readonly opacity?: number;
}

/** A line through points in axis positions; null breaks it. @param name in the legend; empty for none */
export function curve(
  id: string,
  name: string,
  grid: number,
  points: readonly XY[],
  { color, width = 2, type = 'solid', symbol, z = 3, step, opacity = 1 }: CurveStyle,
): SeriesOption {
  return {
    id,
    ...(name === '' ? {} : { name }),
    type: 'line',
    xAxisIndex: grid,
    yAxisIndex: grid,
    data: points.map(([x, y]) => [x, y]),
    symbol: symbol ?? 'none',
    symbolSize: 6,
    z,
    clip: true,
    ...(step === undefined ? {} : { step }),
    itemStyle: { color, opacity },
    lineStyle: { color, width, type, opacity },
    emphasis: { disabled: true },
  };
}

/** A line to hold others against: thin, dotted, without answer to the pointer. */
export function guide(
  id: string,
  name: string,
  grid: number,
  points: readonly XY[],
  theme: Theme,
): SeriesOption {
  return {
    ...curve(id, name, grid, points, { color: theme.muted, width: 1.2, type: 'dotted', z: 2 }),
    silent: true,
  };
}

/** The same, upright at a place. @param from where it ends, in axis positions */
export function upright(
  id: string,
  name: string,
  grid: number,
  x: number,
  [from, to]: readonly [number | null, number | null],
  theme: Theme,
): SeriesOption {
  return guide(
    id,
    name,
    grid,
    [
      [x, from],
      [x, to],
    ],
    theme,
  );
}

/** The same, across a plot at a height. */
export function level(
  id: string,
  name: string,
  grid: number,
  range: { readonly min: number; readonly max: number },
  y: number | null,
  theme: Theme,
): SeriesOption {
  return guide(
    id,
    name,
    grid,
    [
      [range.min, y],
      [range.max, y],
    ],
    theme,
  );
}

/** The area between a lower and an upper line, in axis positions. */
export function band(
  id: string,
  grid: number,
  edges: readonly (readonly [x: number, low: number | null, high: number | null])[],
  color: string,
  opacity = 0.18,
): SeriesOption {
  return layer(
    id,
    1,
    (api) => {
      const known = edges.flatMap(([x, low, high]) =>
        low === null || high === null ? [] : [{ low: api.coord([x, low]), high: api.coord([x, high]) }],
      );
      if (known.length < 2) return [];
      const points = [...known.map(({ high }) => high), ...known.map(({ low }) => low).reverse()];
      return [{ type: 'polygon', shape: { points }, style: { fill: color, opacity } }];
    },
    { xAxisIndex: grid, yAxisIndex: grid },
  );
}

/** A line with ends across between two points; an open one goes on beyond what can be seen. */
export type Whisker = readonly [
  from: readonly [number, number],
  to: readonly [number, number],
  open?: { readonly from?: boolean; readonly to?: boolean },
];

/** Lines from one point to another with ends across: standard errors, intervals. An open end is an arrow. */
export function whiskers(id: string, grid: number, spans: readonly Whisker[], color: string): SeriesOption {
  return layer(
    id,
    4,
    (api) =>
      spans.flatMap(([from, to, open]) => {
        const [x1 = 0, y1 = 0] = api.coord([...from]);
        const [x2 = 0, y2 = 0] = api.coord([...to]);
        const upright = Math.abs(x2 - x1) < Math.abs(y2 - y1);
        const [dx, dy] = upright ? [3, 0] : [0, 3];
        const line = (shape: object): object => ({
          type: 'line',
          shape,
          style: { stroke: color, lineWidth: 1.4 },
        });
        const across = (x: number, y: number): object[] => [
          line({ x1: x - dx, y1: y - dy, x2: x + dx, y2: y + dy }),
        ];
        // From the tip back towards the other end.
        const arrow = (x: number, y: number, towards: readonly [number, number]): object[] => {
          const [bx, by] = [5 * Math.sign(towards[0] - x), 5 * Math.sign(towards[1] - y)];
          return [-1, 1].map((side) =>
            line({ x1: x, y1: y, x2: x + bx + side * dx, y2: y + by + side * dy }),
          );
        };
        return [
          line({ x1, y1, x2, y2 }),
          ...(open?.from === true ? arrow(x1, y1, [x2, y2]) : across(x1, y1)),
          ...(open?.to === true ? arrow(x2, y2, [x1, y1]) : across(x2, y2)),
        ];
      }),
    { xAxisIndex: grid, yAxisIndex: grid },
  );
}

export interface Bar {
  readonly from: readonly [x: number, y: number];
  readonly to: readonly [x: number, y: number];
}

/** Filled rectangles between two corners, in axis positions. */
export function bars(
  id: string,
  grid: number,
  all: readonly Bar[],
  color: string,
  { opacity = 1, outline = false, z = 2 }: { opacity?: number; outline?: boolean; z?: number } = {},
): SeriesOption {
  return layer(
    id,
    z,
    (api) =>
      all.map(({ from, to }) => {
        const [x1 = 0, y1 = 0] = api.coord([...from]);
        const [x2 = 0, y2 = 0] = api.coord([...to]);
        return {
          type: 'rect',
          shape: {
            x: Math.min(x1, x2),
            y: Math.min(y1, y2),
            width: Math.abs(x2 - x1),
            height: Math.abs(y2 - y1),
          },
          style: outline
            ? { fill: 'none', stroke: color, lineWidth: 1.6, opacity }
            : { fill: color, opacity },
        };
      }),
    { xAxisIndex: grid, yAxisIndex: grid },
  );
}

/** Points that answer the pointer; `data` of each is handed to the tooltip. */
export function dots(
  id: string,
  name: string,
  grid: number,
  points: readonly XY[],
  color: string,
  {
    symbol = 'circle',
    size = 9,
    hollow = false,
    theme,
    z = 5,
  }: {
    symbol?: string;
    size?: number;
    hollow?: boolean;
    theme: Theme;
    z?: number;
  },
): SeriesOption {
  return {
    id,
    ...(name === '' ? {} : { name }),
    type: 'scatter',
    xAxisIndex: grid,
    yAxisIndex: grid,
    data: points.map(([x, y]) => [x, y]) as number[][],
    symbol,
    symbolSize: size,
    z,
    clip: true,
    itemStyle: hollow
      ? { color: theme.background, borderColor: color, borderWidth: 2 }
      : { color, borderColor: theme.background, borderWidth: 1 },
    emphasis: { disabled: true },
  };
}

/** A legend at the top right, of the series that carry these names. */
export function legend(names: readonly string[], room: Room): NonNullable<Option['legend']> {
  return {
    show: names.length > 0,
    top: 2,
    right: room.right,
    itemWidth: 18,
    itemHeight: 8,
    selectedMode: false,
    data: names.map((name) => ({ name })),
  };
}

/** What tooltips have in common: of a whole plot at the pointer's x, and of the mark under the pointer. */
export const axisTooltip = { trigger: 'axis', confine: true, transitionDuration: 0 } as const;
export const itemTooltip = { trigger: 'item', confine: true, transitionDuration: 0 } as const;

/** Stacked plots over the same steps: one pointer goes through all. */
export const linkedSteps: NonNullable<Option['axisPointer']> = { link: [{ xAxisIndex: 'all' }] };

/** Zoom along the x axes of these plots, all alike, by wheel and ctrl. */
export function zoomAlong(axes: readonly number[]): NonNullable<Option['dataZoom']> {
  return [{ type: 'inside', xAxisIndex: [...axes], filterMode: 'none', zoomOnMouseWheel: 'ctrl' }];
}

/** The drawn frames of names in rows: room for the longest name at the left, then `count` plots beside each other. */
export function besideNames(size: Size, names: readonly string[], count: number, room: Room): PlotFrame[] {
  const longest = Math.max(...names.map((name) => name.length));
  const left = size.width < 480 ? 100 : Math.min(220, 24 + 7 * longest);
  const width = (size.width - left - room.right - (count - 1) * room.gap) / count;
  return Array.from({ length: count }, (_, k) => ({
    left: left + k * (width + room.gap),
    top: room.top,
    width: Math.max(40, width),
    height: Math.max(20, size.height - room.top - room.bottom),
  }));
}

/** A finite value with its error to both sides, for {@link whiskers}; nothing where either is unknown. */
export function span(
  at: number,
  value: number | null | undefined,
  error: number | null | undefined,
  axis: ScaledAxis,
  direction: 'up' | 'across',
): (readonly [readonly [number, number], readonly [number, number]])[] {
  if (value == null || error == null || !Number.isFinite(value) || !Number.isFinite(error)) return [];
  const [low, high] = [axis.to(value - error) ?? axis.to(value), axis.to(value + error)];
  if (low === null || high === null) return [];
  return direction === 'up'
    ? [[[at, low] as const, [at, high] as const] as const]
    : [[[low, at] as const, [high, at] as const] as const];
}

/** Where a tooltip of a whole plot was asked for: the pointer's x among the values, and which of them is nearest. */
export function nearest(values: readonly number[], x: number): number {
  return values.reduce(
    (best, value, k) => (Math.abs(value - x) < Math.abs((values[best] ?? Infinity) - x) ? k : best),
    0,
  );
}

/** The x of what an axis tooltip points at. */
export function pointedAt(params: unknown): number | null {
  const all: unknown[] = Array.isArray(params) ? params : [params];
  for (const one of all) {
    const { value } = one as { value?: unknown };
    if (Array.isArray(value) && Number.isFinite(Number(value[0]))) return Number(value[0]);
  }
  return null;
}

/** Smallest and largest of the finite values; 0 and 1 where there is none. */
export function rangeOf(values: Iterable<number | null | undefined>): { min: number; max: number } {
  let [min, max] = [Infinity, -Infinity];
  for (const value of values) {
    if (value === null || value === undefined || !Number.isFinite(value)) continue;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return min > max ? { min: 0, max: 1 } : { min, max: max > min ? max : min + 1 };
}
