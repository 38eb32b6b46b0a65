/** Whether the uncertainty of several models together tells their wrong answers. */
import type { Uncertainty } from '../src/protocol/uncertainty.ts';
import { scaledAxis } from './axes.ts';
import type { Drawing, Size } from './chart.ts';
import { csv } from './dataTable.ts';
import type { TableData } from './dataTable.ts';
import type { Option, SeriesOption } from './echarts.ts';
import { formatNumber, formatPercent, formatWithError } from './format.ts';
import {
  beside,
  curve,
  dots,
  grids,
  itemTooltip,
  namesAxis,
  span,
  upright,
  usualRoom,
  whiskers,
  xAxis,
  yAxis,
} from './plots.ts';
import type { XY } from './plots.ts';
import { strings } from './strings.ts';
import type { Theme } from './theme.ts';
import { tip } from './tip.ts';

const words = strings.uncertainty;

/** Left: accuracy of the most certain share. Right: the chance that a wrong answer is the less certain one. */
export function uncertaintyDrawing(
  uncertainty: Uncertainty | null | undefined,
  theme: Theme,
  size: Size,
): Drawing | null {
  if (uncertainty == null) return null;
  const { kept, measures } = uncertainty;
  const told = measures.filter(({ tellsWrong }) => tellsWrong !== null);
  if (kept === null || kept.length === 0 || told.length === 0) return null;
  const room = usualRoom(size);
  const frames = beside(size, 2, room, 380);
  const right = frames[1];
  const longest = 150;
  if (right !== undefined && frames.length > 1) {
    const shift = Math.min(longest - room.left, right.width / 2);
    frames[1] = { ...right, left: right.left + shift, width: right.width - shift };
  }
  const accuracy = scaledAxis(
    kept.map((k) => k.accuracy),
    'linear',
    6,
  );
  const chance = scaledAxis([0.5, 1], 'linear', 5);
  const names = told.map(({ name }) => words.measures[name]);
  const option: Option = {
    grid: grids(frames),
    xAxis: [
      xAxis(0, { min: 0, max: 1 }, words.share, (x) => formatPercent(x)),
      xAxis(1, { min: 0.4, max: 1.02 }, words.tellsWrong, (x) => formatNumber(x, 2)),
    ],
    yAxis: [
      yAxis(0, words.accuracyOfShare, accuracy, room.left, (x) => formatPercent(x, 1)),
      namesAxis(1, names),
    ],
    tooltip: {
      ...itemTooltip,
      formatter: (params) => {
        const item = Array.isArray(params) ? params[0] : params;
        const measure = told[item?.dataIndex ?? -1];
        if (item?.seriesId !== 'tells' || measure === undefined) return '';
        return tip(words.measures[measure.name], [
          [words.tellsWrong, formatWithError(measure.tellsWrong?.value, measure.tellsWrong?.standardError)],
          [words.whereRight, formatNumber(measure.right, 3)],
          [words.whereWrong, formatNumber(measure.wrong, 3)],
        ]);
      },
    },
    series: [
      curve(
        'kept',
        '',
        0,
        kept.map((k): XY => [k.share, accuracy.to(k.accuracy)]),
        { color: theme.loss, symbol: 'circle' },
      ),
      upright('chance', '', 1, 0.5, [-0.6, names.length - 0.4], theme),
      whiskers(
        'tells-errors',
        1,
        told.flatMap(({ tellsWrong }, row) =>
          span(row, tellsWrong?.value, tellsWrong?.standardError, chance, 'across'),
        ),
        theme.loss,
      ),
      dots(
        'tells',
        '',
        1,
        told.map(({ tellsWrong }, row): XY => [tellsWrong?.value ?? null, row]),
        theme.loss,
        { theme, size: 10 },
      ),
    ] as SeriesOption[],
  };
  return {
    option,
    description: words.describe(
      told.map((m) => `${words.measures[m.name]} ${formatNumber(m.tellsWrong?.value, 3)}`).join(', '),
      formatPercent(kept.find((k) => k.share >= 0.5)?.accuracy, 1),
    ),
  };
}

export function uncertaintyTables(uncertainty: Uncertainty | null | undefined): TableData[] {
  if (uncertainty == null) return [];
  return [
    {
      caption: words.title,
      columns: [words.measure, words.mean, words.whereRight, words.whereWrong, words.tellsWrong],
      rows: uncertainty.measures.map((m) => [
        words.measures[m.name],
        formatWithError(m.mean, m.standardError),
        formatNumber(m.right, 3),
        formatNumber(m.wrong, 3),
        m.tellsWrong === null ? '–' : formatWithError(m.tellsWrong.value, m.tellsWrong.standardError),
      ]),
    },
    {
      caption: words.accuracyOfShare,
      columns: [words.share, strings.accuracy],
      rows: (uncertainty.kept ?? []).map((k) => [formatPercent(k.share), formatPercent(k.accuracy, 1)]),
    },
  ];
}

export function uncertaintyCsv(uncertainty: Uncertainty | null | undefined): string {
  return csv(
    ['share', 'accuracy'],
    (uncertainty?.kept ?? []).map((k) => [k.share, k.accuracy]),
  );
}
