/** The noise of minibatch gradients, asked at a model, and its scale as it was measured while the run trained. */
import { noiseDefaults } from '../src/protocol/noise.ts';
import type { NoiseResult } from '../src/protocol/noise.ts';
import { h } from './dom.ts';
import type { Child } from './dom.ts';
import { formatNumber } from './format.ts';
import { reference } from './lens.ts';
import type { PanelActions } from './lens.ts';
import { modelName } from './lineChart.ts';
import { alongCurvatureDrawing, noiseCsv, noiseDrawing, noiseTables } from './noiseChart.ts';
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
      summary,
      parts: [
        {
          id: 'noise',
          title: words.rankTitle,
          draw: noiseDrawing,
          tables: noiseTables,
          csv: noiseCsv,
        },
        {
          id: 'noise-curvature',
          title: words.alongTitle,
          has: ({ hessian }) => hessian !== null,
          draw: alongCurvatureDrawing,
          tables: (result) => noiseTables(result).slice(-1),
          csv: noiseCsv,
        },
      ],
    },
    actions,
    { titled: true },
  );
}

function summary({ scale, rank, batchSizes }: NoiseResult): Child[] {
  const [low, high] = scale.interval;
  return [
    h(
      'div',
      { class: 'figure' },
      h(
        'div',
        { class: 'figure-number' },
        h('span', { class: 'figure-name' }, words.scaleInSamples),
        formatNumber(scale.value, 3),
      ),
      h(
        'div',
        { class: 'figure-words' },
        h('strong', {}, words.directionsOf(rank.directions, rank.parameters)),
        h(
          'span',
          { class: 'note' },
          words.between(
            formatNumber(low, 2),
            high === null ? '∞' : formatNumber(high, 2),
            batchSizes[0] ?? 0,
          ),
        ),
      ),
    ),
  ];
}
