/** The colour bar beside a picture of losses, as a plot of its own: the chart's second grid. */
import type { CustomSeriesOption } from 'echarts/charts';
import { formatNumber, formatPower } from './format.ts';
import { layer } from './layer.ts';
import type { LossScale } from './lossScale.ts';
import type { PlotFrame } from './plots.ts';
import { rampColor } from './ramp.ts';
import type { Theme } from './theme.ts';

/** Fill bands: fine enough to read as a continuous ramp. */
const BANDS = 32;

/** The grids of a plot with a frame around it and of the bar beside it; {@link barAxes} are of the second. */
export function gridsWithBar(plot: PlotFrame, compact: boolean, { muted }: Theme) {
  const frame = { show: true, borderColor: muted, borderWidth: 1 };
  const { left, width, top, height } = plot;
  return [
    { id: 'plot', ...plot, ...frame },
    { id: 'bar', left: left + width + (compact ? 8 : 20), width: compact ? 8 : 14, top, height, ...frame },
  ];
}

/** The bar's axes. @param height of the plot, in pixels: as many labels as fit */
export function barAxes(scale: LossScale, height: number, compact: boolean, name: string) {
  const ticks = spreadLevels(scale, height / (compact ? 15 : 17)).map(scale.toUnit);
  return {
    x: { gridIndex: 1, type: 'value', min: 0, max: 1, show: false },
    y: {
      gridIndex: 1,
      type: 'value',
      position: 'right',
      min: 0,
      max: 1,
      name: compact ? '' : name,
      nameLocation: 'middle',
      nameGap: 46,
      nameRotate: 90,
      splitLine: { show: false },
      axisLine: { show: false },
      axisTick: { customValues: ticks, length: 4 },
      axisLabel: {
        customValues: ticks,
        formatter: (unit: number) => label(scale.fromUnit(unit), compact),
        showMinLabel: true,
        showMaxLabel: true,
      },
    },
  } as const;
}

/** From here on a compact bar has a power of ten: the side bar has no room for 0.0001 beside it. */
const LEAST_WRITTEN_OUT = 0.01;

function label(value: number, compact: boolean): string {
  const small = value !== 0 && Math.abs(value) < LEAST_WRITTEN_OUT;
  return compact && small ? formatPower(value) : formatNumber(value, 3);
}

/** The ramp itself. */
export function barSeries(): CustomSeriesOption {
  return layer(
    'bar',
    1,
    (_, frame) =>
      Array.from({ length: BANDS }, (_value, k) => ({
        type: 'rect',
        shape: {
          x: frame.x,
          y: frame.y + frame.height * (1 - (k + 1) / BANDS),
          width: frame.width,
          // A little over the next band: no seam shows at fractional pixels.
          height: frame.height / BANDS + (k === 0 ? 0 : 0.6),
        },
        style: { fill: rampColor((k + 0.5) / BANDS) },
      })),
    { xAxisIndex: 1, yAxisIndex: 1 },
  );
}

/** As many levels as fit beside the bar, none on top of another. */
function spreadLevels(scale: LossScale, room: number): number[] {
  const gap = 1 / Math.max(1, room);
  const kept: number[] = [];
  for (const level of scale.levels) {
    const previous = kept.at(-1);
    if (previous === undefined || scale.toUnit(level) - scale.toUnit(previous) >= gap) kept.push(level);
  }
  return kept;
}
