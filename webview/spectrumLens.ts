/** The spectrum of the Hessian or of the Gauss–Newton matrix: its density, extreme eigenvalues, trace, layer by layer. */
import type { SpectrumResult } from '../src/protocol/curvature.ts';
import { spectrumFigure } from './figures/spectrum.ts';
import { reference } from './lens.ts';
import type { PanelActions } from './lens.ts';
import { modelName } from './lineChart.ts';
import { Question } from './question.ts';
import { wholeOf } from './spectrumChart.ts';
import { strings } from './strings.ts';

const words = strings.spectrum;

export function spectrumQuestion(actions: PanelActions): Question<'spectrum'> {
  let others: readonly SpectrumResult[] = [];
  /** The newest density of the other matrix at the same model, of the same parameters. */
  const counterpart = (result: SpectrumResult): SpectrumResult | null =>
    others.find(
      (one) =>
        one.matrix !== result.matrix &&
        one.at === result.at &&
        wholeOf(one)?.dimension === wholeOf(result)?.dimension &&
        wholeOf(one)?.density !== null,
    ) ?? null;
  return new Question(
    {
      kind: 'spectrum',
      title: words.title,
      ask: words.ask,
      empty: strings.empty.spectrum,
      options: {
        at: { type: 'model', label: strings.atLabel },
        matrix: {
          type: 'choice',
          label: words.matrix,
          value: 'hessian',
          choices: [
            { value: 'hessian', label: words.matrices.hessian },
            { value: 'gauss-newton', label: words.matrices['gauss-newton'] },
          ],
        },
        top: { type: 'number', label: words.top, value: 5, min: 0, max: 20 },
        bottom: { type: 'number', label: words.bottom, value: 1, min: 0, max: 20 },
        trace: { type: 'switch', label: words.trace, value: true },
        density: { type: 'switch', label: words.density, value: true },
        perLayer: { type: 'switch', label: words.perLayer, value: false },
      },
      job: ({ at = 'last', matrix, top, bottom, trace, density, perLayer }) => ({
        at: reference(at),
        matrix: matrix === 'gauss-newton' ? 'gauss-newton' : 'hessian',
        top: Number(top),
        bottom: Number(bottom),
        trace: trace === 'true',
        density: density === 'true',
        perLayer: perLayer === 'true',
      }),
      name: ({ at, matrix, blocks }) =>
        [
          modelName(at),
          words.matrices[matrix],
          ...(blocks.length > 1 ? [words.layers(blocks.length - 1)] : []),
        ].join(', '),
      look: (view) => {
        others = view.results.filter((result) => result.kind === 'spectrum');
      },
      ...spectrumFigure(counterpart),
    },
    actions,
  );
}
