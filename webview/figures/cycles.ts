/** Whether updates repeat: the autocorrelation with the epoch marked, and the spectrum. */
import type { CyclesResult } from '../../src/protocol/cycles.ts';
import {
  autocorrelationCsv,
  autocorrelationDrawing,
  autocorrelationTable,
  powerCsv,
  powerDrawing,
  powerTable,
} from '../cyclesChart.ts';
import { h } from '../dom.ts';
import type { FigureSpec } from '../figure.ts';
import { formatNumber } from '../format.ts';
import { strings } from '../strings.ts';

const words = strings.cycles;

export const cyclesFigure: FigureSpec<CyclesResult> = {
  summary: ({ verdict, exponent }) => [
    h(
      'div',
      { class: 'figure-words' },
      h('strong', {}, words.verdict[verdict]),
      exponent === null ? null : h('span', { class: 'note' }, words.exponent(formatNumber(exponent, 2))),
    ),
  ],
  parts: [
    {
      id: 'autocorrelation',
      title: words.autocorrelationTitle,
      draw: autocorrelationDrawing,
      tables: (result) => [autocorrelationTable(result)],
      csv: autocorrelationCsv,
    },
    {
      id: 'power',
      title: words.spectrumTitle,
      has: ({ spectrum }) => spectrum.frequency.length > 1,
      draw: powerDrawing,
      tables: (result) => [powerTable(result)],
      csv: powerCsv,
    },
  ],
};
