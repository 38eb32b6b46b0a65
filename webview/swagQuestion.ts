/** SWAG: what the mean prediction of models drawn around the average is worth, and how sure of itself it is. */
import { swagDefaults } from '../src/protocol/averaging.ts';
import type { SwagResult } from '../src/protocol/averaging.ts';
import { table } from './dataTable.ts';
import { h } from './dom.ts';
import { formatNumber } from './format.ts';
import type { PanelActions } from './lens.ts';
import { Question } from './question.ts';
import { scoresCsv, scoresDrawing, scoresTable } from './scoresChart.ts';
import type { ScoredModel } from './scoresChart.ts';
import { strings } from './strings.ts';
import { uncertaintyCsv, uncertaintyDrawing, uncertaintyTables } from './uncertaintyChart.ts';

const words = strings.swag;

export function swagQuestion(actions: PanelActions): Question<'swag'> {
  return new Question(
    {
      kind: 'swag',
      title: words.title,
      ask: words.ask,
      empty: strings.empty.swag,
      options: {
        from: { type: 'number', label: words.from, value: 0, min: 0, max: 1e9 },
        rank: { type: 'number', label: words.rank, value: swagDefaults.rank, min: 0, max: 100 },
        draws: { type: 'number', label: words.draws, value: swagDefaults.draws, min: 1, max: 1000 },
        scale: {
          type: 'number',
          label: words.scale,
          value: swagDefaults.scale,
          min: 0,
          max: 10,
          whole: false,
        },
      },
      job: ({ from, rank, draws, scale }) => ({
        rank: Number(rank),
        draws: Number(draws),
        scale: Number(scale),
        // 0 stands for the last quarter of the run, as the job has it by itself.
        ...(Number(from) > 0 ? { from: Number(from) } : {}),
      }),
      name: ({ members, draws }) => words.name(members.length, draws),
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
          csv: (result) => scoresCsv(modelsOf(result)),
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
    },
    actions,
    { titled: true },
  );
}

function modelsOf({ baseline, average, score, members, draws }: SwagResult): ScoredModel[] {
  return [
    { ...baseline, name: strings.score.lastSnapshot(baseline.step) },
    { ...average, name: strings.score.average(members.length) },
    { ...score, name: words.model(draws) },
  ];
}
