/** Legend marks that look like their lines: ECharts draws a dot on every line, and roundRect tells no dashes. */
import type { Option, SeriesOption } from './echarts.ts';

/** Filled rectangles in a box of 24 × 10, of the width that a line has beside text. */
const MARKS = {
  solid: 'path://M0,4h24v2h-24z',
  dashed: 'path://M0,4h7v2h-7zM8.5,4h7v2h-7zM17,4h7v2h-7z',
  dotted: 'path://M0,4h2v2h-2zM5.5,4h2v2h-2zM11,4h2v2h-2zM16.5,4h2v2h-2zM22,4h2v2h-2z',
} as const;

/** ECharts stretches its own ones to the box of a line. */
const SYMBOLS: Readonly<Record<string, string>> = {
  diamond: 'path://M5,0L10,5L5,10L0,5z',
  triangle: 'path://M5,0L10,10L0,10z',
};

/** The option with a mark for each name in its legend: a line without points as that line, all others as ECharts draws them. */
export function withLegendMarks(option: Option): Option {
  const { legend } = option;
  if (legend === undefined || Array.isArray(legend) || legend.show === false) return option;
  const all = seriesOf(option);
  const names = legend.data?.map((one) => (typeof one === 'object' ? String(one.name) : String(one))) ?? [
    ...new Set(all.flatMap(({ name }) => (name === undefined ? [] : [String(name)]))),
  ];
  return {
    ...option,
    legend: {
      ...legend,
      data: names.map((name) => {
        const icon = markOf(all.find((one) => one.name === name));
        return { name, ...(icon === null ? {} : { icon }) };
      }),
    },
  };
}

function markOf(series: SeriesOption | undefined): string | null {
  if (series?.type === 'scatter')
    return typeof series.symbol === 'string' ? (SYMBOLS[series.symbol] ?? series.symbol) : null;
  if (series?.type !== 'line' || series.symbol !== 'none') return null;
  const type = series.lineStyle?.type;
  return MARKS[type === 'dashed' || type === 'dotted' ? type : 'solid'];
}

function seriesOf({ series }: Option): readonly SeriesOption[] {
  return Array.isArray(series) ? series : series === undefined ? [] : [series];
}
