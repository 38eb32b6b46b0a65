/** The history of λ₁ against the optimizer's bound. */
import type { StabilityResult } from '../../src/protocol/curvature.ts';
import { h } from '../dom.ts';
import type { Child } from '../dom.ts';
import type { FigureSpec } from '../figure.ts';
import { formatNumber, formatPercent } from '../format.ts';
import { stabilityCsv, stabilityDrawing, stabilityTable } from '../stabilityChart.ts';
import { strings } from '../strings.ts';

const words = strings.stability;

export const stabilityFigure: FigureSpec<StabilityResult> = {
  summary,
  parts: [
    {
      id: 'stability',
      draw: stabilityDrawing,
      tables: (result) => [stabilityTable(result)],
      csv: stabilityCsv,
    },
  ],
};

function summary({ points, preconditioned, withoutPreconditioned }: StabilityResult): Child[] {
  const shown = preconditioned ?? points.at(-1);
  if (shown === undefined) return [];
  return [
    h(
      'div',
      { class: 'figure' },
      h(
        'div',
        { class: 'figure-number' },
        h('span', { class: 'figure-name' }, words.ratio),
        shown.ratio === null ? '–' : formatPercent(shown.ratio),
      ),
      h(
        'div',
        { class: 'figure-words' },
        h('strong', { class: `verdict verdict-${shown.verdict}` }, strings.verdict[shown.verdict]),
        h(
          'span',
          { class: 'note' },
          preconditioned === null
            ? strings.step(shown.step)
            : `${words.preconditioned} ${formatNumber(preconditioned.lambda1, 3)} · ${preconditioned.formula} ${formatNumber(preconditioned.bound, 3)} · ${strings.step(preconditioned.step)}`,
        ),
      ),
    ),
    withoutPreconditioned === null ? null : h('p', { class: 'note' }, withoutPreconditioned),
  ];
}
