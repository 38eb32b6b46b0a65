/** The loss on a plane as isobands with labelled isolines, and the run's trajectory on it. */
import type { CustomSeriesOption } from 'echarts/charts';
import type { ContourResult, PlaneCorner, TrajectoryPoint } from '../src/protocol/results.ts';
import { Chart } from './chart.ts';
import type { Drawing, Size } from './chart.ts';
import { cells, isobands, isolines, knownLattice, nearestIndex } from './contourGeometry.ts';
import type { Cell, Isoband, Isoline, Point } from './contourGeometry.ts';
import { comparedModels, comparedNames } from './comparedModels.ts';
import type { ComparedModel } from './comparedModels.ts';
import { barAxes, barSeries, gridsWithBar } from './colourBar.ts';
import type { Option, SeriesOption } from './echarts.ts';
import { formatCount, formatNumber, formatPercent, formatWithError } from './format.ts';
import { layer } from './layer.ts';
import type { Frame, RenderApi } from './layer.ts';
import { placeLabels, sideClearOf } from './labelPlacement.ts';
import { lossScale, valuesOf } from './lossScale.ts';
import type { LossScale, ScaleKind } from './lossScale.ts';
import { planeFrame } from './planeFrame.ts';
import { inPixels, polylines } from './polylines.ts';
import { overRamp, rampColor } from './ramp.ts';
import { amount } from './provenance.ts';
import { strings } from './strings.ts';
import type { Theme } from './theme.ts';
import { tip } from './tip.ts';

/** Fill bands: fine enough to read as a continuous ramp. */
const BANDS = 32;

/** Everything of a result that drawing needs and that costs time: made once per result and scale. */
export interface ContourPicture {
  readonly result: ContourResult;
  readonly scale: LossScale;
  readonly bands: readonly Isoband[];
  readonly lines: readonly Isoline[];
  /** Points known beyond the regular sub-grid that is interpolated, while refining. */
  readonly extra: readonly Cell[];
  /** Where a loss is not finite; only told apart from "not computed" once all is computed. */
  readonly holes: readonly Cell[];
  /** Points along each axis that the picture is drawn from; null: single cells only. */
  readonly resolution: readonly [number, number] | null;
}

/** null while not a single loss is known. @param shared a scale that another picture has as well */
export function contourPicture(
  result: ContourResult,
  kind: ScaleKind,
  shared: LossScale | null = null,
): ContourPicture | null {
  const scale = shared ?? lossScale(valuesOf(result.loss), kind);
  if (scale === null) return null;
  const lattice = result.complete ? { stride: 1, grid: result } : knownLattice(result);
  const thresholds = Array.from({ length: BANDS - 1 }, (_, k) => (k + 1) / BANDS);
  const smooth = lattice?.grid ?? null;
  return {
    result,
    scale,
    bands: smooth === null ? [] : isobands(smooth, scale.toUnit, thresholds),
    lines:
      smooth === null
        ? []
        : isolines(isobands(smooth, scale.toUnit, scale.levels.map(scale.toUnit)), smooth).map(
            ({ lines }, k) => ({
              value: scale.levels[k] ?? 0,
              lines,
            }),
          ),
    extra: result.complete
      ? []
      : cells(result, (loss, i, j) => {
          const onLattice = lattice !== null && i % lattice.stride === 0 && j % lattice.stride === 0;
          return loss !== null && !onLattice;
        }),
    holes: result.complete ? cells(result, (loss) => loss === null) : [],
    resolution: smooth === null ? null : [smooth.x.length, smooth.y.length],
  };
}

/** Axis names that say what the axes are. */
export function axisNames(result: ContourResult): readonly [string, string] {
  const [a, b] = result.plane.directions.map(({ name, varianceExplained }, k) => {
    if (result.plane.kind === 'random') return strings.randomDirection(k + 1);
    if (result.plane.kind !== 'pca') return strings.direction(withRunNames(name, result));
    return varianceExplained === null
      ? strings.componentPlain(k + 1)
      : strings.component(k + 1, formatPercent(varianceExplained, varianceExplained < 0.1 ? 1 : 0));
  });
  return [a ?? 'x', b ?? 'y'];
}

/** Runs by the names that people gave them, where a direction has them by their ids. */
function withRunNames(text: string, { paths = [] }: ContourResult): string {
  return paths.reduce((all, { run, name }) => all.replaceAll(`${run}:`, `${name}:`), text);
}

export interface ContourLayout {
  readonly plot: {
    readonly left: number;
    readonly top: number;
    readonly width: number;
    readonly height: number;
  };
  /** Room below the plot, for the axis. */
  readonly bottom: number;
  /** Whether a unit of weight space is as long on either axis. */
  readonly equal: boolean;
  readonly compact: boolean;
}

/**
 * Places plot and colour bar. Both axes measure distances in weight space, so they get one scale, unless the
 * plane is so elongated that the picture would be a sliver.
 */
export function contourLayout(result: ContourResult, size: Size): ContourLayout {
  const compact = size.width < 420;
  const margin = compact
    ? { left: 38, right: 46, top: 10, bottom: 36 }
    : { left: 62, right: 92, top: 14, bottom: 50 };
  const available = {
    width: Math.max(60, size.width - margin.left - margin.right),
    height: Math.max(60, size.height - margin.top - margin.bottom),
  };
  const { frame, equal } = planeFrame(result, { left: margin.left, top: margin.top, ...available });
  return {
    plot: frame,
    bottom: margin.bottom,
    equal,
    compact,
  };
}

export function contourDrawing(
  picture: ContourPicture,
  theme: Theme,
  size: Size,
  chart: Pick<Chart, 'pointer' | 'coordinates'> | null,
  place: number | null = null,
  options: {
    readonly points?: boolean;
    readonly picked?: Point | null;
    /** Which of the models that are compared stands out. */
    readonly compared?: number | null;
  } = {},
): Drawing {
  const { result, scale } = picture;
  const layout = contourLayout(result, size);
  const { plot, compact } = layout;
  const [nameX, nameY] = axisNames(result);
  const ends = (along: readonly number[]): { min: number; max: number } => ({
    min: along[0] ?? 0,
    max: along.at(-1) ?? 1,
  });
  const axis = {
    type: 'value',
    splitLine: { show: false },
    nameLocation: 'middle',
    splitNumber: compact ? 3 : 5,
  } as const;
  const label = {
    hideOverlap: true,
    formatter: (value: number) => formatNumber(value, 3),
    showMinLabel: false,
    showMaxLabel: false,
  };
  const barAxis = barAxes(scale, plot.height, compact, strings.loss);
  const option: Option = {
    grid: gridsWithBar(plot, compact, theme),
    xAxis: [
      {
        ...axis,
        gridIndex: 0,
        ...ends(result.x),
        name: nameX,
        nameGap: compact ? 20 : 28,
        axisLabel: label,
        axisLine: { show: false },
      },
      barAxis.x,
    ],
    yAxis: [
      {
        ...axis,
        gridIndex: 0,
        ...ends(result.y),
        name: compact ? '' : nameY,
        nameGap: 44,
        axisLabel: label,
        axisLine: { show: false },
      },
      barAxis.y,
    ],
    tooltip: {
      trigger: 'item',
      confine: true,
      transitionDuration: 0,
      hideDelay: 40,
      formatter: (params) => {
        const item = Array.isArray(params) ? params[0] : params;
        return item === undefined ? '' : describeItem(picture, item, chart);
      },
    },
    dataZoom: compact
      ? []
      : [
          { type: 'inside', xAxisIndex: 0, filterMode: 'none', zoomOnMouseWheel: 'ctrl', minSpan: 4 },
          { type: 'inside', yAxisIndex: 0, filterMode: 'none', zoomOnMouseWheel: 'ctrl', minSpan: 4 },
        ],
    series: [
      bandsSeries(picture),
      linesSeries(picture, compact),
      cellsSeries(picture, theme),
      ...evaluatedSeries(result, options.points ?? false),
      barSeries(),
      ...pathsSeries(result, compact, options.compared ?? null),
      ...trajectorySeries(result, theme, compact, place, options.compared ?? null),
      pickedSeries(options.picked ?? null),
    ],
  };
  return { option, description: describeContour(picture) };
}

/** A contour in an element; `show` may be called as often as data arrives. */
export class ContourChart {
  readonly chart: Chart;
  private picture: ContourPicture | null = null;
  private shown: { id: string; evaluated: number; kind: ScaleKind; shared: LossScale | null } | null = null;
  /** How far the path has been gone, an index into the trajectory; null for all of it. */
  private place: number | null = null;

  constructor(element: HTMLElement) {
    this.chart = new Chart(element, (theme, size) => {
      if (this.picture === null) return null;
      // No taller than a flat plane needs: the observer of the size draws again when this changes it.
      const { plot, bottom } = contourLayout(this.picture.result, { width: size.width, height: 4000 });
      element.style.maxHeight = `${Math.max(120, plot.top + plot.height + bottom)}px`;
      return contourDrawing(
        this.picture,
        theme,
        { width: size.width, height: element.clientHeight || size.height },
        this.chart,
        this.place,
        { points: this.points, picked: this.picked, compared: this.compared },
      );
    });
  }

  /** Whether the points that an adaptive contour evaluated are marked. */
  showPoints(shown: boolean): void {
    this.points = shown;
    this.chart.redraw();
  }
  private points = false;

  /** Marks a point of the plane. */
  mark(at: Point | null): void {
    if (at === this.picked) return;
    this.picked = at;
    this.chart.redraw();
  }
  private picked: Point | null = null;

  /** Calls back with the point of the plane that is clicked: a snapshot where one is that near, in pixels. */
  onClick(picked: (at: Point) => void, near = 7): void {
    const { element, pointer } = this.chart;
    let down = { ...pointer };
    element.addEventListener('mousedown', () => (down = { ...pointer }), { capture: true });
    element.addEventListener('click', () => {
      // What was dragged is the plane under the frame.
      if (this.picture === null || Math.hypot(pointer.x - down.x, pointer.y - down.y) > 4) return;
      const { result } = this.picture;
      const at = this.chart.coordinates(pointer.x, pointer.y);
      const inside = (along: readonly number[], value: number): boolean =>
        value >= (along[0] ?? 0) && value <= (along.at(-1) ?? 0);
      if (at === null || !inside(result.x, at[0]) || !inside(result.y, at[1])) return;
      const snapshot = result.trajectory.find(({ x, y }) => {
        const pixel = this.chart.pixel(x, y);
        return pixel !== null && Math.hypot(pixel[0] - pointer.x, pixel[1] - pointer.y) <= near;
      });
      picked(snapshot === undefined ? at : [snapshot.x, snapshot.y]);
    });
  }

  /** Draws the path up to one of its snapshots, the rest of it faintly. */
  go(place: number | null): void {
    this.place = place;
    this.chart.redraw();
  }

  /** Has one of the models that are compared stand out, with its run's path; null for all alike. */
  compare(model: number | null): void {
    if (model === this.compared) return;
    this.compared = model;
    this.chart.redraw();
  }
  private compared: number | null = null;

  /** Returns what is drawn, for the words beside it. A grid that is on screen already is not contoured again. */
  show(
    result: ContourResult | null,
    kind: ScaleKind,
    shared: LossScale | null = null,
  ): ContourPicture | null {
    if (result === null) {
      this.picture = null;
      this.shown = null;
    } else if (
      this.picture !== null &&
      this.shown?.id === result.id &&
      this.shown.evaluated === result.evaluated &&
      this.shown.kind === kind &&
      this.shown.shared?.min === shared?.min &&
      this.shown.shared?.max === shared?.max &&
      this.picture.result.complete === result.complete
    ) {
      this.picture = {
        ...this.picture,
        result: { ...this.picture.result, trajectory: result.trajectory, plane: result.plane },
      };
    } else {
      this.picture = contourPicture(result, kind, shared);
      this.shown = { id: result.id, evaluated: result.evaluated, kind, shared };
    }
    this.chart.redraw();
    return this.picture;
  }
}

function bandsSeries({ bands, resolution }: ContourPicture): CustomSeriesOption {
  return layer(
    'bands',
    1,
    (api, frame) => [
      {
        type: 'rect',
        shape: { x: frame.x, y: frame.y, width: frame.width, height: frame.height },
        // Nothing to interpolate between yet: the plot stays empty, but it answers the pointer.
        style: { fill: resolution === null ? 'rgba(0, 0, 0, 0)' : rampColor(0.5 / BANDS) },
      },
      ...bands.map(({ value, rings }) => ({
        type: polylines,
        shape: { lines: inPixels(rings, api), closed: true },
        style: { fill: rampColor(value + 0.5 / BANDS) },
      })),
    ],
    { silent: false, cursor: 'crosshair' },
  );
}

/** Points whose loss was evaluated, of a contour whose others are interpolated. */
function evaluatedSeries(result: ContourResult, shown: boolean): CustomSeriesOption[] {
  const evaluated = result.interpolation?.evaluated;
  if (!shown || evaluated === undefined) return [];
  return [
    layer('evaluated', 3, (api) =>
      result.y.flatMap((y, j) =>
        result.x.flatMap((x, i) => {
          if (evaluated[j]?.[i] !== 1) return [];
          const [cx = 0, cy = 0] = api.coord([x, y]);
          return [
            {
              type: 'circle',
              shape: { cx, cy, r: 2 },
              style: { fill: overRamp.ink, stroke: overRamp.halo, lineWidth: 1 },
            },
          ];
        }),
      ),
    ),
  ];
}

function linesSeries({ lines, result }: ContourPicture, compact: boolean): CustomSeriesOption {
  return layer('isolines', 2, (api, frame) => {
    const fontSize = compact ? 9 : 11;
    const pixels = lines.map((line) => ({
      text: formatNumber(line.value, 6),
      lines: inPixels(line.lines, api),
    }));
    const path = result.trajectory.map(({ x, y }) => api.coord([x, y]) as unknown as Point);
    const numbers = compact ? [] : snapshotNumbers(result, path, api, frame);
    const avoid = [...path, ...numbers.map(({ x, y }): Point => [x, y])];
    return [
      ...pixels.map(({ lines: level }) => ({
        type: polylines,
        shape: { lines: level, closed: false },
        style: { fill: null, stroke: overRamp.isoline, lineWidth: 1 },
      })),
      ...placeLabels(pixels, frame, avoid, fontSize).map((label) => overRampText(label, fontSize)),
      ...numbers.map((number) => overRampText(number, NUMBER_SIZE)),
    ];
  });
}

/** Words around their middle, in pixels. */
const overRampText = (
  { text, ...place }: { readonly text: string; readonly x: number; readonly y: number },
  fontSize: number,
): object => ({
  type: 'text',
  ...place,
  style: {
    text,
    fontSize,
    align: 'center',
    verticalAlign: 'middle',
    fill: overRamp.ink,
    stroke: overRamp.halo,
    lineWidth: 3,
  },
});

/** Between two snapshots that have their numbers beside them, and from the path's ends, in pixels. */
const NUMBERS_APART = 60;
const NUMBER_SIZE = 10;

/** Steps of snapshots, of as many as have room along the path; middles of the words. @param path in pixels, as they are */
function snapshotNumbers(
  result: ContourResult,
  path: readonly Point[],
  api: RenderApi,
  frame: Frame,
): { readonly text: string; readonly x: number; readonly y: number }[] {
  const [first, last] = [path[0], path.at(-1)];
  if (first === undefined || last === undefined) return [];
  // The ends and models that the plane goes through have names of their own.
  const models = comparedModels(result).map(({ corner: { x, y } }) => api.coord([x, y]) as unknown as Point);
  const taken = [first, last, ...models];
  return path.flatMap(([x, y], k) => {
    const inside = x > frame.x && x < frame.x + frame.width && y > frame.y && y < frame.y + frame.height;
    if (!inside || taken.some(([a, b]) => Math.hypot(x - a, y - b) < NUMBERS_APART)) return [];
    taken.push([x, y]);
    const text = formatCount(result.trajectory[k]?.step ?? 0);
    const side = sideClearOf(path, [x, y], text, { fontSize: NUMBER_SIZE, radius: 2, frame });
    const [up, across] = [12, 8 + 0.3 * NUMBER_SIZE * text.length];
    const at = { top: [0, -up], bottom: [0, up], right: [across, 0], left: [-across, 0] } as const;
    return [{ text, x: x + at[side][0], y: y + at[side][1] }];
  });
}

/** While refining: points beyond the interpolated sub-grid, as the squares they are. When done: what is not finite. */
function cellsSeries({ extra, holes, scale }: ContourPicture, theme: Theme): CustomSeriesOption {
  return layer('cells', 3, (api) => {
    const box = ({ x, y }: Cell): { left: number; top: number; right: number; bottom: number } => {
      const [left = 0, bottom = 0] = api.coord([x[0], y[0]]);
      const [right = 0, top = 0] = api.coord([x[1], y[1]]);
      return { left, top, right, bottom };
    };
    return [
      ...extra.map((cell) => {
        const { left, top, right, bottom } = box(cell);
        return {
          type: 'rect',
          shape: { x: left, y: top, width: right - left, height: bottom - top },
          style: { fill: rampColor(scale.toUnit(cell.loss ?? scale.max)) },
        };
      }),
      ...holes.flatMap((cell) => {
        const { left, top, right, bottom } = box(cell);
        return [
          {
            type: 'rect',
            shape: { x: left, y: top, width: right - left, height: bottom - top },
            style: { fill: theme.background },
          },
          {
            type: 'line',
            shape: { x1: left, y1: bottom, x2: right, y2: top },
            style: { stroke: theme.muted, lineWidth: 1 },
          },
        ];
      }),
    ];
  });
}

/** Of other runs: bright enough for any colour of the ramp, and told apart by their dashes as well. */
const otherPaths = [
  { color: '#7be0a5', dash: [6, 4] },
  { color: '#ffb3e6', dash: [2, 4] },
  { color: '#ffd23f', dash: [10, 4, 2, 4] },
  { color: '#8ecbff', dash: [12, 5] },
] as const;
const inkOf = (path: number): (typeof otherPaths)[number] =>
  otherPaths[path % otherPaths.length] ?? otherPaths[0];

/** How clearly a path is drawn while another one stands out. */
const FAINT = 0.35;

/** The place at a share of an axis. */
const share = (along: readonly number[], of: number): number =>
  (along[0] ?? 0) + of * ((along.at(-1) ?? 0) - (along[0] ?? 0));

/** The paths of the other runs whose models are compared. */
function pathsSeries(result: ContourResult, compact: boolean, compared: number | null): SeriesOption[] {
  const models = comparedModels(result);
  const focus = compared === null ? undefined : models[compared];
  return (result.paths ?? []).flatMap(({ name, trajectory }, k): SeriesOption[] => {
    const { color, dash } = inkOf(k);
    const opacity = focus === undefined || focus.path === k ? 1 : FAINT;
    const line = (id: string, z: number, style: object): SeriesOption => ({
      id: `${id}-${k}`,
      type: 'line',
      data: trajectory.map(({ x, y }) => [x, y]),
      symbol: 'none',
      silent: true,
      clip: true,
      z,
      lineStyle: { opacity, cap: 'butt', join: 'round', ...style },
      emphasis: { disabled: true },
    });
    return [
      line('other-path-halo', 4, { width: compact ? 3 : 4, color: 'rgba(0, 0, 0, 0.55)' }),
      line('other-path', 5, { width: compact ? 1.4 : 2, color, type: [...dash] }),
      {
        id: `other-snapshots-${k}`,
        type: 'scatter',
        z: 6,
        symbolSize: compact ? 3 : 4,
        clip: true,
        data: trajectory.map((point) => ({ value: [point.x, point.y], point: { ...point, of: name } })),
        itemStyle: { color, borderColor: '#101010', borderWidth: 1, opacity },
        emphasis: { scale: 1.7 },
      },
    ];
  });
}

function trajectorySeries(
  result: ContourResult,
  theme: Theme,
  compact: boolean,
  place: number | null,
  compared: number | null,
): SeriesOption[] {
  const { trajectory } = result;
  const models = comparedModels(result);
  const focus = compared === null ? undefined : models[compared];
  const opacity = focus === undefined || focus.path === null ? 1 : FAINT;
  const upTo = Math.min(place ?? trajectory.length - 1, trajectory.length - 1);
  const along = (points: readonly TrajectoryPoint[]) => points.map(({ x, y }) => [x, y]);
  const whole = along(trajectory);
  const path = along(trajectory.slice(0, upTo + 1));
  const here = trajectory[upTo];
  const first = trajectory[0];
  const last = trajectory.at(-1);
  const line = (id: string, width: number, color: string, z: number, data = path): SeriesOption => ({
    id,
    type: 'line',
    data,
    symbol: 'none',
    silent: true,
    clip: true,
    z,
    lineStyle: { width, color, opacity, cap: 'round', join: 'round' },
    emphasis: { disabled: true },
  });
  const small = compact ? 3.5 : trajectory.length > 80 ? 4 : 5.5;
  // Ends that lie close together, as on a random plane, have their names on opposite sides.
  const startAbove = first !== undefined && last !== undefined && first.y > last.y;
  const marker = (
    point: { readonly x: number; readonly y: number; readonly name?: string },
    text: string,
    symbol: string,
    size: number,
    fill: string,
    position: 'top' | 'bottom',
    align: 'left' | 'center' | 'right' = 'center',
  ): object => ({
    value: [point.x, point.y],
    point,
    symbol,
    symbolSize: size,
    itemStyle: { color: fill, borderColor: '#101010', borderWidth: 1.5, opacity: 1 },
    label: {
      show: true,
      formatter: text,
      position,
      align,
      distance: 6,
      color: overRamp.ink,
      textBorderColor: overRamp.halo,
      textBorderWidth: 3,
      fontSize: compact ? 10 : theme.fontSize - 1,
      fontWeight: 600,
    },
  });
  /** A ring around the model that stands out, which leaves its own mark to be seen. */
  const ringed = ({ corner, name }: ComparedModel): object => ({
    value: [corner.x, corner.y],
    point: { ...corner, name },
    symbol: 'circle',
    symbolSize: compact ? 20 : 26,
    itemStyle: { color: 'rgba(0, 0, 0, 0)', borderColor: '#ffffff', borderWidth: 2.5, opacity: 1 },
    label: { show: false },
  });
  return [
    ...(upTo < trajectory.length - 1 ? [line('whole-path', 1.4, overRamp.isoline, 3, whole)] : []),
    line('path-halo', compact ? 3.5 : 4.5, 'rgba(0, 0, 0, 0.55)', 4),
    line('path', compact ? 1.4 : 2, overRamp.ink, 5),
    {
      id: 'snapshots',
      type: 'scatter',
      z: 6,
      symbolSize: small,
      data: trajectory.map((point) => ({ value: [point.x, point.y], point })),
      itemStyle: { color: overRamp.ink, borderColor: '#101010', borderWidth: 1, opacity },
      emphasis: { scale: 1.7 },
    },
    {
      id: 'ends',
      type: 'scatter',
      z: 7,
      clip: true,
      // The starting point of a path that ends where it began would only hide its end.
      data: [
        ...(first && last && first.step !== last.step
          ? [
              marker(
                first,
                strings.start,
                'circle',
                compact ? 8 : 11,
                '#8ecbff',
                startAbove ? 'top' : 'bottom',
              ),
            ]
          : []),
        ...(last
          ? [
              marker(
                last,
                strings.last,
                'diamond',
                compact ? 11 : 15,
                overRamp.last,
                startAbove ? 'bottom' : 'top',
              ),
            ]
          : []),
        ...(here && upTo < trajectory.length - 1 && upTo > 0
          ? [marker(here, strings.step(here.step), 'circle', 12, '#ffd23f', 'top')]
          : []),
        // Models that the plane goes through; the last snapshot has its mark already.
        ...models
          .filter(({ corner: { at } }) => at !== String(last?.step) && at !== String(first?.step))
          .map(({ corner, name, path }) =>
            marker(
              { ...corner, name },
              name,
              'rect',
              compact ? 9 : 12,
              path === null ? '#7be0a5' : inkOf(path).color,
              'top',
              // A long name would reach over the plot's edge, across the colour bar.
              corner.x > share(result.x, 0.6) ? 'right' : corner.x < share(result.x, 0.3) ? 'left' : 'center',
            ),
          ),
        ...(focus === undefined ? [] : [ringed(focus)]),
      ],
      emphasis: { scale: 1.3 },
    },
  ];
}

/** A ring with a cross in it: it does not hide what it marks. */
function pickedSeries(at: Point | null): SeriesOption {
  return layer('picked', 8, (api) => {
    if (at === null) return [];
    const [x = 0, y = 0] = api.coord([at[0], at[1]]);
    const strokes = [
      { stroke: overRamp.halo, lineWidth: 4 },
      { stroke: overRamp.ink, lineWidth: 1.6 },
    ];
    return strokes.flatMap((style) => [
      { type: 'circle', shape: { cx: x, cy: y, r: 8 }, style: { ...style, fill: 'none' } },
      ...[
        [-12, 0, -4, 0],
        [4, 0, 12, 0],
        [0, -12, 0, -4],
        [0, 4, 0, 12],
      ].map(([a = 0, b = 0, c = 0, d = 0]) => ({
        type: 'line',
        shape: { x1: x + a, y1: y + b, x2: x + c, y2: y + d },
        style,
      })),
    ]);
  });
}

type HoveredPoint = (TrajectoryPoint & { readonly of?: string }) | (PlaneCorner & { readonly name: string });

interface HoveredItem {
  readonly seriesId?: string | undefined;
  readonly data?: unknown;
}

function describeItem(
  picture: ContourPicture,
  item: HoveredItem,
  chart: Pick<Chart, 'pointer' | 'coordinates'> | null,
): HTMLElement | string {
  const point = (item.data as { point?: HoveredPoint } | undefined)?.point;
  if (point !== undefined && 'at' in point) {
    return tip(point.name, [
      [strings.evaluatedLoss, formatNumber(point.evaluated)],
      ...(point.distance === undefined
        ? []
        : [[strings.distanceFromPlane, formatNumber(point.distance, 3)] as const]),
    ]);
  }
  if (point !== undefined) {
    const snapshot = strings.snapshot(point.step);
    return tip(point.of === undefined ? snapshot : `${point.of}, ${snapshot}`, [
      [strings.evaluatedLoss, formatNumber(point.evaluated)],
      [strings.recordedLoss, formatNumber(point.loss)],
      [strings.distanceFromPlane, formatNumber(point.distance, 3)],
    ]);
  }
  const at = chart?.coordinates(chart.pointer.x, chart.pointer.y);
  if (!at) return '';
  const { result } = picture;
  const [i, j] = [nearestIndex(result.x, at[0]), nearestIndex(result.y, at[1])];
  const loss = result.loss[j]?.[i] ?? null;
  const value =
    loss === null
      ? result.complete
        ? strings.notFinite
        : strings.notComputed
      : formatWithError(loss, result.pointErrors?.[j]?.[i] ?? null);
  const [nameX, nameY] =
    result.plane.kind === 'pca' ? [strings.componentPlain(1), strings.componentPlain(2)] : ['x', 'y'];
  return tip(`${strings.loss} ${value}`, [
    [nameX, formatNumber(result.x[i], 3)],
    [nameY, formatNumber(result.y[j], 3)],
  ]);
}

function describeContour({ result, scale, resolution }: ContourPicture): string {
  const [x, y] = axisNames(result);
  const last = result.trajectory.at(-1);
  const first = result.trajectory[0];
  return [
    strings.describeContour(
      amount(result.data),
      strings.split[result.data.split],
      x,
      y,
      formatNumber(scale.min),
      formatNumber(scale.max),
    ),
    first && last
      ? strings.describePath(
          strings.step(first.step),
          formatNumber(first.evaluated ?? first.loss),
          strings.step(last.step),
          formatNumber(last.evaluated ?? last.loss),
        )
      : '',
    result.paths === undefined ? '' : strings.compared.describe(comparedNames(result).join('; ')),
    result.complete ? '' : strings.refining(String(resolution?.[0] ?? 0), String(result.x.length)),
  ]
    .filter(Boolean)
    .join(' ');
}
