/** Margins as distributions: training samples beside held-out ones, in output and in input space. */
import { marginQuantiles } from '../src/protocol/generalisation.ts';
import type { MarginDistribution, MarginsResult } from '../src/protocol/generalisation.ts';
import { scaledAxis } from './axes.ts';
import type { Drawing, Size } from './chart.ts';
import { csv } from './dataTable.ts';
import type { TableData } from './dataTable.ts';
import type { Option, SeriesOption } from './echarts.ts';
import { formatNumber, formatPercent, formatWithError } from './format.ts';
import {
  axisTooltip,
  beside,
  curve,
  grids,
  guide,
  legend,
  pointedAt,
  usualRoom,
  xAxis,
  yAxis,
} from './plots.ts';
import type { XY } from './plots.ts';
import { strings } from './strings.ts';
import type { Theme } from './theme.ts';
import { tip } from './tip.ts';

const words = strings.margins;

interface Plot {
  readonly name: string;
  readonly edges: readonly number[];
  readonly train: MarginDistribution;
  readonly validation: MarginDistribution | null;
}

function plotsOf(result: MarginsResult): Plot[] {
  const { train, validation, edges } = result;
  return [
    { name: words.output, edges: edges.output, train: train.output, validation: validation?.output ?? null },
    ...(edges.input === null || train.input === null
      ? []
      : [
          {
            name: words.input,
            edges: edges.input,
            train: train.input,
            validation: validation?.input ?? null,
          },
        ]),
  ];
}

/** Shares of a split's samples in each bin: splits of different sizes can be compared. */
export function shares({ counts }: MarginDistribution): number[] {
  const all = counts.reduce((a, b) => a + b, 0);
  return counts.map((count) => (all > 0 ? count / all : 0));
}

export function marginsDrawing(result: MarginsResult, theme: Theme, size: Size): Drawing {
  const plots = plotsOf(result);
  const room = usualRoom(size);
  const frames = beside(size, plots.length, room, 380);
  const axes = plots.map(({ train, validation }) =>
    scaledAxis([0, ...shares(train), ...(validation === null ? [] : shares(validation))], 'linear', 6, true),
  );
  const validated = result.validation !== null;
  const steps = (distribution: MarginDistribution, k: number): XY[] => {
    const { edges = [] } = plots[k] ?? {};
    const all = shares(distribution).map((share, i): XY => [edges[i] ?? 0, axes[k]?.to(share) ?? 0]);
    return [...all, [edges.at(-1) ?? 0, all.at(-1)?.[1] ?? 0]];
  };
  const option: Option = {
    grid: grids(frames),
    legend: legend([strings.split.train, ...(validated ? [strings.split.validation] : [])], room),
    xAxis: plots.map(({ name, edges }, k) =>
      xAxis(k, { min: edges[0] ?? 0, max: edges.at(-1) ?? 1 }, name, (x) => formatNumber(x, 3)),
    ),
    yAxis: plots.map((_, k) =>
      yAxis(k, k === 0 ? words.share : '', axes[k] ?? scaledAxis([0, 1], 'linear', 4), room.left, (x) =>
        formatPercent(x),
      ),
    ),
    tooltip: {
      ...axisTooltip,
      formatter: (params) => {
        const one = (Array.isArray(params) ? params[0] : params) as { axisIndex?: number } | undefined;
        const plot = plots[one?.axisIndex ?? 0];
        const x = pointedAt(params);
        if (plot === undefined || x === null) return '';
        const above = plot.edges.findIndex((edge) => edge > x + 1e-12);
        const last = plot.train.counts.length - 1;
        const k = above < 0 ? last : Math.max(0, above - 1);
        return tip(words.bin(formatNumber(plot.edges[k], 3), formatNumber(plot.edges[k + 1], 3)), [
          [strings.split.train, String(plot.train.counts[k])],
          ...(plot.validation === null
            ? []
            : [[strings.split.validation, String(plot.validation.counts[k])] as const]),
        ]);
      },
    },
    series: plots.flatMap(({ name, train, validation }, k): SeriesOption[] => [
      {
        ...curve(`train-${name}`, strings.split.train, k, steps(train, k), {
          color: theme.loss,
          step: 'end',
        }),
        areaStyle: { color: theme.loss, opacity: 0.16 },
      },
      ...(validation === null
        ? []
        : [
            curve(`validation-${name}`, strings.split.validation, k, steps(validation, k), {
              color: theme.validation,
              step: 'end',
              type: 'dashed',
            }),
          ]),
      guide(
        `boundary-${name}`,
        '',
        k,
        [
          [0, 0],
          [0, axes[k]?.to(1) ?? 1],
        ],
        theme,
      ),
    ]),
  };
  return {
    option,
    description: plots
      .map(({ name, train, validation }) => {
        const median = (d: MarginDistribution): string => formatNumber(d.quantiles[4], 3);
        return words.describe(
          name,
          median(train),
          validation === null ? null : median(validation),
          formatPercent((validation ?? train).notRight, 1),
        );
      })
      .join(' '),
  };
}

export function marginsTables(result: MarginsResult): TableData[] {
  const columns = plotsOf(result).flatMap(({ name, train, validation }) => [
    { name: words.column(name, strings.split.train), distribution: train },
    ...(validation === null
      ? []
      : [{ name: words.column(name, strings.split.validation), distribution: validation }]),
  ]);
  return [
    {
      caption: words.quantiles,
      columns: [words.quantile, ...columns.map(({ name }) => name)],
      rows: [
        ...marginQuantiles.map((at, k) => [
          formatPercent(at),
          ...columns.map(({ distribution }) => formatNumber(distribution.quantiles[k])),
        ]),
        [words.mean, ...columns.map(({ distribution: d }) => formatWithError(d.mean, d.standardError))],
        [words.notRight, ...columns.map(({ distribution: d }) => formatPercent(d.notRight, 1))],
      ],
    },
    ...plotsOf(result).map(({ name, edges, train, validation }) => ({
      caption: name,
      columns: [
        words.from,
        words.to,
        strings.split.train,
        ...(validation === null ? [] : [strings.split.validation]),
      ],
      rows: train.counts.map((count, k) => [
        formatNumber(edges[k], 3),
        formatNumber(edges[k + 1], 3),
        String(count),
        ...(validation === null ? [] : [String(validation.counts[k])]),
      ]),
    })),
  ];
}

export function marginsCsv(result: MarginsResult): string {
  return csv(
    ['margin', 'from', 'to', 'train', 'validation'],
    plotsOf(result).flatMap(({ edges, train, validation }, plot) =>
      train.counts.map((count, k) => [
        plot === 0 ? 'output' : 'input',
        edges[k] ?? null,
        edges[k + 1] ?? null,
        count,
        validation?.counts[k] ?? null,
      ]),
    ),
  );
}
