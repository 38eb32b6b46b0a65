/** Loss and accuracy along the straight line between two models, with the barrier over the chord. */
import type { LineResult } from '../src/protocol/results.ts';
import { prefersLog, scaledAxis } from './axes.ts';
import type { ScaledAxis } from './axes.ts';
import type { Drawing, Size } from './chart.ts';
import type { Option, SeriesOption } from './echarts.ts';
import { formatNumber, formatPercent, formatWithError } from './format.ts';
import type { ScaleKind } from './lossScale.ts';
import { band, whiskers } from './plots.ts';
import type { Strings } from './strings.en.ts';
import { strings } from './strings.ts';
import type { Theme } from './theme.ts';
import { tip } from './tip.ts';
import type { TipRow } from './tip.ts';

export function lineDrawing(result: LineResult, wanted: ScaleKind | null, theme: Theme, size: Size): Drawing {
  const compact = size.width < 480;
  const accurate = result.accuracy !== null || result.validation?.accuracy != null;
  const [left, right, top, bottom, gap] = [compact ? 48 : 64, compact ? 12 : 24, 34, 46, 44];
  const room = size.height - top - bottom;
  const upper = accurate ? Math.round((room - gap) * 0.6) : room;
  const plots = [
    { left, right, top, height: upper },
    ...(accurate ? [{ left, right, top: top + upper + gap, height: room - gap - upper }] : []),
  ];
  // With the band of errors, which may reach above the loss.
  const reached = result.loss.map((value, k) =>
    value === null ? null : value + (result.standardError[k] ?? 0),
  );
  const losses = [...result.loss, ...reached, ...(result.validation?.loss ?? [])];
  const lossAxis = scaledAxis(losses, wanted ?? (prefersLog(losses) ? 'log' : 'linear'), upper / 34);
  const accuracyAxis = scaledAxis(
    [...(result.accuracy ?? []), ...(result.validation?.accuracy ?? [])],
    'linear',
    (plots[1]?.height ?? 0) / 30,
  );
  const axisName = {
    nameLocation: 'end',
    nameGap: 12,
    nameTextStyle: { align: 'left', padding: [0, 0, 0, -left + 14], fontWeight: 600 },
  };
  const option: Option = {
    grid: plots,
    legend: {
      show: true,
      top: 2,
      right,
      itemWidth: 18,
      itemHeight: 8,
      selectedMode: false,
      data: [strings.trainLoss, ...(result.validation ? [strings.validationLoss] : [])].map((name) => ({
        name,
      })),
    },
    xAxis: plots.map((_, gridIndex) => ({
      type: 'value',
      gridIndex,
      min: result.t[0] ?? 0,
      max: result.t.at(-1) ?? 1,
      name:
        gridIndex === plots.length - 1
          ? strings.line.position(modelName(result.from), modelName(result.to))
          : '',
      nameLocation: 'middle',
      nameGap: 28,
      splitLine: { show: false },
      axisLine: { onZero: false },
      axisLabel: { formatter: (x: number) => formatNumber(x, 3) },
    })),
    yAxis: [
      { gridIndex: 0, name: strings.loss, ...axisName, ...lossAxis.option },
      ...(accurate
        ? [
            {
              gridIndex: 1,
              name: strings.accuracy,
              ...axisName,
              ...accuracyAxis.option,
              axisLabel: {
                ...(accuracyAxis.option as { axisLabel: object }).axisLabel,
                formatter: (x: number) => formatPercent(x, x % 0.01 > 0.0001 && x % 0.01 < 0.0099 ? 1 : 0),
              },
            },
          ]
        : []),
    ] as NonNullable<Option['yAxis']>,
    axisPointer: { link: [{ xAxisIndex: 'all' }] },
    tooltip: {
      trigger: 'axis',
      confine: true,
      transitionDuration: 0,
      formatter: (params) => describePoint(result, Array.isArray(params) ? params[0] : params),
    },
    series: [
      ...errorBand(result, lossAxis, theme),
      curve('loss', strings.trainLoss, result.t, result.loss, lossAxis, theme.loss, 0),
      ...(result.validation
        ? [
            curve(
              'validation',
              strings.validationLoss,
              result.t,
              result.validation.loss,
              lossAxis,
              theme.validation,
              0,
              'dashed',
            ),
          ]
        : []),
      ...chord(result, lossAxis, theme),
      ...barrierMark(result, lossAxis, theme),
      ...riseMark(result, lossAxis, theme),
      ...(result.accuracy
        ? [curve('accuracy', strings.trainAccuracy, result.t, result.accuracy, accuracyAxis, theme.loss, 1)]
        : []),
      ...(result.validation?.accuracy
        ? [
            curve(
              'validation-accuracy',
              strings.validationAccuracy,
              result.t,
              result.validation.accuracy,
              accuracyAxis,
              theme.validation,
              1,
              'dashed',
            ),
          ]
        : []),
    ],
  };
  return { option, description: describeLine(result) };
}

/** "snapshot 400" for a step, the id for a built model. */
export function modelName(reference: string, words: Pick<Strings, 'snapshot'> = strings): string {
  return /^\d+$/.test(reference) ? words.snapshot(reference) : reference;
}

/** The barrier in words. */
export function barrierText(result: LineResult): string {
  if (result.barrier === null) return '–';
  if (result.barrier <= 0) return strings.line.noBarrier;
  // Older results have no error of the barrier. Values along the line share their samples, so it is known better than
  // the error of a single value says.
  const error = result.barrierStandardError ?? Math.max(0, ...result.standardError.map((e) => e ?? 0));
  const text = formatWithError(result.barrier, error);
  return result.barrier <= 2 * error ? strings.line.smallBarrier(text) : strings.line.barrier(text);
}

function curve(
  id: string,
  name: string,
  t: readonly number[],
  values: readonly (number | null)[],
  axis: ScaledAxis,
  color: string,
  grid: number,
  type: 'solid' | 'dashed' = 'solid',
): SeriesOption {
  return {
    id,
    name,
    type: 'line',
    xAxisIndex: grid,
    yAxisIndex: grid,
    data: t.map((x, k) => [x, axis.to(values[k])]),
    symbol: 'none',
    z: 3,
    itemStyle: { color },
    lineStyle: { color, width: 2, type },
    emphasis: { disabled: true },
  };
}

/** One standard error to either side of the loss. */
function errorBand({ t, loss, standardError }: LineResult, axis: ScaledAxis, theme: Theme): SeriesOption[] {
  if (standardError.every((error) => error === null)) return [];
  const edges = t.map((x, k) => {
    const [value, error] = [loss[k] ?? null, standardError[k] ?? 0];
    return value === null
      ? null
      : ([x, axis.to(value - error) ?? axis.to(value), axis.to(value + error)] as const);
  });
  return [
    {
      id: 'error',
      type: 'custom',
      silent: true,
      clip: true,
      z: 1,
      data: [[t[0] ?? 0, axis.to(loss[0]) ?? 0]],
      renderItem: (_, api) => {
        const known = edges.filter((edge) => edge !== null);
        return {
          type: 'polygon',
          shape: {
            points: [
              ...known.map(([x, , high]) => api.coord([x, high ?? 0])),
              ...[...known].reverse().map(([x, low]) => api.coord([x, low ?? 0])),
            ],
          },
          style: { fill: theme.loss, opacity: 0.16 },
        };
      },
    },
  ];
}

/** What the loss would be if it were linear between the ends; the barrier is the most that it rises above. */
function chord({ t, loss }: LineResult, axis: ScaledAxis, theme: Theme): SeriesOption[] {
  const [from, to] = [loss[0] ?? null, loss.at(-1) ?? null];
  if (from === null || to === null) return [];
  return [
    {
      id: 'chord',
      type: 'line',
      data: t.map((x) => [x, axis.to((1 - x) * from + x * to)]),
      symbol: 'none',
      silent: true,
      z: 2,
      lineStyle: { color: theme.muted, width: 1, type: 'dotted' },
      emphasis: { disabled: true },
    },
  ];
}

/** From the chord up to the loss where it stands highest above it. */
function barrierMark({ t, loss, barrier }: LineResult, axis: ScaledAxis, theme: Theme): SeriesOption[] {
  const [from, to] = [loss[0] ?? null, loss.at(-1) ?? null];
  if (barrier === null || barrier <= 0 || from === null || to === null) return [];
  const above = t.map((x, k) => (loss[k] ?? -Infinity) - ((1 - x) * from + x * to));
  const k = above.indexOf(Math.max(...above));
  const x = t[k] ?? 0;
  const [foot, top] = [axis.to((1 - x) * from + x * to), axis.to(loss[k])];
  if (foot === null || top === null) return [];
  return [
    whiskers('barrier', 0, [[[x, foot] as const, [x, top] as const] as const], theme.bound),
    {
      id: 'barrier-top',
      type: 'scatter',
      data: [[x, top]],
      symbol: 'diamond',
      symbolSize: 10,
      z: 5,
      silent: true,
      itemStyle: { color: theme.bound, borderColor: theme.background, borderWidth: 1 },
      label: {
        show: true,
        position: x > 0.6 ? 'left' : 'right',
        formatter: strings.line.barrierMark,
        color: theme.foreground,
        fontSize: theme.fontSize - 1,
      },
    },
  ];
}

/** The stretch of the way downhill over which the loss rises most, where that is more than noise. */
function riseMark({ monotone }: LineResult, axis: ScaledAxis, theme: Theme): SeriesOption[] {
  if (monotone?.between == null || monotone.verdict !== 'rises') return [];
  const { min, max } = axis.option as { min: number; max: number };
  const [from, to] = monotone.between;
  return [
    band(
      'rise',
      0,
      [Math.min(from, to), Math.max(from, to)].map((x) => [x, min, max]),
      theme.bound,
      0.12,
    ),
  ];
}

/** Whether the loss only falls on the way downhill, in words. */
export function monotoneText({ monotone }: LineResult): string | null {
  if (monotone === undefined || monotone.verdict === 'unknown') return null;
  const words = strings.line.monotone;
  const rise = formatWithError(monotone.largestIncrease, monotone.standardError);
  const [from, to] = monotone.between ?? [null, null];
  const where = from === null ? '' : words.between(formatNumber(from, 2), formatNumber(to, 2));
  if (monotone.verdict === 'monotone') return words.falls;
  return monotone.verdict === 'within-noise' ? words.withinNoise(rise) : words.rises(rise, where);
}

function describePoint(result: LineResult, item: { value?: unknown } | undefined): HTMLElement | string {
  const x = Array.isArray(item?.value) ? Number(item.value[0]) : NaN;
  const k = result.t.findIndex((t) => Math.abs(t - x) < 1e-9);
  if (k < 0) return '';
  const rows: TipRow[] = [[strings.trainLoss, formatWithError(result.loss[k], result.standardError[k])]];
  if (result.validation) rows.push([strings.validationLoss, formatNumber(result.validation.loss[k])]);
  if (result.accuracy) rows.push([strings.trainAccuracy, formatPercent(result.accuracy[k], 1)]);
  if (result.validation?.accuracy)
    rows.push([strings.validationAccuracy, formatPercent(result.validation.accuracy[k], 1)]);
  return tip(`t = ${formatNumber(x, 3)}`, rows);
}

function describeLine(result: LineResult): string {
  return strings.line.describe(
    modelName(result.from),
    formatNumber(result.loss[0]),
    modelName(result.to),
    formatNumber(result.loss.at(-1)),
    [barrierText(result), monotoneText(result)].filter(Boolean).join('; '),
  );
}
