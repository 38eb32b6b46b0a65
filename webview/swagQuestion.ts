/** SWAG: what the mean prediction of models drawn around the average is worth, and how sure of itself it is. */
import { swagDefaults } from '../src/protocol/averaging.ts';
import { swagFigure } from './figures/swag.ts';
import type { PanelActions } from './lens.ts';
import { Question } from './question.ts';
import { strings } from './strings.ts';

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
      ...swagFigure,
    },
    actions,
    { titled: true },
  );
}
