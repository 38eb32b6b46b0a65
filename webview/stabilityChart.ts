/** λ₁ along a run against the optimizer's bound, and as a share of it: about 1 is the edge of stability. */
import type { StabilityPoint, StabilityResult } from '../src/protocol/curvature.ts';
import { prefersLog, scaledAxis } from './axes.ts';
import type { Drawing, Size } from './chart.ts';
import { csv } from './dataTable.ts';
import type { TableData } from './dataTable.ts';
import type { Option, SeriesOption } from './echarts.ts';
import { formatNumber, formatPercent } from './format.ts';
import {
  axisTooltip,
  band,
  curve,
  dots,
  grids,
  legend,
  level,
  linkedSteps,
  nearest,
  pointedAt,
  rangeOf,
  stacked,
  usualRoom,
  whiskers,
  xAxis,
  yAxis,
} from './plots.ts';
import type { XY } from './plots.ts';
import { strings } from './strings.ts';
import type { Theme } from './theme.ts';
import { tip } from './tip.ts';

const words = strings.stability;

/** Within this share of the bound the verdict is "at the edge". */
const EDGE = 0.1;

export function stabilityDrawing(result: StabilityResult, theme: Theme, size: Size): Drawing {
  const { points, preconditioned } = result;
  const room = usualRoom(size);
  const ratios = points.some(({ ratio }) => ratio !== null) || preconditioned !== null;
  const frames = stacked(size, ratios ? [1.2, 1] : [1], room);
  const steps = points.map(({ step }) => step);
  const range = rangeOf([...steps, ...(preconditioned === null ? [] : [preconditioned.step])]);
  const lambda = points.map(({ lambda1 }) => lambda1);
  const highest = Math.max(0, ...lambda.map((value) => value ?? 0));
  // A bound far above everything measured would flatten the curve: the ratio below tells of it.
  const bounds = points.map(({ bound }) => (bound !== null && bound < 12 * highest ? bound : null));
  const bounded = bounds.some((bound) => bound !== null);
  const axis = scaledAxis([0, ...lambda, ...bounds], 'linear', (frames[0]?.height ?? 0) / 32, true);
  const shares = [1 + EDGE, ...points.map((p) => p.ratio), preconditioned?.ratio];
  const ratio = scaledAxis(
    shares,
    prefersLog(shares) ? 'log' : 'linear',
    (frames[1]?.height ?? 0) / 32,
    true,
  );
  const names = [
    strings.lambda1,
    ...(bounded ? [strings.boundOf(result.formula ?? '')] : []),
    ...(preconditioned === null ? [] : [words.preconditioned]),
  ];
  const option: Option = {
    grid: grids(frames),
    legend: legend(names, room),
    xAxis: frames.map((_, k) => xAxis(k, range, k === frames.length - 1 ? words.step : '')),
    yAxis: [
      yAxis(0, strings.sharpness, axis, room.left),
      ...(ratios ? [yAxis(1, words.ratio, ratio, room.left)] : []),
    ],
    axisPointer: linkedSteps,
    tooltip: {
      ...axisTooltip,
      formatter: (params) => {
        const x = pointedAt(params);
        const point = x === null ? undefined : points[nearest(steps, x)];
        return point === undefined ? '' : tip(strings.step(point.step), pointRows(point));
      },
    },
    series: [
      curve(
        'lambda',
        strings.lambda1,
        0,
        lambda.map((value, k): XY => [steps[k] ?? 0, axis.to(value)]),
        {
          color: theme.sharpness,
          symbol: 'circle',
        },
      ),
      whiskers(
        'residuals',
        0,
        points.flatMap(({ step, lambda1, residual }) =>
          lambda1 === null || residual === null
            ? []
            : [
                [
                  [step, axis.to(Math.max(0, lambda1 - residual)) ?? 0],
                  [step, axis.to(lambda1 + residual) ?? 0],
                ] as const,
              ],
        ),
        theme.sharpness,
      ),
      ...(bounded
        ? [
            curve(
              'bound',
              strings.boundOf(result.formula ?? ''),
              0,
              bounds.map((value, k): XY => [steps[k] ?? 0, axis.to(value)]),
              { color: theme.bound, type: 'dashed', step: 'end' },
            ),
          ]
        : []),
      ...(ratios
        ? [
            band(
              'edge',
              1,
              [range.min, range.max].map((x) => [x, ratio.to(1 - EDGE), ratio.to(1 + EDGE)]),
              theme.bound,
            ),
            level('one', '', 1, range, ratio.to(1), theme),
            curve(
              'ratio',
              '',
              1,
              points.map((p): XY => [p.step, ratio.to(p.ratio)]),
              {
                color: theme.sharpness,
                symbol: 'circle',
              },
            ),
            ...(preconditioned === null
              ? []
              : [
                  dots(
                    'preconditioned',
                    words.preconditioned,
                    1,
                    [[preconditioned.step, ratio.to(preconditioned.ratio)]],
                    theme.loss,
                    {
                      symbol: 'diamond',
                      size: 14,
                      theme,
                    },
                  ),
                ]),
          ]
        : []),
    ] as SeriesOption[],
  };
  const last = points.at(-1);
  return {
    option,
    description: [
      words.describe(points.length, formatNumber(last?.lambda1, 3), strings.step(last?.step ?? 0)),
      last?.bound == null ? '.' : words.describeBound(formatPercent(last.ratio), formatNumber(last.bound, 3)),
      preconditioned === null
        ? ''
        : ` ${words.describePreconditioned(
            formatNumber(preconditioned.lambda1, 3),
            formatPercent(preconditioned.ratio),
            preconditioned.formula,
            formatNumber(preconditioned.bound, 3),
          )}`,
    ].join(''),
  };
}

function pointRows(point: StabilityPoint): [string, string][] {
  return [
    [strings.lambda1, formatNumber(point.lambda1)],
    [words.residual, formatNumber(point.residual, 2)],
    [strings.learningRate, formatNumber(point.learningRate)],
    [strings.bound, formatNumber(point.bound)],
    [words.ratio, formatPercent(point.ratio)],
    [words.verdictColumn, strings.verdict[point.verdict]],
  ];
}

export function stabilityTable({ points, preconditioned }: StabilityResult): TableData {
  const row = (name: string, point: StabilityPoint): string[] => [
    name,
    ...pointRows(point).map(([, value]) => value),
  ];
  return {
    caption: words.table,
    columns: [
      words.step,
      strings.lambda1,
      words.residual,
      strings.learningRate,
      strings.bound,
      words.ratio,
      words.verdictColumn,
    ],
    rows: [
      ...points.map((point) => row(String(point.step), point)),
      ...(preconditioned === null
        ? []
        : [row(`${preconditioned.step}, ${words.preconditioned}`, preconditioned)]),
    ],
  };
}

export function stabilityCsv({ points, preconditioned }: StabilityResult): string {
  return csv(
    ['step', 'preconditioned', 'lambda1', 'residual', 'learningRate', 'bound', 'ratio', 'verdict'],
    [...points, ...(preconditioned === null ? [] : [preconditioned])].map((p) => [
      p.step,
      p === preconditioned ? 'yes' : 'no',
      p.lambda1,
      p.residual,
      p.learningRate,
      p.bound,
      p.ratio,
      p.verdict,
    ]),
  );
}
