/** The noise of minibatch gradients: its directions, and what of it lies along the curvature. */
import type { NoiseResult } from '../../src/protocol/noise.ts';
import { h } from '../dom.ts';
import type { Child } from '../dom.ts';
import type { FigureSpec } from '../figure.ts';
import { formatNumber } from '../format.ts';
import { alongCurvatureDrawing, noiseCsv, noiseDrawing, noiseTables } from '../noiseChart.ts';
import { strings } from '../strings.ts';

const words = strings.noise;

export const noiseFigure: FigureSpec<NoiseResult> = {
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
};

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
