/** Flatness by five papers: each measure at the model and at its twin, which is the same function with other weights. */
import type { FlatnessMeasure, FlatnessResult } from '../src/protocol/flatness.ts';
import { prefersLog, scaledAxis } from './axes.ts';
import type { Drawing, Size } from './chart.ts';
import { csv } from './dataTable.ts';
import type { TableData } from './dataTable.ts';
import type { Option, SeriesOption } from './echarts.ts';
import { formatNumber, formatWithError } from './format.ts';
import { dots, grids, itemTooltip, legend, namesAxis, usualRoom, whiskers } from './plots.ts';
import { strings } from './strings.ts';
import type { Theme } from './theme.ts';
import { tip } from './tip.ts';

const words = strings.flatness;

export function flatnessDrawing({ measures }: FlatnessResult, theme: Theme, size: Size): Drawing {
  const names = measures.map(({ name }) => words.measures[name]);
  const longest = Math.min(230, 24 + 7 * Math.max(...names.map((name) => name.length)));
  const room = { ...usualRoom(size), left: size.width < 480 ? 120 : longest };
  const frame = {
    left: room.left,
    top: room.top,
    width: Math.max(60, size.width - room.left - room.right),
    height: Math.max(40, size.height - room.top - room.bottom),
  };
  const own = measures.map(({ value }) => value);
  const twins = measures.map(({ twin }) => twin?.value ?? null);
  const all = [...own, ...twins, ...measures.flatMap(({ interval }) => interval ?? [])];
  const axis = scaledAxis(all, prefersLog(all) ? 'log' : 'linear', frame.width / 90, true);
  const twinned = twins.some((value) => value !== null);
  const option: Option = {
    grid: grids([frame]),
    legend: legend([words.own, ...(twinned ? [words.twin] : [])], room),
    xAxis: [
      { ...axis.option, axisLine: { onZero: false }, name: words.value, nameLocation: 'middle', nameGap: 26 },
    ] as NonNullable<Option['xAxis']>,
    yAxis: [namesAxis(0, names)],
    tooltip: {
      ...itemTooltip,
      formatter: (params) => {
        const item = Array.isArray(params) ? params[0] : params;
        const measure = measures[item?.dataIndex ?? -1];
        return measure === undefined
          ? ''
          : tip(words.measures[measure.name], [
              [words.own, formatWithError(measure.value, measure.standardError)],
              [words.twin, formatNumber(measure.twin?.value)],
              [words.factor, formatNumber(measure.twin?.factor, 3)],
            ]);
      },
    },
    series: [
      whiskers(
        'moved',
        0,
        measures.flatMap(({ value, twin }, row) => {
          const [from, to] = [axis.to(value), axis.to(twin?.value)];
          return from === null || to === null || twin?.verdict !== 'changed'
            ? []
            : [[[from, row] as const, [to, row] as const] as const];
        }),
        theme.muted,
      ),
      whiskers(
        'intervals',
        0,
        measures.flatMap(({ interval }, row) => {
          const [low, high] = (interval ?? []).map((value) => axis.to(value));
          return low == null || high == null ? [] : [[[low, row] as const, [high, row] as const] as const];
        }),
        theme.loss,
      ),
      ...(twinned
        ? [
            dots(
              'twins',
              words.twin,
              0,
              twins.map((value, row) => [axis.to(value), row]),
              theme.bound,
              { symbol: 'diamond', size: 15, hollow: true, theme },
            ),
          ]
        : []),
      dots(
        'own',
        words.own,
        0,
        own.map((value, row) => [axis.to(value), row]),
        theme.loss,
        { theme, z: 6 },
      ),
    ] as SeriesOption[],
  };
  return {
    option,
    description: measures
      .map(
        (m) =>
          `${words.measures[m.name]} ${m.value === null ? (m.reason ?? '–') : formatNumber(m.value, 3)}${m.twin === null ? '' : `, ${words.verdict[m.twin.verdict]}`}`,
      )
      .join('; '),
  };
}

/** Everything that is told of each measure. */
export function flatnessTable({ measures }: FlatnessResult, caption: string): TableData {
  return {
    caption,
    columns: [
      words.measure,
      words.value,
      words.interval,
      words.factor,
      words.verdictColumn,
      words.paper,
      words.settings,
    ],
    rows: measures.map((m) => [
      words.measures[m.name],
      m.value === null ? (m.reason ?? '–') : formatWithError(m.value, m.standardError),
      m.interval === null ? '–' : m.interval.map((value) => formatNumber(value, 3)).join(' … '),
      m.twin === null ? '–' : formatNumber(m.twin.factor, 3),
      m.twin === null ? '–' : words.verdict[m.twin.verdict],
      m.paper,
      settings(m),
    ]),
  };
}

function settings({ settings: given }: FlatnessMeasure): string {
  return Object.entries(given)
    .map(([name, value]) => `${words.setting[name as keyof typeof words.setting]} ${formatNumber(value)}`)
    .join(', ');
}

export function flatnessCsv({ measures }: FlatnessResult): string {
  return csv(
    [
      'measure',
      'paper',
      'value',
      'standardError',
      'from',
      'to',
      'losses',
      'gradients',
      'products',
      'twin',
      'factor',
      'verdict',
    ],
    measures.map((m) => [
      m.name,
      m.paper,
      m.value,
      m.standardError,
      m.interval?.[0] ?? null,
      m.interval?.[1] ?? null,
      m.evaluations.losses,
      m.evaluations.gradients,
      m.evaluations.products,
      m.twin?.value ?? null,
      m.twin?.factor ?? null,
      m.twin?.verdict ?? null,
    ]),
  );
}
