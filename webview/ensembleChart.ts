/** What an ensemble is worth by the number of its members, and in how many answers each two of them differ. */
import type { EnsembleResult } from '../src/protocol/results.ts';
import { scaledAxis } from './axes.ts';
import type { Drawing, Size } from './chart.ts';
import { barAxes, barSeries, gridsWithBar } from './colourBar.ts';
import { csv } from './dataTable.ts';
import type { TableData } from './dataTable.ts';
import type { Option, SeriesOption } from './echarts.ts';
import { formatNumber, formatPercent, formatWithError } from './format.ts';
import { modelName } from './lineChart.ts';
import { lossScale } from './lossScale.ts';
import {
  axisTooltip,
  cellNamesAxis,
  beside,
  curve,
  dots,
  grids,
  itemTooltip,
  legend,
  nearest,
  pointedAt,
  span,
  usualRoom,
  whiskers,
  xAxis,
  yAxis,
} from './plots.ts';
import type { XY } from './plots.ts';
import { rampColor } from './ramp.ts';
import { strings } from './strings.ts';
import type { Theme } from './theme.ts';
import { tip } from './tip.ts';

const words = strings.ensemble;

export const hasCounts = ({ byCount }: EnsembleResult): boolean => (byCount?.length ?? 0) > 0;
export const hasPairs = ({ diversity }: EnsembleResult): boolean => (diversity?.pairs.length ?? 0) > 0;

/** Loss and accuracy of the first, the first two, … of the members; each member by itself as a ring. */
export function byCountDrawing(result: EnsembleResult, theme: Theme, size: Size): Drawing | null {
  const sizes = result.byCount ?? [];
  if (sizes.length === 0) return null;
  const accurate = sizes.some(({ accuracy }) => accuracy !== null);
  const room = usualRoom(size);
  const frames = beside(size, accurate ? 2 : 1, room, 340);
  const counts = sizes.map(({ members }) => members);
  const most = Math.max(2, ...counts);
  const single = result.memberScores.map((scores) => scores.validation ?? scores.train);
  const loss = scaledAxis(
    sizes.flatMap((s) => [
      s.loss,
      (s.loss ?? NaN) - (s.standardError ?? 0),
      (s.loss ?? NaN) + (s.standardError ?? 0),
    ]),
    'linear',
    6,
  );
  const accuracies = [...sizes.map((s) => s.accuracy), ...single.map((s) => s.accuracy)];
  const accuracy = scaledAxis(accuracies, 'linear', 6);
  const range = { min: 0.5, max: most + 0.5 };
  const members = words.members;
  const ticks = { customValues: counts };
  const option: Option = {
    grid: grids(frames),
    legend: legend([words.ensembleOf, ...(accurate ? [words.single] : [])], room),
    xAxis: frames.map((_, k) => {
      const axis = xAxis(k, range, members, (x) => String(Math.round(x))) as { axisLabel: object };
      return {
        ...axis,
        axisTick: ticks,
        axisLabel: { ...axis.axisLabel, ...ticks, showMinLabel: true, showMaxLabel: true },
      };
    }),
    yAxis: [
      yAxis(0, words.lossOfPredictions, loss, room.left),
      ...(accurate ? [yAxis(1, strings.accuracy, accuracy, room.left, (x) => formatPercent(x, 1))] : []),
    ],
    tooltip: {
      ...axisTooltip,
      formatter: (params) => {
        const x = pointedAt(params);
        const one = x === null ? undefined : sizes[nearest(counts, x)];
        return one === undefined
          ? ''
          : tip(words.first(one.members), [
              [words.lossOfPredictions, formatWithError(one.loss, one.standardError)],
              [strings.accuracy, formatPercent(one.accuracy, 1)],
            ]);
      },
    },
    series: [
      whiskers(
        'errors',
        0,
        sizes.flatMap((s) => span(s.members, s.loss, s.standardError, loss, 'up')),
        theme.loss,
      ),
      curve(
        'loss',
        words.ensembleOf,
        0,
        sizes.map((s): XY => [s.members, loss.to(s.loss)]),
        { color: theme.loss, symbol: 'circle' },
      ),
      ...(accurate
        ? [
            dots(
              'single',
              words.single,
              1,
              single.map((s, k): XY => [k + 1, accuracy.to(s.accuracy)]),
              theme.sharpness,
              { theme, hollow: true, size: 9 },
            ),
            curve(
              'accuracy',
              words.ensembleOf,
              1,
              sizes.map((s): XY => [s.members, accuracy.to(s.accuracy)]),
              { color: theme.loss, symbol: 'circle' },
            ),
          ]
        : []),
    ] as SeriesOption[],
  };
  const [first, last] = [sizes[0], sizes.at(-1)];
  return {
    option,
    description: words.describeByCount(
      formatNumber(first?.loss, 3),
      first?.members ?? 0,
      formatNumber(last?.loss, 3),
      last?.members ?? 0,
    ),
  };
}

/** Every two members: how often they answer differently, or how far their predictions lie apart where there are no classes. */
export function diversityDrawing(result: EnsembleResult, theme: Theme, size: Size): Drawing | null {
  const { diversity } = result;
  if (diversity == null || diversity.pairs.length === 0) return null;
  const names = result.members.map((member) => String(member));
  const place = (name: unknown): number => names.indexOf(String(name));
  const value = (pair: (typeof diversity.pairs)[number]): number | null => pair.disagreement ?? pair.distance;
  const scale = lossScale(diversity.pairs.map(value), 'linear');
  if (scale === null) return null;
  const classes = diversity.pairs.some((pair) => pair.disagreement !== null);
  const words_ = classes ? words.disagreement : words.distance;
  const compact = size.width < 420;
  const left = compact ? 60 : 110;
  const side = Math.max(80, Math.min(size.width - left - 110, size.height - 62, 420));
  const plot = { left, top: 14, width: side, height: Math.max(40, Math.min(size.height - 62, side)) };
  const bar = barAxes(scale, plot.height, compact, words_);
  const cells = diversity.pairs.flatMap((pair) => {
    const [a, b] = [place(pair.a), place(pair.b)];
    return a < 0 || b < 0
      ? []
      : [
          { pair, a, b },
          { pair, a: b, b: a },
        ];
  });
  const option: Option = {
    grid: gridsWithBar(plot, false, theme),
    xAxis: [
      { ...cellNamesAxis(0, names, false), name: words.member, nameLocation: 'middle', nameGap: 26 },
      bar.x,
    ],
    yAxis: [cellNamesAxis(0, names, true), bar.y],
    tooltip: {
      ...itemTooltip,
      formatter: (params) => {
        const item = Array.isArray(params) ? params[0] : params;
        const cell = cells[item?.dataIndex ?? -1];
        return cell === undefined
          ? ''
          : tip(words.pair(modelName(String(cell.pair.a)), modelName(String(cell.pair.b))), [
              [words.disagreement, formatPercent(cell.pair.disagreement, 2)],
              [words.distance, formatNumber(cell.pair.distance, 3)],
            ]);
      },
    },
    series: [
      {
        id: 'pairs',
        type: 'custom',
        data: cells.map(({ a, b, pair }) => [a, b, value(pair) ?? NaN]),
        encode: { x: 0, y: 1 },
        renderItem: (_, api) => {
          const [x = 0, y = 0] = api.coord([api.value(0), api.value(1)]);
          const [width = 0, height = 0] = (api.size?.([1, 1]) ?? []) as number[];
          const at = Number(api.value(2));
          return {
            type: 'rect',
            shape: { x: x - width / 2 + 0.5, y: y - height / 2 + 0.5, width: width - 1, height: height - 1 },
            style: { fill: Number.isFinite(at) ? rampColor(scale.toUnit(at)) : theme.background },
          };
        },
      },
      barSeries(),
    ],
  };
  const mean = diversity.disagreement ?? diversity.distance;
  return {
    option,
    description: words.describeDiversity(
      names.length,
      words_,
      classes ? formatPercent(mean?.value, 1) : formatNumber(mean?.value, 3),
    ),
  };
}

export function ensembleTables({ byCount, memberScores, members, diversity }: EnsembleResult): TableData[] {
  return [
    {
      caption: words.byCount,
      columns: [words.members, words.lossOfPredictions, strings.accuracy, words.single],
      rows: (byCount ?? []).map((s, k) => {
        const alone = memberScores[k];
        return [
          String(s.members),
          formatWithError(s.loss, s.standardError),
          formatPercent(s.accuracy, 1),
          `${modelName(String(members[k]))}: ${formatPercent((alone?.validation ?? alone?.train)?.accuracy, 1)}`,
        ];
      }),
    },
    ...(diversity == null
      ? []
      : [
          {
            caption: words.diversity,
            columns: [words.member, words.member, words.disagreement, words.distance],
            rows: diversity.pairs.map((pair) => [
              modelName(String(pair.a)),
              modelName(String(pair.b)),
              formatPercent(pair.disagreement, 2),
              formatNumber(pair.distance, 3),
            ]),
          },
        ]),
  ];
}

export function byCountCsv({ byCount }: EnsembleResult): string {
  return csv(
    ['members', 'loss', 'standardError', 'accuracy'],
    (byCount ?? []).map((s) => [s.members, s.loss, s.standardError, s.accuracy]),
  );
}

export function pairsCsv({ diversity }: EnsembleResult): string {
  return csv(
    ['a', 'b', 'disagreement', 'distance'],
    (diversity?.pairs ?? []).map((pair) => [
      String(pair.a),
      String(pair.b),
      pair.disagreement,
      pair.distance,
    ]),
  );
}
