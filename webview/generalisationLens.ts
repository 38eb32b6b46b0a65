/** What a model makes of samples it has not seen: calibration, margins, and the gap to the training samples. */
import { calibrationFigure } from './figures/calibration.ts';
import { marginsFigure } from './figures/margins.ts';
import { reference } from './lens.ts';
import type { PanelActions } from './lens.ts';
import { modelName } from './lineChart.ts';
import { Question, QuestionsLens } from './question.ts';
import { strings } from './strings.ts';

export function generalisationLens(actions: PanelActions): QuestionsLens {
  return new QuestionsLens([calibrationQuestion(actions), marginsQuestion(actions)]);
}

function calibrationQuestion(actions: PanelActions): Question<'calibration'> {
  const words = strings.calibration;
  return new Question(
    {
      kind: 'calibration',
      title: words.title,
      ask: words.ask,
      empty: strings.empty.calibration,
      options: {
        at: { type: 'model', label: strings.atLabel },
        split: {
          type: 'choice',
          label: strings.dataLabel,
          value: 'own',
          // Held-out samples where there are any, as the job chooses by itself.
          choices: [
            { value: 'own', label: words.heldOut },
            { value: 'train', label: strings.splitChoice.train },
            { value: 'validation', label: strings.splitChoice.validation },
          ],
        },
        bins: { type: 'number', label: words.bins, value: 15, min: 2, max: 100 },
        binning: {
          type: 'choice',
          label: words.binning,
          value: 'width',
          choices: [
            { value: 'width', label: words.ofEqual.width },
            { value: 'mass', label: words.ofEqual.mass },
          ],
        },
      },
      job: ({ at = 'last', split, bins, binning }) => ({
        at: reference(at),
        bins: Number(bins),
        binning: binning === 'mass' ? 'mass' : 'width',
        ...(split === 'train' || split === 'validation' ? { split } : {}),
      }),
      name: ({ at, data }) => `${modelName(at)}, ${strings.split[data.split]}`,
      ...calibrationFigure,
    },
    actions,
    { titled: true },
  );
}

function marginsQuestion(actions: PanelActions): Question<'margins'> {
  const words = strings.margins;
  return new Question(
    {
      kind: 'margins',
      title: words.title,
      ask: words.ask,
      empty: strings.empty.margins,
      options: { at: { type: 'model', label: strings.atLabel } },
      job: ({ at = 'last' }) => ({ at: reference(at) }),
      name: ({ at }) => modelName(at),
      ...marginsFigure,
    },
    actions,
    { titled: true },
  );
}
