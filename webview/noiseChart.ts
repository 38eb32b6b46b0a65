/** The noise of minibatch gradients: its scale along the run, the directions it has, and what of it lies along the curvature. */
import type { NoiseResult } from '../src/protocol/noise.ts';
import type { LiveNoiseScale } from '../src/protocol/run.ts';
import { prefersLog, scaledAxis } from './axes.ts';
import type { Drawing, Size } from './chart.ts';
import { csv } from './dataTable.ts';
import type { TableData } from './dataTable.ts';
import type { Option, SeriesOption } from './echarts.ts';
import { formatNumber, formatPercent, formatWithError } from './format.ts';
import {
  axisTooltip,
  bars,
  beside,
  curve,
  dots,
  grids,
  guide,
  legend,
  level,
  nearest,
  pointedAt,
  rangeOf,
  span,
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

const words = strings.noise;

/** Directions by number of batches, and the spectrum of the estimated covariance. */
export function noiseDrawing({ rank }: NoiseResult, theme: Theme, size: Size): Drawing {
  const room = usualRoom(size);
  const frames = beside(size, 2, room, 340);
  const { growth, eigenvalues } = rank;
  const batches = growth.map((g) => g.batches);
  const most = Math.max(1, ...batches);
  const directions = scaledAxis([0, most - 1, ...growth.map((g) => g.directions)], 'linear', 6, true);
  const positive = eigenvalues.filter((value) => value > 0);
  const power = scaledAxis(positive, prefersLog(positive) ? 'log' : 'linear', 6);
  const option: Option = {
    grid: grids(frames),
    legend: legend([words.directions, words.limit], room),
    xAxis: [
      xAxis(0, { min: 0, max: most }, words.batches),
      xAxis(1, { min: 0.5, max: Math.max(2, eigenvalues.length) + 0.5 }, words.eigenvalueNumber),
    ],
    yAxis: [
      yAxis(0, words.directionsFor(formatPercent(rank.share)), directions, room.left),
      yAxis(1, words.eigenvalue, power, room.left, (x) => formatNumber(x, 2)),
    ],
    tooltip: {
      ...axisTooltip,
      formatter: (params) => {
        const x = pointedAt(params);
        const one = (Array.isArray(params) ? params[0] : params) as { axisIndex?: number } | undefined;
        if (x === null) return '';
        if (one?.axisIndex === 1) {
          const k = Math.min(eigenvalues.length, Math.max(1, Math.round(x)));
          return tip(`${words.eigenvalueNumber} ${k}`, [
            [words.eigenvalue, formatNumber(eigenvalues[k - 1], 3)],
          ]);
        }
        const found = growth[nearest(batches, x)];
        return found === undefined
          ? ''
          : tip(words.ofBatches(found.batches), [
              [words.directions, formatNumber(found.directions, 3)],
              [words.limit, String(found.batches - 1)],
            ]);
      },
    },
    series: [
      guide(
        'limit',
        words.limit,
        0,
        [
          [1, directions.to(0)],
          [most, directions.to(most - 1)],
        ],
        theme,
      ),
      curve(
        'growth',
        words.directions,
        0,
        growth.map((g): XY => [g.batches, directions.to(g.directions)]),
        { color: theme.loss, symbol: 'circle' },
      ),
      curve(
        'eigenvalues',
        '',
        1,
        eigenvalues.map((value, k): XY => [k + 1, power.to(value)]),
        { color: theme.loss, symbol: 'circle', width: 1.6 },
      ),
    ] as SeriesOption[],
  };
  return {
    option,
    description: words.describe(
      rank.directions,
      rank.parameters,
      formatPercent(rank.share),
      rank.limit,
      most,
      rank.resolved,
    ),
  };
}

/** What of the noise and of the gradient lies along each of the Hessian's top eigenvectors together, beside chance. */
export function alongCurvatureDrawing({ hessian }: NoiseResult, theme: Theme, size: Size): Drawing | null {
  if (hessian === null) return null;
  const room = { ...usualRoom(size), left: 190 };
  const frames = stacked(size, [1], room);
  const rows = [
    { name: words.noiseIn(hessian.eigenvalues.length), share: hessian.noise },
    { name: words.gradientIn(hessian.eigenvalues.length), share: hessian.gradient },
  ];
  const axis = scaledAxis([0, 1], 'linear', 6, true);
  const chance = Math.min(1, hessian.noise.isotropic);
  const option: Option = {
    grid: grids(frames),
    legend: legend([words.isotropic], room),
    xAxis: [
      {
        ...xAxis(0, { min: 0, max: 1 }, words.shareAlong, (x) => formatPercent(x)),
      },
    ] as NonNullable<Option['xAxis']>,
    yAxis: {
      type: 'value',
      inverse: true,
      min: -0.6,
      max: rows.length - 0.4,
      splitLine: { show: false },
      axisTick: { show: false },
      axisLabel: {
        customValues: rows.map((_, k) => k),
        formatter: (k: number) => rows[Math.round(k)]?.name ?? '',
      },
    },
    series: [
      bars(
        'shares',
        0,
        rows.map(({ share }, k) => ({
          from: [0, k - 0.28],
          to: [Math.max(0, Math.min(1, share.value ?? 0)), k + 0.28],
        })),
        theme.loss,
        { opacity: 0.75 },
      ),
      whiskers(
        'errors',
        0,
        rows.flatMap(({ share }, k) => span(k, share.value, share.standardError, axis, 'across')),
        theme.foreground,
      ),
      curve(
        'isotropic',
        words.isotropic,
        0,
        [
          [chance, -0.5],
          [chance, rows.length - 0.5],
        ],
        { color: theme.sharpness, type: 'dashed', width: 2 },
      ),
      curve('frame', '', 0, [[0, 0]], { color: theme.loss, width: 0 }),
    ] as SeriesOption[],
  };
  return {
    option,
    description: `${rows.map(({ name, share }) => `${name} ${formatPercent(share.value, 1)}`).join('; ')}; ${words.isotropic} ${formatPercent(chance, 2)}.`,
  };
}

export function noiseTables({ rank, hessian, scale }: NoiseResult): TableData[] {
  const of = ({ value, standardError }: { value: number | null; standardError: number | null }): string =>
    formatWithError(value, standardError);
  return [
    {
      caption: words.scale,
      columns: [words.quantity, words.value],
      rows: [
        [words.scaleInSamples, of(scale)],
        [
          words.interval,
          `${formatNumber(scale.interval[0], 3)} – ${scale.interval[1] === null ? '∞' : formatNumber(scale.interval[1], 3)}`,
        ],
        [words.signal, of(scale.gradient)],
        [words.trace, of(scale.trace)],
        [words.participation, of(rank.participation)],
      ],
    },
    {
      caption: words.rankTitle,
      columns: [words.batches, words.directions],
      rows: rank.growth.map((g) => [String(g.batches), formatNumber(g.directions, 3)]),
    },
    {
      caption: words.spectrum,
      columns: [words.eigenvalueNumber, words.eigenvalue],
      rows: rank.eigenvalues.map((value, k) => [String(k + 1), formatNumber(value)]),
    },
    ...(hessian === null
      ? []
      : [
          {
            caption: words.alongTitle,
            columns: [words.quantity, words.value, words.isotropic],
            rows: [
              [
                words.noiseIn(hessian.eigenvalues.length),
                of(hessian.noise),
                formatPercent(hessian.noise.isotropic, 2),
              ],
              [
                words.gradientIn(hessian.eigenvalues.length),
                of(hessian.gradient),
                formatPercent(hessian.gradient.isotropic, 2),
              ],
              [words.anisotropy, of(hessian.anisotropy), '1'],
            ],
          },
        ]),
  ];
}

export function noiseCsv({ rank }: NoiseResult): string {
  return csv(
    ['quantity', 'at', 'value'],
    [
      ...rank.growth.map((g) => ['directions', g.batches, g.directions]),
      ...rank.eigenvalues.map((value, k) => ['eigenvalue', k + 1, value]),
    ],
  );
}

const numbers = (one: LiveNoiseScale): { value: number | null; low: number; high: number } => ({
  value: one.value === null ? null : Number(one.value),
  low: Number(one.interval[0]),
  high: Number(one.interval[1]),
});

/** The noise scale as it was measured while the run trained, with its 95 % interval and the run's batch size. */
export function liveNoiseDrawing(all: readonly LiveNoiseScale[], theme: Theme, size: Size): Drawing | null {
  if (all.length === 0) return null;
  const room = usualRoom(size);
  const frames = stacked(size, [1], room);
  const steps = all.map(({ step }) => step);
  const ends = rangeOf(steps);
  // Intervals at the first and the last step stand inside of the frame.
  const margin = 0.03 * (ends.max - ends.min);
  const range = { min: ends.min - margin, max: ends.max + margin };
  const batch = all.at(-1)?.batchSize ?? null;
  const known = all.map(numbers);
  const values = known.flatMap(({ value, low, high }) => [
    value,
    low > 0 ? low : null,
    Number.isFinite(high) ? high : null,
  ]);
  const shown = batch === null ? values : [...values, batch];
  const axis = scaledAxis(shown, prefersLog(shown) ? 'log' : 'linear', (frames[0]?.height ?? 0) / 34);
  const option_ = axis.option as { min: number; max: number };
  const option: Option = {
    grid: grids(frames),
    legend: legend([words.scaleInSamples, ...(batch === null ? [] : [words.batchSize])], room),
    xAxis: [xAxis(0, range, words.step)],
    yAxis: [yAxis(0, words.scaleInSamples, axis, room.left, (x) => formatNumber(x, 3))],
    tooltip: {
      ...axisTooltip,
      formatter: (params) => {
        const x = pointedAt(params);
        const one = x === null ? undefined : all[nearest(steps, x)];
        return one === undefined ? '' : tip(strings.step(one.step), liveRows(one));
      },
    },
    series: [
      whiskers(
        'intervals',
        0,
        known.map(({ low, high }, k) => [
          [steps[k] ?? 0, (low > 0 ? axis.to(low) : null) ?? option_.min],
          // Where the gradient may be zero the interval has no upper end: the line goes to the edge.
          [steps[k] ?? 0, (Number.isFinite(high) ? axis.to(high) : null) ?? option_.max],
          { from: !(low > 0), to: !Number.isFinite(high) },
        ]),
        theme.muted,
      ),
      ...(batch === null
        ? []
        : [
            {
              ...level('batch', words.batchSize, 0, range, axis.to(batch), theme),
              lineStyle: { color: theme.bound, width: 1.6, type: 'dashed' as const },
            },
          ]),
      curve(
        'scale',
        '',
        0,
        known.map(({ value }, k): XY => [steps[k] ?? 0, axis.to(value)]),
        { color: theme.loss, width: 1.2, opacity: 0.7 },
      ),
      dots(
        'values',
        words.scaleInSamples,
        0,
        known.map(({ value }, k): XY => [steps[k] ?? 0, axis.to(value)]),
        theme.loss,
        { theme, size: 8 },
      ),
    ] as SeriesOption[],
  };
  const last = all.at(-1);
  return {
    option,
    description: words.describeLive(
      all.length,
      strings.step(last?.step ?? 0),
      (last === undefined ? undefined : liveRows(last)[0]?.[1]) ?? '',
    ),
  };
}

function liveRows(one: LiveNoiseScale): [string, string][] {
  const { value, low, high } = numbers(one);
  return [
    [
      words.scaleInSamples,
      formatWithError(value, one.standardError === null ? null : Number(one.standardError)),
    ],
    [words.interval, `${formatNumber(low, 3)} – ${formatNumber(high, 3)}`],
    [words.signal, formatWithError(Number(one.signal), Number(one.signalStandardError))],
    [words.trace, formatWithError(Number(one.noise), Number(one.noiseStandardError))],
    [words.batches, String(one.batches)],
    [words.batchSize, one.batchSize === null ? '–' : String(one.batchSize)],
  ];
}

export function liveNoiseTable(all: readonly LiveNoiseScale[]): TableData {
  const names = [
    words.scaleInSamples,
    words.interval,
    words.signal,
    words.trace,
    words.batches,
    words.batchSize,
  ];
  return {
    caption: strings.tableOf.noise,
    columns: [words.step, ...names],
    rows: all.map((one) => [String(one.step), ...liveRows(one).map(([, value]) => value)]),
  };
}

export function liveNoiseCsv(all: readonly LiveNoiseScale[]): string {
  return csv(
    [
      'step',
      'noiseScale',
      'standardError',
      'low',
      'high',
      'signal',
      'noise',
      'batches',
      'samples',
      'batchSize',
    ],
    all.map((one) => {
      const { value, low, high } = numbers(one);
      const error = one.standardError === null ? null : Number(one.standardError);
      return [
        one.step,
        value,
        error,
        low,
        high,
        Number(one.signal),
        Number(one.noise),
        one.batches,
        one.samples,
        one.batchSize,
      ];
    }),
  );
}
