/** Loss over steps, and below it λ₁ against the stability bound, on one axis of steps. */
import type { RunView } from '../src/protocol/page.ts';
import type { SharpnessResult } from '../src/protocol/results.ts';
import { prefersLog, scaledAxis } from './axes.ts';
import type { ScaledAxis } from './axes.ts';
import type { Drawing, Size } from './chart.ts';
import type { Option, SeriesOption } from './echarts.ts';
import { formatNumber } from './format.ts';
import type { ScaleKind } from './lossScale.ts';
import { boundFormula } from '../src/protocol/stability.ts';
import { liveNumbers } from './optimizer.ts';
import { lossOf } from './stepLoss.ts';
import { strings } from './strings.ts';
import { isHighContrast } from './theme.ts';
import type { Theme } from './theme.ts';
import { tip } from './tip.ts';
import type { TipRow } from './tip.ts';

/** A quantity of each step that can be drawn in place of the loss. */
export type StepQuantity = 'loss' | 'gradientNorm' | 'updateNorm' | 'distance' | 'learningRate';

export const quantityNames: Readonly<Record<StepQuantity, string>> = {
  loss: strings.trainLoss,
  gradientNorm: strings.gradientNorm,
  updateNorm: strings.updateNorm,
  distance: strings.distanceFromStart,
  learningRate: strings.learningRate,
};

export interface LossSettings {
  readonly quantity: StepQuantity;
  /** null: log where the values span more than a decade. */
  readonly scale: ScaleKind | null;
  /** For slides: thicker lines, no zoom hints. */
  readonly title?: string;
}

type LossData = Pick<RunView, 'run' | 'steps' | 'live' | 'results' | 'events'>;

export function lossDrawing(
  data: LossData,
  settings: LossSettings,
  theme: Theme,
  size: Size,
): Drawing | null {
  const { steps, live } = data;
  if (steps.length === 0) return null;
  const values = steps.map((step) =>
    step[settings.quantity] === null ? null : Number(step[settings.quantity]),
  );
  const measured = sharpnessAtSteps(data.results);
  const curvature = live.length > 0 || measured.length > 0;
  const formula = boundFormula(data.run.objectives[0]?.optimizer);
  const compact = size.width < 480;
  // The legend takes up to two rows of its own where it is narrow.
  const top = compact ? 34 : size.width < 760 ? 72 : 34;
  const [left, right, bottom, gap] = [compact ? 46 : 64, compact ? 12 : 24, 44, 46];
  const room = size.height - top - bottom;
  const upper = curvature ? Math.round((room - gap) * 0.56) : room;
  const plots = [
    { left, right, top, height: upper },
    ...(curvature ? [{ left, right, top: top + upper + gap, height: room - gap - upper }] : []),
  ];
  const lossAxis = scaledAxis(values, settings.scale ?? (prefersLog(values) ? 'log' : 'linear'), upper / 34);
  const bounds = live.map((one) => liveNumbers(one).bound);
  const curvatures = [...live.map((one) => liveNumbers(one).lambda1), ...measured.map((one) => one.lambda1)];
  const sharpAxis = scaledAxis(
    [...curvatures, ...visibleBounds(bounds, curvatures)],
    'linear',
    (plots[1]?.height ?? 0) / 30,
    true,
  );
  const last = Math.max(steps.at(-1)?.step ?? 1, live.at(-1)?.step ?? 1, ...measured.map((one) => one.step));
  const xAxis = (gridIndex: number, named: boolean): object => ({
    type: 'value',
    gridIndex,
    min: steps[0]?.step ?? 0,
    max: last,
    name: named ? strings.stepAxis : '',
    nameLocation: 'middle',
    nameGap: 26,
    axisLabel: { hideOverlap: true, formatter: (x: number) => formatNumber(x, 6) },
    splitLine: { show: false },
    axisPointer: { snap: true },
    // On a log axis zero is the loss 1.
    axisLine: { onZero: false },
  });
  const yAxis = (gridIndex: number, name: string, scaled: ScaledAxis): object => ({
    gridIndex,
    name,
    nameLocation: 'end',
    nameGap: 12,
    nameTextStyle: { align: 'left', padding: [0, 0, 0, -left + 14], fontWeight: 600 },
    ...scaled.option,
  });
  const option: Option = {
    grid: plots,
    legend: {
      show: !compact,
      top: 2,
      right,
      itemWidth: 18,
      itemHeight: 8,
      selectedMode: false,
    },
    xAxis: plots.map((_, k) => xAxis(k, k === plots.length - 1)),
    yAxis: [
      yAxis(0, quantityNames[settings.quantity], lossAxis),
      ...(curvature ? [yAxis(1, strings.sharpness, sharpAxis)] : []),
    ] as NonNullable<Option['yAxis']>,
    axisPointer: { link: [{ xAxisIndex: 'all' }] },
    tooltip: {
      trigger: 'axis',
      confine: true,
      transitionDuration: 0,
      formatter: (params) =>
        describeStep(Array.isArray(params) ? params : [params], data, settings.quantity, formula),
    },
    dataZoom: [
      { type: 'inside', xAxisIndex: plots.map((_, k) => k), filterMode: 'none', zoomOnMouseWheel: 'ctrl' },
    ],
    series: [
      ...stepSeries(data, values, lossAxis, settings.quantity, theme),
      ...eventSeries(data, values, lossAxis, theme),
      ...(curvature ? sharpnessSeries(data, measured, sharpAxis, formula, theme) : []),
    ],
  };
  return { option, description: describe(data, values, settings.quantity) };
}

/** λ₁ that was measured at snapshots after the fact. */
function sharpnessAtSteps(
  results: RunView['results'],
): { step: number; lambda1: number; result: SharpnessResult }[] {
  return results
    .filter((result) => result.kind === 'sharpness')
    .map((result) => ({ step: Number(result.at), lambda1: result.eigenvalues[0] ?? NaN, result }))
    .filter(({ step, lambda1 }) => Number.isFinite(step) && Number.isFinite(lambda1))
    .sort((a, b) => a.step - b.step);
}

/** A bound far above everything measured would flatten the curve: it is left out of the axis then. */
function visibleBounds(bounds: readonly (number | null)[], measured: readonly number[]): number[] {
  const highest = Math.max(0, ...measured.filter(Number.isFinite));
  return bounds.filter((bound): bound is number => bound !== null && bound < 12 * highest);
}

function stepSeries(
  { steps }: LossData,
  values: readonly (number | null)[],
  axis: ScaledAxis,
  quantity: StepQuantity,
  theme: Theme,
): SeriesOption[] {
  const points = steps.map((step, k) => [step.step, axis.to(values[k])]);
  const window = smoothingWindow(steps.map(({ step }) => step));
  const smooth = window > 1 && quantity !== 'learningRate' && quantity !== 'distance';
  const series: SeriesOption[] = [
    {
      id: 'steps',
      name: quantityNames[quantity],
      type: 'line',
      data: points,
      symbol: 'none',
      z: 2,
      itemStyle: { color: theme.loss, opacity: smooth && !isHighContrast(theme) ? 0.4 : 1 },
      lineStyle: {
        color: theme.loss,
        width: smooth ? 1 : 1.8,
        opacity: smooth && !isHighContrast(theme) ? 0.4 : 1,
      },
      emphasis: { disabled: true },
    },
  ];
  if (!smooth) return series;
  const means = trailingMeans(values, window);
  return [
    ...series,
    {
      id: 'smoothed',
      name: strings.smoothed(window),
      type: 'line',
      data: steps.map((step, k) => [step.step, axis.to(means[k])]),
      symbol: 'none',
      z: 3,
      itemStyle: { color: isHighContrast(theme) ? theme.accuracy : theme.loss },
      lineStyle: { color: isHighContrast(theme) ? theme.accuracy : theme.loss, width: 2.2 },
      emphasis: { disabled: true },
    },
  ];
}

/** Steps at which something happened, at the height of the curve; at its foot where the value is not finite. */
function eventSeries(
  { steps, events = [] }: LossData,
  values: readonly (number | null)[],
  axis: ScaledAxis,
  theme: Theme,
): SeriesOption[] {
  if (events.length === 0) return [];
  const foot = (axis.option as { min: number }).min;
  const place = (step: number): number => {
    const after = steps.findIndex((one) => one.step >= step);
    return after < 0 ? steps.length - 1 : after;
  };
  return [
    {
      id: 'events',
      name: strings.log.events,
      type: 'scatter',
      data: events.map(({ step }): [number, number] => [step, axis.to(values[place(step)]) ?? foot]),
      symbol: 'triangle',
      symbolSize: 11,
      z: 5,
      itemStyle: { color: theme.bound, borderColor: theme.background, borderWidth: 1 },
      emphasis: { disabled: true },
    },
  ];
}

function sharpnessSeries(
  { live }: LossData,
  measured: ReturnType<typeof sharpnessAtSteps>,
  axis: ScaledAxis,
  formula: string,
  theme: Theme,
): SeriesOption[] {
  const on = { xAxisIndex: 1, yAxisIndex: 1 };
  const bounded = live.filter((one) => one.bound !== null);
  const series: SeriesOption[] = [];
  if (live.length > 0) {
    series.push({
      id: 'lambda',
      name: strings.lambda1,
      type: 'line',
      ...on,
      data: live.map((one) => [one.step, axis.to(liveNumbers(one).lambda1)]),
      symbol: 'circle',
      symbolSize: live.length > 80 ? 3 : 5,
      z: 3,
      itemStyle: { color: theme.sharpness },
      lineStyle: { color: theme.sharpness, width: 1.8 },
      emphasis: { disabled: true },
    });
  }
  if (bounded.length > 0) {
    series.push({
      id: 'bound',
      name: strings.boundOf(formula),
      type: 'line',
      step: 'end',
      ...on,
      clip: true,
      data: bounded.map((one) => [one.step, axis.to(liveNumbers(one).bound)]),
      symbol: 'none',
      z: 2,
      itemStyle: { color: theme.bound },
      lineStyle: { color: theme.bound, width: 1.8, type: 'dashed' },
      emphasis: { disabled: true },
    });
  }
  if (measured.length > 0) {
    series.push({
      id: 'measured',
      name: strings.measured,
      type: 'scatter',
      ...on,
      data: measured.map((one) => [one.step, axis.to(one.lambda1)]) as number[][],
      symbol: 'diamond',
      symbolSize: 13,
      z: 4,
      itemStyle: { color: theme.foreground, borderColor: theme.background, borderWidth: 1.5 },
    });
  }
  return series;
}

/** Steps that a mean is taken over: about 1 % of the run; 1 where steps are missing, as in a thinned log. */
export function smoothingWindow(steps: readonly number[]): number {
  const [first, last] = [steps[0], steps.at(-1)];
  if (first === undefined || last === undefined || last - first + 1 !== steps.length || steps.length < 200)
    return 1;
  return Math.max(5, 5 * Math.round(steps.length / 250));
}

/** Mean of the last `window` values up to each one; values that are not finite count for nothing. */
export function trailingMeans(values: readonly (number | null)[], window: number): (number | null)[] {
  let [sum, count] = [0, 0];
  const finite = (value: number | null | undefined): value is number =>
    typeof value === 'number' && Number.isFinite(value);
  return values.map((value, k) => {
    if (finite(value)) [sum, count] = [sum + value, count + 1];
    const leaving = values[k - window];
    if (finite(leaving)) [sum, count] = [sum - leaving, count - 1];
    return count > 0 ? sum / count : null;
  });
}

function describeStep(
  items: readonly { seriesId?: string; value?: unknown }[],
  data: LossData,
  quantity: StepQuantity,
  formula: string,
): HTMLElement | string {
  const x = items.map(({ value }) => (Array.isArray(value) ? Number(value[0]) : NaN)).find(Number.isFinite);
  if (x === undefined) return '';
  const step = data.steps.reduce((best, one) =>
    Math.abs(one.step - x) < Math.abs(best.step - x) ? one : best,
  );
  const rows: TipRow[] = [[strings.trainLoss, formatNumber(lossOf(step))]];
  if (quantity !== 'loss' && quantity !== 'learningRate')
    rows.push([
      quantityNames[quantity],
      formatNumber(step[quantity] === null ? null : Number(step[quantity])),
    ]);
  if (step.learningRate !== null) rows.push([strings.learningRate, formatNumber(Number(step.learningRate))]);
  if (step.epoch !== null) rows.push([strings.epoch, String(step.epoch)]);
  const near = data.live.filter((one) => one.step <= step.step).at(-1);
  if (near) {
    const { lambda1, bound } = liveNumbers(near);
    rows.push([`${strings.lambda1} (${strings.step(near.step)})`, formatNumber(lambda1, 3)]);
    if (bound !== null) rows.push([formula, formatNumber(bound, 3)]);
  }
  const told = (data.events ?? []).filter((event) => event.step === step.step).map(strings.log.event);
  return tip(strings.step(step.step), rows, told.length === 0 ? undefined : told.join(' '));
}

function describe(
  { steps, live }: LossData,
  values: readonly (number | null)[],
  quantity: StepQuantity,
): string {
  const [first, last] = [steps[0], steps.at(-1)];
  const sharp = live.at(-1);
  const text = strings.log.describe(
    quantityNames[quantity],
    formatNumber(values[0]),
    first?.step ?? 0,
    formatNumber(values.at(-1)),
    last?.step ?? 0,
  );
  if (!sharp) return text;
  const { lambda1, bound } = liveNumbers(sharp);
  const told = formatNumber(lambda1, 3);
  return `${text} ${bound === null ? strings.log.describeSharpness(told) : strings.log.describeBound(told, formatNumber(bound, 3))}`;
}
