/** The noise of minibatch gradients, asked at a model, and its scale as it was measured while the run trained. */
import { noiseDefaults } from '../src/protocol/noise.ts';
import { noiseFigure } from './figures/noise.ts';
import { reference } from './lens.ts';
import type { PanelActions } from './lens.ts';
import { modelName } from './lineChart.ts';
import { Question } from './question.ts';
import { strings } from './strings.ts';

const words = strings.noise;

export function noiseQuestion(actions: PanelActions): Question<'noise'> {
  return new Question(
    {
      kind: 'noise',
      title: words.title,
      ask: words.ask,
      empty: words.empty,
      options: {
        at: { type: 'model', label: strings.atLabel },
        batches: {
          type: 'number',
          label: words.batchesLabel,
          value: noiseDefaults.batches,
          min: 4,
          max: 1024,
        },
        top: { type: 'number', label: words.top, value: noiseDefaults.top, min: 0, max: 20 },
      },
      job: ({ at = 'last', batches, top }) => ({
        at: reference(at),
        batches: Number(batches),
        top: Number(top),
      }),
      name: ({ at, batches }) => words.name(modelName(at), batches),
      ...noiseFigure,
    },
    actions,
    { titled: true },
  );
}
