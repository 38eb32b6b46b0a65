/** Models side by side by loss, accuracy and calibration error, each with its standard error. */
import type { Score } from '../src/protocol/results.ts';
import { scaledAxis } from './axes.ts';
import type { Drawing, Size } from './chart.ts';
import { csv } from './dataTable.ts';
import type { TableData } from './dataTable.ts';
import type { Option, SeriesOption } from './echarts.ts';
import { formatAccuracy, formatPercent, formatWithError } from './format.ts';
import { besideNames, dots, grids, itemTooltip, namesAxis, span, usualRoom, whiskers } from './plots.ts';
import { strings } from './strings.ts';
import type { Theme } from './theme.ts';
import { tip } from './tip.ts';

const words = strings.scores;

/** A model and what it is worth on the samples that judge. */
export interface ScoredModel {
  readonly name: string;
  readonly train: Score;
  readonly validation: Score | null;
  readonly calibrationError: number | null;
  /** Mean of the largest predicted probability where it is right, and where it is wrong. */
  readonly doubt: { readonly right: number | null; readonly wrong: number | null } | null;
}

const judged = ({ train, validation }: ScoredModel): Score => validation ?? train;

interface Column {
  readonly name: string;
  /** Where there is no room for the name. */
  readonly short: string;
  readonly value: (model: ScoredModel) => number | null;
  readonly error: (model: ScoredModel) => number | null;
  readonly percent: boolean;
}

const columnsOf = (models: readonly ScoredModel[]): Column[] => {
  const validated = models.some(({ validation }) => validation !== null);
  const all: Column[] = [
    {
      name: validated ? strings.validationLoss : strings.trainLoss,
      short: validated ? words.short.validationLoss : words.short.trainLoss,
      value: (m) => judged(m).loss,
      error: (m) => judged(m).lossStandardError,
      percent: false,
    },
    {
      name: validated ? strings.validationAccuracy : strings.trainAccuracy,
      short: validated ? words.short.validationAccuracy : words.short.trainAccuracy,
      value: (m) => judged(m).accuracy,
      error: (m) => judged(m).accuracyStandardError,
      percent: true,
    },
    {
      name: words.calibration,
      short: words.short.calibration,
      value: (m) => m.calibrationError,
      error: () => null,
      percent: true,
    },
  ];
  return all.filter(({ value }) => models.some((model) => value(model) !== null));
};

export function scoresDrawing(models: readonly ScoredModel[], theme: Theme, size: Size): Drawing {
  const columns = columnsOf(models);
  const names = models.map(({ name }) => name);
  const room = { ...usualRoom(size), top: 14, gap: 26 };
  const frames = besideNames(size, names, columns.length, room);
  const width = frames[0]?.width ?? 0;
  const ends = (column: Column): (number | null)[] =>
    models.flatMap((model) => {
      const [value, error] = [column.value(model), column.error(model) ?? 0];
      return value === null ? [] : [value - error, value + error];
    });
  const axes = columns.map((column) => scaledAxis(ends(column), 'linear', width / 70));
  const unit = scaledAxis([0, 1], 'linear', 4);
  const option: Option = {
    grid: grids(frames),
    xAxis: columns.map(({ name, short, percent }, gridIndex) => {
      const base = axes[gridIndex]?.option as { axisLabel: object } | undefined;
      return {
        gridIndex,
        ...base,
        axisLine: { onZero: false },
        name: width < 140 ? short : name,
        nameLocation: 'middle',
        nameGap: 26,
        axisLabel: {
          ...base?.axisLabel,
          hideOverlap: true,
          ...(percent ? { formatter: (x: number) => formatPercent(x, 1) } : {}),
        },
      };
    }),
    yAxis: columns.map((_, k) => namesAxis(k, names, k === 0)),
    tooltip: {
      ...itemTooltip,
      formatter: (params) => {
        const item = Array.isArray(params) ? params[0] : params;
        const model = models[item?.dataIndex ?? -1];
        return model === undefined ? '' : tip(model.name, modelRows(model));
      },
    },
    series: columns.flatMap((column, k): SeriesOption[] => [
      whiskers(
        `errors-${k}`,
        k,
        models.flatMap((model, row) =>
          span(row, column.value(model), column.error(model), axes[k] ?? unit, 'across'),
        ),
        theme.loss,
      ),
      dots(
        `values-${k}`,
        '',
        k,
        models.map((model, row) => [axes[k]?.to(column.value(model)) ?? null, row]),
        theme.loss,
        { theme, size: 10 },
      ),
    ]),
  };
  return {
    option,
    description: models
      .map(
        (model) =>
          `${model.name}: ${modelRows(model)
            .map(([name, value]) => `${name} ${value}`)
            .join(', ')}`,
      )
      .join('. '),
  };
}

function modelRows(model: ScoredModel): [string, string][] {
  const { loss, lossStandardError, accuracy, accuracyStandardError } = judged(model);
  return [
    [
      model.validation === null ? strings.trainLoss : strings.validationLoss,
      formatWithError(loss, lossStandardError),
    ],
    ...(accuracy === null
      ? []
      : [[strings.accuracy, formatAccuracy(accuracy, accuracyStandardError)] as [string, string]]),
    ...(model.calibrationError === null
      ? []
      : [[words.calibration, formatPercent(model.calibrationError, 1)] as [string, string]]),
  ];
}

export function scoresTable(models: readonly ScoredModel[], caption: string): TableData {
  return {
    caption,
    columns: [
      strings.score.model,
      strings.trainLoss,
      strings.validationLoss,
      strings.trainAccuracy,
      strings.validationAccuracy,
      words.calibration,
      words.sureRight,
      words.sureWrong,
    ],
    rows: models.map(({ name, train, validation, calibrationError, doubt }) => [
      name,
      formatWithError(train.loss, train.lossStandardError),
      validation === null ? '–' : formatWithError(validation.loss, validation.lossStandardError),
      formatAccuracy(train.accuracy, train.accuracyStandardError),
      validation === null ? '–' : formatAccuracy(validation.accuracy, validation.accuracyStandardError),
      formatPercent(calibrationError, 1),
      formatPercent(doubt?.right, 1),
      formatPercent(doubt?.wrong, 1),
    ]),
  };
}

export function scoresCsv(models: readonly ScoredModel[]): string {
  return csv(
    [
      'model',
      'split',
      'loss',
      'lossStandardError',
      'accuracy',
      'accuracyStandardError',
      'samples',
      'calibrationError',
      'sureWhereRight',
      'sureWhereWrong',
    ],
    models.flatMap(({ name, train, validation, calibrationError, doubt }) =>
      (
        [
          ['train', train],
          ['validation', validation],
        ] as const
      ).flatMap(([split, score]) =>
        score === null
          ? []
          : [
              [
                name,
                split,
                score.loss,
                score.lossStandardError,
                score.accuracy,
                score.accuracyStandardError,
                score.samples,
                // They were measured on the samples that judge.
                ...(score === (validation ?? train)
                  ? [calibrationError, doubt?.right ?? null, doubt?.wrong ?? null]
                  : [null, null, null]),
              ],
            ],
      ),
    ),
  );
}
