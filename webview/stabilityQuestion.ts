/** The history of λ₁ against the optimizer's bound, and the preconditioned λ₁ where the process can tell it. */
import type { StabilityResult } from '../src/protocol/curvature.ts';
import { h } from './dom.ts';
import type { Child } from './dom.ts';
import { formatNumber, formatPercent } from './format.ts';
import type { PanelActions } from './lens.ts';
import { Question } from './question.ts';
import { stabilityCsv, stabilityDrawing, stabilityTable } from './stabilityChart.ts';
import { strings } from './strings.ts';

const words = strings.stability;

export function stabilityQuestion(actions: PanelActions): Question<'stability'> {
  return new Question(
    {
      kind: 'stability',
      title: words.title,
      ask: words.ask,
      empty: strings.empty.stability,
      options: {
        snapshots: { type: 'number', label: words.snapshots, value: 10, min: 1, max: 1000 },
        live: { type: 'switch', label: words.live, value: false },
      },
      job: ({ snapshots, live }) => ({
        snapshots: Number(snapshots),
        ...(live === 'true' ? { live: true } : {}),
      }),
      name: ({ points }) => words.name(points.length),
      summary,
      parts: [
        {
          id: 'stability',
          draw: stabilityDrawing,
          tables: (result) => [stabilityTable(result)],
          csv: stabilityCsv,
        },
      ],
    },
    actions,
    { titled: true },
  );
}

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
