/** A soup beside its candidates, and what was decided of each. */
import type { SoupResult } from '../../src/protocol/soups.ts';
import type { TableData } from '../dataTable.ts';
import { h } from '../dom.ts';
import type { FigureSpec } from '../figure.ts';
import { formatNumber, formatWithError } from '../format.ts';
import { modelName } from '../lineChart.ts';
import { scoresCsv, scoresDrawing, scoresTable } from '../scoresChart.ts';
import { soupModels } from '../soupModels.ts';
import { english } from '../strings.en.ts';
import { strings } from '../strings.ts';

const words = strings.soup;

export const soupFigure: FigureSpec<SoupResult> = {
  summary: ({ expectedGain, verdict }) => [
    h(
      'p',
      {},
      h('strong', {}, words.verdict[verdict]),
      expectedGain === null
        ? ''
        : ` · ${words.gain(formatWithError(expectedGain.value, expectedGain.standardError))}`,
    ),
  ],
  parts: [
    {
      id: 'soup',
      draw: (result, theme, size) => scoresDrawing(soupModels(result), theme, size),
      tables: (result) => [scoresTable(soupModels(result), words.table), decisions(result)],
      csv: (result) => scoresCsv(soupModels(result, english)),
    },
  ],
};

function decisions(result: SoupResult): TableData {
  return {
    caption: words.decisions,
    columns: [words.candidate, words.before, words.after, words.added],
    rows: result.decisions.map((d) => [
      modelName(d.candidate),
      formatNumber(d.before),
      formatNumber(d.after),
      d.added ? words.yes : words.no,
    ]),
  };
}
