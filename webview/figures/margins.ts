/** The margins of training and held-out samples, and the gap between them. */
import type { Estimated, MarginsResult } from '../../src/protocol/generalisation.ts';
import { table } from '../dataTable.ts';
import { h } from '../dom.ts';
import type { Child } from '../dom.ts';
import type { FigureSpec } from '../figure.ts';
import { formatAccuracy, formatWithError } from '../format.ts';
import { marginsCsv, marginsDrawing, marginsTables } from '../marginsChart.ts';
import { strings } from '../strings.ts';

export const marginsFigure: FigureSpec<MarginsResult> = {
  summary: gapSummary,
  parts: [{ id: 'margins', draw: marginsDrawing, tables: marginsTables, csv: marginsCsv }],
};

function gapSummary({ train, validation, gap, reason }: MarginsResult): Child[] {
  const words = strings.margins;
  const loss = ({ value, standardError }: Estimated): string => formatWithError(value, standardError);
  const accuracy = ({ value, standardError }: Estimated): string => formatAccuracy(value, standardError);
  return [
    table({
      caption: words.gapCaption,
      columns: ['', strings.split.train, strings.split.validation, words.gap],
      rows: [
        [
          strings.loss,
          loss(train.loss),
          validation === null ? '–' : loss(validation.loss),
          gap === null ? '–' : loss(gap.loss),
        ],
        [
          strings.accuracy,
          accuracy(train.accuracy),
          validation === null ? '–' : accuracy(validation.accuracy),
          gap === null ? '–' : accuracy(gap.accuracy),
        ],
      ],
    }),
    reason === null ? null : h('p', { class: 'note', lang: 'en' }, reason),
  ];
}
