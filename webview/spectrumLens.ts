/** The spectrum of the Hessian or of the Gauss–Newton matrix: its density, extreme eigenvalues, trace, layer by layer. */
import type { SpectrumResult } from '../src/protocol/curvature.ts';
import { table } from './dataTable.ts';
import { h } from './dom.ts';
import type { Child } from './dom.ts';
import { formatCount, formatNumber, formatWithError } from './format.ts';
import { reference } from './lens.ts';
import type { PanelActions } from './lens.ts';
import { modelName } from './lineChart.ts';
import { Question } from './question.ts';
import {
  blockCsv,
  blockTable,
  densityCsv,
  densityDrawing,
  densityTable,
  eigenvalueTable,
  layersDrawing,
  wholeOf,
} from './spectrumChart.ts';
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
      summary,
      parts: [
        {
          id: 'density',
          title: words.densityTitle,
          has: (result) => wholeOf(result)?.density != null,
          draw: (result, theme, size) => densityDrawing(result, counterpart(result), theme, size),
          tables: (result) => {
            const density = wholeOf(result)?.density;
            return density ? [densityTable(density)] : [];
          },
          csv: densityCsv,
        },
        {
          id: 'layers',
          title: words.layersTitle,
          has: ({ blocks }) => blocks.length > 1,
          draw: layersDrawing,
          tables: (result) => [blockTable(result)],
          csv: blockCsv,
        },
      ],
    },
    actions,
  );
}

function summary(result: SpectrumResult): Child[] {
  const whole = wholeOf(result);
  if (whole === undefined) return [];
  const { largest, trace } = whole;
  const facts = [
    modelName(result.at),
    words.matrices[result.matrix],
    words.parameters(formatCount(whole.dimension)),
    result.method === 'exact' ? words.exact : words.finiteDifferences,
    words.products(formatCount(result.products)),
  ];
  const eigenvalues = eigenvalueTable(result);
  return [
    h(
      'div',
      { class: 'figure' },
      largest === null
        ? null
        : h(
            'div',
            { class: 'figure-number' },
            h('span', { class: 'figure-name' }, strings.lambda1),
            formatNumber(largest.values[0]),
          ),
      trace === null
        ? null
        : h(
            'div',
            { class: 'figure-number' },
            h('span', { class: 'figure-name' }, words.trace),
            formatWithError(trace.value, trace.standardError),
          ),
      h('div', { class: 'figure-words' }, h('span', { class: 'note' }, facts.join(' · '))),
    ),
    eigenvalues.rows.length === 0 ? null : table(eigenvalues),
  ];
}
