/** A point of a plane that became a model, beside the last snapshot. */
import type { PointResult } from '../../src/protocol/points.ts';
import type { FigureSpec } from '../figure.ts';
import { scoresCsv, scoresDrawing, scoresTable } from '../scoresChart.ts';
import type { ScoredModel } from '../scoresChart.ts';
import { english } from '../strings.en.ts';
import { strings } from '../strings.ts';

const words = strings.picked;

export const pointFigure: FigureSpec<PointResult> = {
  parts: [
    {
      id: 'point',
      draw: (result, theme, size) => scoresDrawing(pointModels(result), theme, size),
      tables: (result) => [scoresTable(pointModels(result), words.table)],
      csv: (result) => scoresCsv(pointModels(result, english)),
    },
  ],
};

function pointModels({ model, score, baseline }: PointResult, said = strings): ScoredModel[] {
  const plain = { calibrationError: null, doubt: null };
  return [
    { ...score, ...plain, name: said.picked.point(model) },
    { ...baseline, ...plain, name: said.score.lastSnapshot(baseline.step) },
  ];
}
