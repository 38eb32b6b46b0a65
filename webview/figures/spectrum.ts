/** The density of a matrix's eigenvalues, the extreme ones, the trace, and layer by layer. */
import type { SpectrumResult } from '../../src/protocol/curvature.ts';
import { table } from '../dataTable.ts';
import { h } from '../dom.ts';
import type { Child } from '../dom.ts';
import type { FigureSpec } from '../figure.ts';
import { formatCount, formatNumber, formatWithError } from '../format.ts';
import { modelName } from '../lineChart.ts';
import {
  blockCsv,
  blockTable,
  densityCsv,
  densityDrawing,
  densityTable,
  eigenvalueTable,
  layersDrawing,
  wholeOf,
} from '../spectrumChart.ts';
import { strings } from '../strings.ts';

const words = strings.spectrum;

/** @param counterpart a spectrum of the other matrix at the same model, to be drawn beside */
export function spectrumFigure(
  counterpart: (result: SpectrumResult) => SpectrumResult | null,
): FigureSpec<SpectrumResult> {
  return {
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
  };
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
