/** SWAG's mean prediction beside the average and the last snapshot, and whether its uncertainty tells the wrong answers. */
import type { SwagResult } from '../../src/protocol/averaging.ts';
import { table } from '../dataTable.ts';
import { h } from '../dom.ts';
import type { FigureSpec } from '../figure.ts';
import { formatNumber } from '../format.ts';
import { scoresCsv, scoresDrawing, scoresTable } from '../scoresChart.ts';
import type { ScoredModel } from '../scoresChart.ts';
import { english } from '../strings.en.ts';
import { strings } from '../strings.ts';
import { uncertaintyCsv, uncertaintyDrawing, uncertaintyTables } from '../uncertaintyChart.ts';

const words = strings.swag;

export const swagFigure: FigureSpec<SwagResult> = {
  summary: (result) => [
    table(scoresTable(modelsOf(result), words.table)),
    h(
      'p',
      { class: 'note' },
      words.variance(
        formatNumber(result.variance.diagonal, 3),
        formatNumber(result.variance.lowRank, 3),
        result.forwardPasses,
      ),
    ),
  ],
  parts: [
    {
      id: 'scores',
      draw: (result, theme, size) => scoresDrawing(modelsOf(result), theme, size),
      tables: (result) => [scoresTable(modelsOf(result), words.numbers)],
      csv: (result) => scoresCsv(modelsOf(result, english)),
    },
    {
      id: 'uncertainty',
      title: strings.uncertainty.title,
      has: ({ uncertainty }) => (uncertainty?.kept?.length ?? 0) > 0,
      draw: ({ uncertainty }, theme, size) => uncertaintyDrawing(uncertainty, theme, size),
      tables: ({ uncertainty }) => uncertaintyTables(uncertainty),
      csv: ({ uncertainty }) => uncertaintyCsv(uncertainty),
    },
  ],
};

function modelsOf({ baseline, average, score, members, draws }: SwagResult, said = strings): ScoredModel[] {
  return [
    { ...baseline, name: said.score.lastSnapshot(baseline.step) },
    { ...average, name: said.score.average(members.length) },
    { ...score, name: said.swag.model(draws) },
  ];
}
