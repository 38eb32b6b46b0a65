/** Ensembles and soups that were built, each with its pictures. */
import type { PointResult } from '../src/protocol/points.ts';
import type { SoupResult } from '../src/protocol/soups.ts';
import type { TableData } from './dataTable.ts';
import { h } from './dom.ts';
import {
  byCountCsv,
  byCountDrawing,
  diversityDrawing,
  ensembleTables,
  hasCounts,
  hasPairs,
  pairsCsv,
} from './ensembleChart.ts';
import { formatNumber, formatWithError } from './format.ts';
import { KeptFigure } from './keptFigure.ts';
import type { PanelActions } from './lens.ts';
import { modelName } from './lineChart.ts';
import { scoresCsv, scoresDrawing, scoresTable } from './scoresChart.ts';
import type { ScoredModel } from './scoresChart.ts';
import { soupModels } from './soupModels.ts';
import { strings } from './strings.ts';

export function ensembleFigure(actions: PanelActions): KeptFigure<'ensemble'> {
  const words = strings.ensemble;
  return new KeptFigure(
    'ensemble',
    words.title,
    {
      name: ({ model, members }) => words.name(model, members.length),
      parts: [
        {
          id: 'ensemble-count',
          title: words.byCount,
          has: hasCounts,
          draw: byCountDrawing,
          tables: (result) => ensembleTables(result).slice(0, 1),
          csv: byCountCsv,
        },
        {
          id: 'ensemble-diversity',
          title: words.diversity,
          has: hasPairs,
          draw: diversityDrawing,
          tables: (result) => ensembleTables(result).slice(1),
          csv: pairsCsv,
        },
      ],
    },
    actions,
  );
}

export function soupFigure(actions: PanelActions): KeptFigure<'soup'> {
  const words = strings.soup;
  return new KeptFigure(
    'soup',
    words.title,
    {
      name: ({ method, candidates }) => words.name(method, candidates.length),
      summary: ({ expectedGain, verdict }) => [
        h(
          'p',
          {},
          h('strong', {}, words.verdict[verdict]),
          expectedGain === null
            ? ''
            : ` · ${words.gain(formatWithError(expectedGain.value, expectedGain.standardError))}`,
        ),
      ],
      parts: [
        {
          id: 'soup',
          draw: (result, theme, size) => scoresDrawing(soupModels(result), theme, size),
          tables: (result) => [scoresTable(soupModels(result), words.table), decisions(result)],
          csv: (result) => scoresCsv(soupModels(result)),
        },
      ],
    },
    actions,
  );
}

export function pointFigure(actions: PanelActions): KeptFigure<'point'> {
  const words = strings.picked;
  return new KeptFigure(
    'point',
    words.title,
    {
      name: ({ x, y, at }) => words.name(formatNumber(x, 3), formatNumber(y, 3), modelName(at)),
      parts: [
        {
          id: 'point',
          draw: (result, theme, size) => scoresDrawing(pointModels(result), theme, size),
          tables: (result) => [scoresTable(pointModels(result), words.table)],
          csv: (result) => scoresCsv(pointModels(result)),
        },
      ],
    },
    actions,
  );
}

function pointModels({ model, score, baseline }: PointResult): ScoredModel[] {
  const plain = { calibrationError: null, doubt: null };
  return [
    { ...score, ...plain, name: strings.picked.point(model) },
    { ...baseline, ...plain, name: strings.score.lastSnapshot(baseline.step) },
  ];
}

function decisions(result: SoupResult): TableData {
  const words = strings.soup;
  return {
    caption: words.decisions,
    columns: [words.candidate, words.before, words.after, words.added],
    rows: result.decisions.map((d) => [
      modelName(d.candidate),
      formatNumber(d.before),
      formatNumber(d.after),
      d.added ? words.yes : words.no,
    ]),
  };
}
