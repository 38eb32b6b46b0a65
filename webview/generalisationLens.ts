/** What a model makes of samples it has not seen: calibration, margins, and the gap to the training samples. */
import type { CalibrationResult, Estimated, MarginsResult } from '../src/protocol/generalisation.ts';
import { reliabilityCsv, reliabilityDrawing, reliabilityTable } from './calibrationChart.ts';
import { table } from './dataTable.ts';
import { h } from './dom.ts';
import type { Child } from './dom.ts';
import { formatAccuracy, formatPercent, formatWithError } from './format.ts';
import { reference } from './lens.ts';
import type { PanelActions } from './lens.ts';
import { modelName } from './lineChart.ts';
import { marginsCsv, marginsDrawing, marginsTables } from './marginsChart.ts';
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
      summary: calibrationSummary,
      parts: [
        {
          id: 'reliability',
          draw: reliabilityDrawing,
          tables: (result) => [reliabilityTable(result)],
          csv: reliabilityCsv,
        },
      ],
    },
    actions,
    { titled: true },
  );
}

function calibrationSummary(result: CalibrationResult): Child[] {
  const words = strings.calibration;
  const { error, standardError, ifCalibrated } = result;
  return [
    h(
      'div',
      { class: 'figure' },
      h(
        'div',
        { class: 'figure-number' },
        h('span', { class: 'figure-name' }, words.error),
        formatAccuracy(error, standardError),
      ),
      h(
        'div',
        { class: 'figure-words' },
        h('strong', {}, error > ifCalibrated.percentile95 ? words.beyondChance : words.withinChance),
        h(
          'span',
          { class: 'note' },
          words.chance(formatPercent(ifCalibrated.mean, 1), formatPercent(ifCalibrated.percentile95, 1)),
        ),
      ),
    ),
  ];
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
      summary: gapSummary,
      parts: [{ id: 'margins', draw: marginsDrawing, tables: marginsTables, csv: marginsCsv }],
    },
    actions,
    { titled: true },
  );
}

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
    reason === null ? null : h('p', { class: 'note' }, reason),
  ];
}
