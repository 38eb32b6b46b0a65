/** What every average of successive snapshots would lose, as a map over its first and its last snapshot. */
import type { Candidate, SweepResult } from '../src/protocol/averaging.ts';
import type { Drawing, Size } from './chart.ts';
import { barAxes, barSeries, gridsWithBar } from './colourBar.ts';
import { csv } from './dataTable.ts';
import type { TableData } from './dataTable.ts';
import type { Option } from './echarts.ts';
import { formatAccuracy, formatNumber, formatPercent, formatWithError } from './format.ts';
import { layer } from './layer.ts';
import { lossScale } from './lossScale.ts';
import type { LossScale } from './lossScale.ts';
import { overRamp, rampColor } from './ramp.ts';
import { strings } from './strings.ts';
import type { Theme } from './theme.ts';
import { tip } from './tip.ts';
import type { TipRow } from './tip.ts';

/** A window as places of the map: the index of its first and of its last block. */
export interface Place {
  readonly first: number;
  readonly last: number;
}

/** The average at a place; undefined where there is none: the last before the first, or a single snapshot. */
export function windowAt(result: SweepResult, { first, last }: Place): Candidate | undefined {
  const [from, to] = [result.blocks[first]?.from, result.blocks[last]?.to];
  return result.windows.find((w) => w.from === from && w.to === to);
}

export function placeOf(result: SweepResult, { from, to }: Pick<Candidate, 'from' | 'to'>): Place {
  return {
    first: result.blocks.findIndex((b) => b.from === from),
    last: result.blocks.findIndex((b) => b.to === to),
  };
}

/** The loss on the samples that judge: validation ones where there are any. */
export const judgedLoss = ({ score }: Pick<Candidate, 'score'>): number | null =>
  (score.validation ?? score.train).loss;

/**
 * From the best average up to the last snapshot, or to three quarters of all averages where that is more: the few early
 * ones that are far worse are all of the brightest colour, so that the others can be told apart.
 */
function sweepScale(result: SweepResult): LossScale | null {
  const known = result.windows
    .map(judgedLoss)
    .filter((loss) => loss !== null && Number.isFinite(loss))
    .sort((a, b) => (a ?? 0) - (b ?? 0));
  const most = Math.max(
    known[Math.floor(0.75 * (known.length - 1))] ?? -Infinity,
    judgedLoss({ score: result.last }) ?? -Infinity,
  );
  return lossScale(
    known.map((loss) => Math.min(loss ?? most, most)),
    'log',
  );
}

/** @param chosen is framed; the best one carries a star */
export function sweepDrawing(result: SweepResult, chosen: Place, theme: Theme, size: Size): Drawing | null {
  const scale = sweepScale(result);
  if (scale === null) return null;
  const compact = size.width < 420;
  const left = compact ? 46 : 70;
  const bottom = compact ? 38 : 48;
  const side = Math.max(
    80,
    Math.min(size.width - left - (compact ? 56 : 100), size.height - bottom - 14, 560),
  );
  const plot = { left, top: 14, width: side, height: size.height - bottom - 14 };
  const count = result.blocks.length;
  const bar = barAxes(scale, plot.height, compact, strings.sweep.judgedLoss(result.data.split));
  const axis = (name: string, step: (index: number) => number | undefined) => ({
    type: 'value' as const,
    gridIndex: 0,
    min: -0.5,
    max: count - 0.5,
    name,
    nameLocation: 'middle' as const,
    splitLine: { show: false },
    axisLine: { show: false },
    axisTick: { show: false },
    axisLabel: {
      customValues: labelled(count, compact ? 3 : 6),
      formatter: (index: number) => String(step(Math.round(index)) ?? ''),
      showMinLabel: true,
      showMaxLabel: true,
    },
  });
  const cells = result.windows.map((w) => ({ window: w, ...placeOf(result, w) }));
  const best = result.best === null || result.best.decay !== null ? null : placeOf(result, result.best);
  const option: Option = {
    grid: gridsWithBar(plot, compact, theme),
    xAxis: [
      { ...axis(strings.sweep.firstStep, (i) => result.blocks[i]?.from), nameGap: compact ? 22 : 28 },
      bar.x,
    ],
    yAxis: [
      { ...axis(compact ? '' : strings.sweep.lastStep, (i) => result.blocks[i]?.to), nameGap: 50 },
      bar.y,
    ],
    tooltip: {
      trigger: 'item',
      confine: true,
      transitionDuration: 0,
      formatter: (params) => {
        const item = Array.isArray(params) ? params[0] : params;
        const window = cells[item?.dataIndex ?? -1]?.window;
        return window === undefined
          ? ''
          : tip(candidateName(window), candidateRows(window, result.data.split));
      },
    },
    series: [
      {
        id: 'windows',
        type: 'custom',
        data: cells.map(({ window, first, last }) => [first, last, judgedLoss(window) ?? NaN]),
        encode: { x: 0, y: 1 },
        renderItem: (_, api) => {
          const [x = 0, y = 0] = api.coord([api.value(0), api.value(1)]);
          const [width = 0, height = 0] = (api.size?.([1, 1]) ?? []) as number[];
          const loss = Number(api.value(2));
          return {
            type: 'rect',
            // A little over the next cell: no seam shows at fractional pixels.
            shape: { x: x - width / 2, y: y - height / 2, width: width + 0.5, height: height + 0.5 },
            style: { fill: Number.isFinite(loss) ? rampColor(scale.toUnit(loss)) : theme.background },
          };
        },
      },
      layer('marks', 4, (api) => {
        const [width = 0, height = 0] = (api.size?.([1, 1]) ?? []) as number[];
        const centre = (place: Place): number[] => api.coord([place.first, place.last]);
        const [x = 0, y = 0] = centre(chosen);
        const frame = (lineWidth: number, stroke: string) => ({
          type: 'rect',
          shape: { x: x - width / 2, y: y - height / 2, width, height },
          style: { fill: 'none', stroke, lineWidth },
        });
        const [starX = 0, starY = 0] = best === null ? [] : centre(best);
        return [
          frame(4.5, overRamp.halo),
          frame(2, overRamp.ink),
          ...(best === null
            ? []
            : [
                {
                  type: 'text',
                  style: {
                    text: '★',
                    x: starX,
                    y: starY,
                    align: 'center',
                    verticalAlign: 'middle',
                    fontSize: Math.max(9, Math.min(16, height * 0.8)),
                    fill: overRamp.ink,
                    stroke: overRamp.halo,
                    lineWidth: 2,
                  },
                },
              ]),
        ];
      }),
      barSeries(),
    ],
  };
  return { option, description: describeSweep(result) };
}

/** "Average of 12 snapshots, steps 300 to 410". */
export function candidateName({ decay, from, to, snapshots }: Candidate): string {
  return decay === null
    ? strings.sweep.window(snapshots, from, to)
    : strings.sweep.moving(String(decay), snapshots, to);
}

export function candidateRows(c: Candidate, split: 'train' | 'validation'): TipRow[] {
  const judged = c.score.validation ?? c.score.train;
  const rows: TipRow[] = [
    [strings.sweep.judgedLoss(split), formatWithError(judged.loss, judged.lossStandardError)],
  ];
  if (c.gain !== null) rows.push([strings.sweep.gain, formatWithError(c.gain.value, c.gain.standardError)]);
  if (judged.accuracy !== null)
    rows.push([strings.sweep.accuracy, formatAccuracy(judged.accuracy, judged.accuracyStandardError)]);
  if (c.calibrationError !== null)
    rows.push([strings.sweep.calibration, formatPercent(c.calibrationError, 1)]);
  if (c.score.validation !== null)
    rows.push([strings.sweep.judgedLoss('train'), formatNumber(c.score.train.loss)]);
  return rows;
}

/** So many indices of 0..count−1, evenly spread, both ends among them. */
function labelled(count: number, most: number): number[] {
  const wanted = Math.min(count, most);
  return Array.from({ length: wanted }, (_, k) => Math.round((k * (count - 1)) / Math.max(1, wanted - 1)));
}

function describeSweep(result: SweepResult): string {
  const { best } = result;
  return [
    strings.sweep.describe(result.windows.length),
    ...(best === null
      ? []
      : [
          strings.sweep.describeBest(
            formatNumber(judgedLoss(best)),
            candidateName(best),
            formatNumber(judgedLoss({ score: result.last })),
          ),
        ]),
  ].join(' ');
}

export function sweepTable(result: SweepResult): TableData {
  const { split } = result.data;
  return {
    caption: strings.sweep.map,
    columns: [
      strings.sweep.average,
      strings.sweep.judgedLoss(split),
      strings.sweep.gain,
      strings.sweep.accuracy,
      strings.sweep.calibration,
      strings.sweep.judgedLoss('train'),
    ],
    rows: [...result.moving, ...result.windows].map((c) => {
      const cells = new Map(candidateRows(c, split));
      return [
        candidateName(c),
        formatNumber(judgedLoss(c)),
        cells.get(strings.sweep.gain) ?? '–',
        cells.get(strings.sweep.accuracy) ?? '–',
        cells.get(strings.sweep.calibration) ?? '–',
        formatNumber(c.score.train.loss),
      ];
    }),
  };
}

export function sweepCsv(result: SweepResult): string {
  return csv(
    [
      'from',
      'to',
      'snapshots',
      'decay',
      'train_loss',
      'train_accuracy',
      'validation_loss',
      'validation_accuracy',
      'calibration_error',
      'gain',
      'gain_standard_error',
    ],
    [...result.windows, ...result.moving].map(
      ({ from, to, snapshots, decay, score, calibrationError, gain }) => [
        from,
        to,
        snapshots,
        decay,
        score.train.loss,
        score.train.accuracy,
        score.validation?.loss ?? null,
        score.validation?.accuracy ?? null,
        calibrationError,
        gain?.value ?? null,
        gain?.standardError ?? null,
      ],
    ),
  );
}
