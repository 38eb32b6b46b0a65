/** The history of λ₁ against the optimizer's bound, and the preconditioned λ₁ where the process can tell it. */
import { stabilityFigure } from './figures/stability.ts';
import type { PanelActions } from './lens.ts';
import { Question } from './question.ts';
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
      ...stabilityFigure,
    },
    actions,
    { titled: true },
  );
}
