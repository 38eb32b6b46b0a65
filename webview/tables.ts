/** What the tables behind the charts and the CSV files hold. */
import type { RunView } from '../src/protocol/page.ts';
import type { ContourResult, LineResult } from '../src/protocol/results.ts';
import type { TableData } from './dataTable.ts';
import { csv } from './dataTable.ts';
import { formatNumber, formatPercent } from './format.ts';
import { liveNumbers } from './optimizer.ts';
import { liveNoiseTable } from './noiseChart.ts';
import { comparedTable } from './comparedModels.ts';
import { strings } from './strings.ts';

export function contourTables(result: ContourResult): TableData[] {
  const path = (caption: string, points: ContourResult['trajectory']): TableData => ({
    caption,
    columns: [
      strings.stepAxis,
      'x',
      'y',
      strings.distanceFromPlane,
      strings.evaluatedLoss,
      strings.recordedLoss,
    ],
    rows: points.map((p) => [
      String(p.step),
      formatNumber(p.x),
      formatNumber(p.y),
      formatNumber(p.distance),
      formatNumber(p.evaluated),
      formatNumber(p.loss),
    ]),
  });
  return [
    ...(result.plane.corners === undefined ? [] : [comparedTable(result)]),
    path(strings.tableOf.trajectory, result.trajectory),
    ...(result.paths ?? []).map(({ name, trajectory }) => path(strings.compared.path(name), trajectory)),
    {
      caption: strings.tableOf.grid,
      columns: ['y \\ x', ...result.x.map((x) => formatNumber(x, 3))],
      // Top row first, as in the picture.
      rows: result.y
        .map((y, j) => [
          formatNumber(y, 3),
          ...(result.loss[j] ?? []).map(
            (loss, i) => formatNumber(loss) + (interpolated(result, i, j) ? strings.interpolatedMark : ''),
          ),
        ])
        .reverse(),
    },
  ];
}

const interpolated = ({ interpolation }: ContourResult, i: number, j: number): boolean =>
  interpolation?.evaluated[j]?.[i] === 0;

/** One line a grid point: a form that any tool pivots. Of an adaptive contour also which points were evaluated. */
export function contourCsv(result: ContourResult): string {
  const evaluated = result.interpolation?.evaluated;
  return csv(
    ['x', 'y', 'loss', ...(evaluated === undefined ? [] : ['evaluated'])],
    result.y.flatMap((y, j) =>
      result.x.map((x, i) => [
        x,
        y,
        result.loss[j]?.[i] ?? null,
        ...(evaluated === undefined ? [] : [evaluated[j]?.[i] ?? null]),
      ]),
    ),
  );
}

export function lineTables(result: LineResult): TableData[] {
  const { validation } = result;
  return [
    {
      caption: strings.tableOf.line,
      columns: [
        't',
        strings.trainLoss,
        strings.standardError,
        strings.trainAccuracy,
        strings.validationLoss,
        strings.validationAccuracy,
      ],
      rows: result.t.map((t, k) => [
        formatNumber(t, 3),
        formatNumber(result.loss[k]),
        formatNumber(result.standardError[k], 2),
        formatPercent(result.accuracy?.[k], 1),
        formatNumber(validation?.loss[k]),
        formatPercent(validation?.accuracy?.[k], 1),
      ]),
    },
  ];
}

export function lineCsv(result: LineResult): string {
  const { validation } = result;
  return csv(
    ['t', 'loss', 'standardError', 'accuracy', 'validationLoss', 'validationAccuracy'],
    result.t.map((t, k) => [
      t,
      result.loss[k] ?? null,
      result.standardError[k] ?? null,
      result.accuracy?.[k] ?? null,
      validation?.loss[k] ?? null,
      validation?.accuracy?.[k] ?? null,
    ]),
  );
}

export function stepTables({ steps, live }: Pick<RunView, 'steps' | 'live'>): TableData[] {
  const number = (x: unknown): string => formatNumber(x === null ? null : Number(x));
  return [
    {
      caption: strings.tableOf.steps,
      columns: [
        strings.stepAxis,
        strings.epoch,
        strings.loss,
        strings.learningRate,
        strings.gradientNorm,
        strings.updateNorm,
        strings.distanceFromStart,
      ],
      rows: steps.map((s) => [
        String(s.step),
        s.epoch === null ? '–' : String(s.epoch),
        number(s.loss),
        number(s.learningRate),
        number(s.gradientNorm),
        number(s.updateNorm),
        number(s.distance),
      ]),
    },
    ...measuredTables({ live }),
  ];
}

/** What was measured while the run trained. */
export function measuredTables({ live, noise = [] }: Pick<RunView, 'live' | 'noise'>): TableData[] {
  const number = (x: unknown): string => formatNumber(x === null ? null : Number(x));
  return [
    ...(live.length === 0
      ? []
      : [
          {
            caption: strings.tableOf.live,
            columns: [
              strings.stepAxis,
              strings.lambda1,
              strings.bound,
              strings.learningRate,
              strings.residual,
            ],
            rows: live.map((one) => {
              const { lambda1, bound } = liveNumbers(one);
              return [
                String(one.step),
                formatNumber(lambda1),
                formatNumber(bound),
                number(one.learningRate),
                formatPercent(Number(one.residual), 1),
              ];
            }),
          },
        ]),
    ...(noise.length === 0 ? [] : [liveNoiseTable(noise)]),
  ];
}

export function stepCsv({ steps }: Pick<RunView, 'steps'>): string {
  return csv(
    ['step', 'epoch', 'loss', 'learningRate', 'gradientNorm', 'updateNorm', 'distance', 'time'],
    steps.map((s) => [
      s.step,
      s.epoch,
      s.loss,
      s.learningRate,
      s.gradientNorm,
      s.updateNorm,
      s.distance,
      s.time,
    ]),
  );
}
