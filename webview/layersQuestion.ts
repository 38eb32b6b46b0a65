/** How each layer learns along the run, from the run's own files. */
import { dropdown } from './controls.ts';
import { h } from './dom.ts';
import { layersFigure } from './figures/layers.ts';
import type { PanelActions } from './lens.ts';
import type { LayerQuantity } from './layersChart.ts';
import { Question } from './question.ts';
import { strings } from './strings.ts';

const words = strings.layers;

export function layersQuestion(actions: PanelActions): Question<'layers'> {
  const quantity = dropdown(
    words.quantity,
    Object.entries(words.quantities).map(([value, label]) => ({ value, label })),
    actions.recall('layers') ?? 'updateRatio',
    (value) => {
      actions.remember('layers', value);
      question.refresh();
    },
  );
  const question: Question<'layers'> = new Question(
    {
      kind: 'layers',
      title: words.title,
      ask: words.ask,
      empty: words.empty,
      options: {},
      job: () => ({}),
      name: ({ from, to }) => words.name(from, to),
      tools: { 'layers-heat': h('div', { class: 'toolbar' }, quantity.element) },
      ...layersFigure(() => quantity.value as LayerQuantity),
    },
    actions,
    { titled: true },
  );
  return question;
}
