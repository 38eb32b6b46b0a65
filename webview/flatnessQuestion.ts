/** How the loss rises around a model, by the measures of five papers, each held against a rescaled twin. */
import { flatnessDefaults, flatnessMeasureNames } from '../src/protocol/flatness.ts';
import { flatnessFigure } from './figures/flatness.ts';
import { reference } from './lens.ts';
import type { PanelActions } from './lens.ts';
import { modelName } from './lineChart.ts';
import { Question } from './question.ts';
import { strings } from './strings.ts';

const words = strings.flatness;

export function flatnessQuestion(actions: PanelActions): Question<'flatness'> {
  const number = (label: string, value: number, max: number) =>
    ({ type: 'number', label, value, min: 0, max, whole: false }) as const;
  return new Question(
    {
      kind: 'flatness',
      title: words.title,
      ask: words.ask,
      empty: strings.empty.flatness,
      options: {
        at: { type: 'model', label: strings.atLabel },
        measure: {
          type: 'choice',
          label: words.measure,
          value: 'all',
          choices: [
            { value: 'all', label: words.all },
            ...flatnessMeasureNames.map((name) => ({ value: name, label: words.measures[name] })),
          ],
        },
        epsilon: number('ε', flatnessDefaults.epsilon, 1),
        samRho: number(words.setting.samRho, flatnessDefaults.samRho, 100),
        asamRho: number(words.setting.asamRho, flatnessDefaults.asamRho, 100),
        sigma: number('σ', flatnessDefaults.sigma, 10),
        repeats: {
          type: 'number',
          label: words.setting.repeats,
          value: flatnessDefaults.repeats,
          min: 2,
          max: 1000,
        },
        twin: { type: 'switch', label: words.withTwin, value: true },
      },
      job: ({ at = 'last', measure, epsilon, samRho, asamRho, sigma, repeats, twin }) => ({
        at: reference(at),
        epsilon: Number(epsilon),
        samRho: Number(samRho),
        asamRho: Number(asamRho),
        sigma: Number(sigma),
        repeats: Number(repeats),
        twin: twin === 'true',
        ...chosen(measure),
      }),
      name: ({ at, measures }) =>
        `${modelName(at)}, ${measures.length === 1 ? measures[0]?.name : words.count(measures.length)}`,
      ...flatnessFigure,
    },
    actions,
    { titled: true },
  );
}

function chosen(measure: string | undefined): {
  measures?: readonly [(typeof flatnessMeasureNames)[number]];
} {
  const name = flatnessMeasureNames.find((one) => one === measure);
  return name === undefined ? {} : { measures: [name] };
}
