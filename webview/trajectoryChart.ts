/** The path through weight space: on the plane of its first two components, step by step, and how it grew. */
import type { Path, PathPoint, TrajectoryResult } from '../src/protocol/trajectory.ts';
import { finerPath } from '../src/protocol/trajectory.ts';
import { scaledAxis } from './axes.ts';
import type { Drawing, Size } from './chart.ts';
import { csv } from './dataTable.ts';
import type { TableData } from './dataTable.ts';
import type { Option, SeriesOption } from './echarts.ts';
import { formatNumber, formatPercent } from './format.ts';
import type { Point } from './contourGeometry.ts';
import { sideClearOf } from './labelPlacement.ts';
import type { Side } from './labelPlacement.ts';
import {
  axisTooltip,
  bars,
  beside,
  curve,
  dots,
  grids,
  guide,
  itemTooltip,
  legend,
  level,
  linkedSteps,
  nearest,
  pointedAt,
  rangeOf,
  stacked,
  usualRoom,
  xAxis,
  yAxis,
  zoomAlong,
} from './plots.ts';
import type { XY } from './plots.ts';
import { strings } from './strings.ts';
import type { Theme } from './theme.ts';
import { tip } from './tip.ts';

const words = strings.trajectory;

export type PathChoice = 'snapshots' | 'sketch';

/** The path of a choice, or the other where there is none of it. */
export function pathOf(result: TrajectoryResult, choice: PathChoice): Path | null {
  return result[choice] ?? finerPath(result.snapshots, result.sketch);
}

/** Size of the marks at start, end and the place that was gone to, in pixels. */
const MARK = 12;

/** @param place how far the path has been gone, an index into its points */
export function planeDrawing(path: Path, place: number, theme: Theme, size: Size): Drawing {
  const { points } = path;
  const room = { left: 64, right: 24, top: 20, bottom: 50, gap: 0 };
  const [x, y] = [rangeOf(points.map((p) => p.x)), rangeOf(points.map((p) => p.y))];
  const free = { width: size.width - room.left - room.right, height: size.height - room.top - room.bottom };
  // Both axes measure distances in weight space: one scale for both, the plane in the middle.
  const unit = 1.12 * Math.max((x.max - x.min) / free.width, (y.max - y.min) / free.height);
  const around = ({ min, max }: { min: number; max: number }, pixels: number) => {
    const [middle, half] = [(min + max) / 2, (unit * pixels) / 2];
    return { min: middle - half, max: middle + half };
  };
  const frame = { left: room.left, top: room.top, ...free };
  const upTo = Math.min(place, points.length - 1);
  const here = points[upTo];
  const way = (to: number): XY[] => points.slice(0, to + 1).map((p): XY => [p.x, p.y]);
  const [first, last] = [points[0], points.at(-1)];
  const names = path.components.map(({ share }, k) =>
    strings.component(k + 1, formatPercent(share, share < 0.1 ? 1 : 0)),
  );
  const label = (text: string, position: string): object => ({
    show: true,
    formatter: text,
    position,
    color: theme.foreground,
    fontSize: theme.fontSize - 1,
    textBorderColor: theme.background,
    textBorderWidth: 3,
  });
  const [acrossX, acrossY] = [around(x, free.width), around(y, free.height)];
  const pixel = (p: Pick<PathPoint, 'x' | 'y'>): Point => [
    frame.left + ((p.x - acrossX.min) / (acrossX.max - acrossX.min)) * frame.width,
    frame.top + ((acrossY.max - p.y) / (acrossY.max - acrossY.min)) * frame.height,
  ];
  const pixels = points.map(pixel);
  const sideOf = (point: PathPoint, text: string, sides: readonly Side[]): Side =>
    sideClearOf(
      pixels,
      pixel(point),
      text,
      {
        fontSize: theme.fontSize - 1,
        radius: MARK / 2,
        frame: { x: frame.left, y: frame.top, width: frame.width, height: frame.height },
      },
      sides,
    );
  const mark = (
    id: string,
    point: PathPoint | undefined,
    text: string,
    symbol: string,
    color: string,
    sides: readonly Side[],
  ): SeriesOption[] =>
    point === undefined
      ? []
      : [
          {
            ...dots(id, '', 0, [[point.x, point.y]], color, { symbol, size: MARK, theme, z: 7 }),
            label: label(text, sideOf(point, text, sides)),
          },
        ];
  // Away from where the path comes from, unless that covers more of it.
  const above: readonly Side[] = ['top', 'right', 'left', 'bottom'];
  const below: readonly Side[] = ['bottom', 'right', 'left', 'top'];
  const risen = (last?.y ?? 0) > (first?.y ?? 0);
  const option: Option = {
    grid: [{ ...frame, show: true, borderColor: theme.gridLine, borderWidth: 1 }],
    xAxis: [xAxis(0, acrossX, names[0] ?? '', (v) => formatNumber(v, 3))],
    yAxis: [
      {
        type: 'value',
        ...acrossY,
        name: names[1] ?? '',
        nameLocation: 'middle',
        nameGap: 44,
        splitLine: { show: false },
        axisLine: { onZero: false },
        axisLabel: { formatter: (v: number) => formatNumber(v, 3), showMinLabel: false, showMaxLabel: false },
      },
    ],
    tooltip: {
      ...itemTooltip,
      formatter: (params) => {
        const item = Array.isArray(params) ? params[0] : params;
        const point = item?.seriesId === 'points' ? points[item.dataIndex] : undefined;
        return point === undefined ? '' : tip(strings.step(point.step), pointRows(point));
      },
    },
    dataZoom: [
      { type: 'inside', xAxisIndex: 0, filterMode: 'none', zoomOnMouseWheel: 'ctrl', minSpan: 2 },
      { type: 'inside', yAxisIndex: 0, filterMode: 'none', zoomOnMouseWheel: 'ctrl', minSpan: 2 },
    ],
    series: [
      curve('whole-path', '', 0, way(points.length - 1), {
        color: theme.muted,
        width: 1.2,
        opacity: 0.55,
        z: 2,
      }),
      curve('path', '', 0, way(upTo), { color: theme.loss, width: 2.2, z: 3 }),
      dots('points', '', 0, way(points.length - 1), theme.loss, {
        size: points.length > 150 ? 4 : 6,
        theme,
        z: 4,
      }),
      ...mark('start', first, strings.start, 'circle', theme.accuracy, risen ? below : above),
      ...mark('last', last, strings.last, 'diamond', theme.sharpness, risen ? above : below),
      ...(here === undefined || upTo === points.length - 1
        ? []
        : mark('here', here, strings.step(here.step), 'circle', theme.bound, above)),
    ],
  };
  return {
    option,
    description: words.describePlane(
      strings.step(first?.step ?? 0),
      strings.step(last?.step ?? 0),
      points.length,
      formatPercent(path.plane.share),
      formatPercent(path.plane.randomWalk),
    ),
  };
}

function pointRows(point: PathPoint): [string, string][] {
  return [
    [words.fromStart, formatNumber(point.fromStart, 3)],
    [words.distance, formatNumber(point.distance, 3)],
    [words.speed, formatNumber(point.speed, 3)],
    [words.turning, point.turning === null ? '–' : `${formatNumber(point.turning, 3)}°`],
  ];
}

/** Speed, turning angle and distance from the plane along the run. @param place marked by a line */
export function alongDrawing(path: Path, place: number, theme: Theme, size: Size): Drawing {
  const { points } = path;
  const room = { ...usualRoom(size), gap: 34 };
  const frames = stacked(size, [1, 1, 1], room);
  const steps = points.map((p) => p.step);
  const range = rangeOf(steps);
  const here = points[Math.min(place, points.length - 1)];
  const plots = [
    { name: words.speed, values: points.map((p) => p.speed), color: theme.loss, zero: true },
    { name: words.turningDegrees, values: points.map((p) => p.turning), color: theme.sharpness, zero: true },
    { name: words.distance, values: points.map((p) => p.distance), color: theme.validation, zero: true },
  ];
  const axes = plots.map(({ values }, k) =>
    scaledAxis(k === 1 ? [...values, 90] : values, 'linear', (frames[k]?.height ?? 0) / 28, true),
  );
  const option: Option = {
    grid: grids(frames),
    xAxis: frames.map((_, k) => xAxis(k, range, k === frames.length - 1 ? words.step : '')),
    yAxis: plots.map(({ name }, k) => yAxis(k, name, axes[k] ?? scaledAxis([0, 1], 'linear', 4), room.left)),
    axisPointer: linkedSteps,
    tooltip: {
      ...axisTooltip,
      formatter: (params) => {
        const x = pointedAt(params);
        const point = x === null ? undefined : points[nearest(steps, x)];
        return point === undefined ? '' : tip(strings.step(point.step), pointRows(point));
      },
    },
    dataZoom: zoomAlong([0, 1, 2]),
    series: plots.flatMap(({ name, values, color }, k): SeriesOption[] => [
      curve(
        name,
        '',
        k,
        values.map((value, i): XY => [steps[i] ?? 0, axes[k]?.to(value) ?? null]),
        {
          color,
          width: points.length > 150 ? 1.2 : 1.8,
        },
      ),
      ...(k === 1 ? [level('right-angle', '', k, range, 90, theme)] : []),
      ...(here === undefined || place >= points.length - 1
        ? []
        : [
            guide(
              `here-${k}`,
              '',
              k,
              [
                [here.step, axes[k]?.to(0) ?? 0],
                [here.step, axes[k]?.to(Math.max(0, ...values.map((v) => v ?? 0))) ?? 1],
              ],
              theme,
            ),
          ]),
    ]),
  };
  return {
    option,
    description: words.describeAlong(
      formatNumber(path.turning, 2),
      strings.step(path.plane.farthest.step),
      formatNumber(path.plane.farthest.distance, 3),
    ),
  };
}

/** Shares of variance beside a random walk's, and the distance from start over √t. */
export function structureDrawing(
  result: TrajectoryResult,
  choice: PathChoice,
  theme: Theme,
  size: Size,
): Drawing | null {
  const path = pathOf(result, choice);
  if (path === null) return null;
  const room = { ...usualRoom(size), right: 20 };
  const frames = beside(size, 2, room, 340);
  const { components, points } = path;
  const share = scaledAxis([0, ...components.flatMap((c) => [c.share, c.randomWalk])], 'linear', 6, true);
  const begin = points[0]?.step ?? 0;
  const root = points.map((p) => Math.sqrt(p.step - begin));
  const reach = scaledAxis([0, ...points.map((p) => p.fromStart)], 'linear', 6, true);
  const end = { at: root.at(-1) ?? 1, value: points.at(-1)?.fromStart ?? 0 };
  const option: Option = {
    grid: grids(frames),
    legend: legend([words.thisPath, words.randomWalk], room),
    xAxis: [
      {
        ...xAxis(0, { min: 0.4, max: components.length + 0.6 }, words.componentAxis),
        axisTick: { customValues: components.map((_, k) => k + 1) },
        axisLabel: {
          customValues: components.map((_, k) => k + 1),
          formatter: (k: number) => String(Math.round(k)),
        },
      } as NonNullable<Option['xAxis']>,
      xAxis(1, { min: 0, max: end.at }, words.rootAxis, (x) => formatNumber(x, 3)),
    ] as NonNullable<Option['xAxis']>,
    yAxis: [
      yAxis(0, words.share, share, room.left, (x) => formatPercent(x)),
      yAxis(1, words.fromStart, reach, room.left),
    ],
    tooltip: {
      ...itemTooltip,
      formatter: (params) => {
        const item = Array.isArray(params) ? params[0] : params;
        const one = item?.seriesId?.startsWith('share') ? components[item.dataIndex] : undefined;
        return one === undefined
          ? ''
          : tip(strings.componentPlain((item?.dataIndex ?? 0) + 1), [
              [words.thisPath, formatPercent(one.share, 1)],
              [words.randomWalk, formatPercent(one.randomWalk, 1)],
            ]);
      },
    },
    series: [
      bars(
        'bars',
        0,
        components.map((c, k) => ({ from: [k + 0.7, 0], to: [k + 1.3, share.to(c.share) ?? 0] })),
        theme.loss,
        { opacity: 0.75 },
      ),
      dots(
        'share',
        words.thisPath,
        0,
        components.map((c, k) => [k + 1, share.to(c.share)]),
        theme.loss,
        { theme, size: 7 },
      ),
      dots(
        'share-walk',
        words.randomWalk,
        0,
        components.map((c, k) => [k + 1, share.to(c.randomWalk)]),
        theme.sharpness,
        {
          theme,
          symbol: 'diamond',
          size: 11,
        },
      ),
      curve(
        'reach',
        words.thisPath,
        1,
        points.map((p, k): XY => [root[k] ?? 0, reach.to(p.fromStart)]),
        { color: theme.loss },
      ),
      // Diffusion is straight over √t, and ends where this path ends.
      curve(
        'walk',
        words.randomWalk,
        1,
        [
          [0, reach.to(0)],
          [end.at, reach.to(end.value)],
        ],
        {
          color: theme.sharpness,
          type: 'dashed',
          width: 1.6,
        },
      ),
    ],
  };
  return {
    option,
    description: [
      words.describeStructure(
        components
          .map((c, k) =>
            words.describeShare(
              strings.componentPlain(k + 1),
              formatPercent(c.share),
              formatPercent(c.randomWalk),
            ),
          )
          .join('; '),
      ),
      ...(result.growth === null ? [] : [words.describeDistance(formatNumber(result.growth.distance, 3))]),
    ].join(' '),
  };
}

export function pathTable(path: Path, caption: string): TableData {
  return {
    caption,
    columns: [words.step, 'x', 'y', words.distance, words.speed, words.turningDegrees, words.fromStart],
    rows: path.points.map((p) => [
      String(p.step),
      formatNumber(p.x),
      formatNumber(p.y),
      formatNumber(p.distance),
      formatNumber(p.speed),
      formatNumber(p.turning, 3),
      formatNumber(p.fromStart),
    ]),
  };
}

export function componentTable({ components }: Path): TableData {
  return {
    caption: words.shareTable,
    columns: [words.componentAxis, words.thisPath, words.randomWalk],
    rows: components.map((c, k) => [
      String(k + 1),
      formatPercent(c.share, 1),
      formatPercent(c.randomWalk, 1),
    ]),
  };
}

export function pathCsv(path: Path | null): string {
  return csv(
    ['step', 'x', 'y', 'distance', 'speed', 'turning', 'fromStart'],
    (path?.points ?? []).map((p) => [p.step, p.x, p.y, p.distance, p.speed, p.turning, p.fromStart]),
  );
}

export function componentCsv(path: Path | null): string {
  return csv(
    ['component', 'share', 'randomWalk'],
    (path?.components ?? []).map((c, k) => [k + 1, c.share, c.randomWalk]),
  );
}
