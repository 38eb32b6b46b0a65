/** The path through weight space, to be played over one fixed plane, and whether its updates go in circles. */
import type { TrajectoryResult } from '../src/protocol/trajectory.ts';
import { dropdown } from './controls.ts';
import {
  autocorrelationCsv,
  autocorrelationDrawing,
  autocorrelationTable,
  powerCsv,
  powerDrawing,
  powerTable,
} from './cyclesChart.ts';
import { h } from './dom.ts';
import type { Child } from './dom.ts';
import { formatNumber } from './format.ts';
import { layersQuestion } from './layersQuestion.ts';
import type { PanelActions } from './lens.ts';
import { Question, QuestionsLens } from './question.ts';
import { Scrubber } from './scrubber.ts';
import { strings } from './strings.ts';
import {
  alongDrawing,
  componentCsv,
  componentTable,
  pathCsv,
  pathOf,
  pathTable,
  planeDrawing,
  structureDrawing,
} from './trajectoryChart.ts';
import type { PathChoice } from './trajectoryChart.ts';

export function trajectoryLens(actions: PanelActions): QuestionsLens {
  return new QuestionsLens([pathQuestion(actions), layersQuestion(actions), cyclesQuestion(actions)]);
}

function pathQuestion(actions: PanelActions): Question<'trajectory'> {
  const words = strings.trajectory;
  let shown: TrajectoryResult | null = null;
  let drawn = '';
  const which = dropdown(
    words.pathOf,
    [
      { value: 'snapshots', label: words.ofSnapshots },
      { value: 'sketch', label: words.ofSketch },
    ],
    actions.recall('path') ?? 'snapshots',
    (value) => {
      actions.remember('path', value);
      follow();
    },
  );
  const choice = (): PathChoice => (which.value === 'sketch' ? 'sketch' : 'snapshots');
  const scrubber = new Scrubber(words.scrub, () => question.refresh());
  const follow = (): void => {
    const key = `${shown?.id} ${which.value}`;
    if (key === drawn || shown === null) return;
    drawn = key;
    scrubber.show((pathOf(shown, choice())?.points ?? []).map(({ step }) => strings.step(step)));
    question.refresh();
  };
  const question: Question<'trajectory'> = new Question(
    {
      kind: 'trajectory',
      title: words.title,
      ask: words.ask,
      empty: strings.empty.trajectory,
      options: { components: { type: 'number', label: words.components, value: 5, min: 2, max: 20 } },
      job: ({ components }) => ({ components: Number(components) }),
      name: ({ snapshots, sketch }) => words.name(snapshots?.measured ?? 0, sketch?.measured ?? 0),
      summary: growthSummary,
      tools: { plane: h('div', { class: 'toolbar' }, which.element, scrubber.element) },
      parts: [
        {
          id: 'plane',
          title: words.planeTitle,
          has: (result) => pathOf(result, 'sketch') !== null,
          draw: (result, theme, size) => {
            const path = pathOf(result, choice());
            return path === null ? null : planeDrawing(path, scrubber.place, theme, size);
          },
          tables: (result) =>
            [pathOf(result, choice())].flatMap((path) =>
              path === null ? [] : [pathTable(path, words.pathTable)],
            ),
          csv: (result) => pathCsv(pathOf(result, choice())),
        },
        {
          id: 'along',
          title: words.alongTitle,
          has: (result) => pathOf(result, 'sketch') !== null,
          draw: (result, theme, size) => {
            const path = pathOf(result, choice());
            return path === null ? null : alongDrawing(path, scrubber.place, theme, size);
          },
          tables: (result) =>
            [pathOf(result, choice())].flatMap((path) =>
              path === null ? [] : [pathTable(path, words.alongTable)],
            ),
          csv: (result) => pathCsv(pathOf(result, choice())),
        },
        {
          id: 'structure',
          title: words.structureTitle,
          has: (result) => pathOf(result, 'sketch') !== null,
          draw: (result, theme, size) => structureDrawing(result, choice(), theme, size),
          tables: (result) =>
            [pathOf(result, choice())].flatMap((path) => (path === null ? [] : [componentTable(path)])),
          csv: (result) => componentCsv(pathOf(result, choice())),
        },
      ],
    },
    actions,
    {
      titled: true,
      onShow: (result) => {
        shown = result;
        follow();
      },
    },
  );
  return question;
}

function growthSummary({ growth }: TrajectoryResult): Child[] {
  if (growth === null) return [];
  const words = strings.trajectory;
  return [
    h(
      'div',
      { class: 'figure' },
      h(
        'div',
        { class: 'figure-number' },
        h('span', { class: 'figure-name' }, words.fromStart),
        formatNumber(growth.distance, 3),
      ),
      h(
        'div',
        { class: 'figure-words' },
        h('strong', {}, growth.exponent === null ? '' : words.exponent(formatNumber(growth.exponent, 2))),
        h(
          'span',
          { class: 'note' },
          words.reach(formatNumber(growth.randomWalk, 3), formatNumber(growth.straightLine, 3)),
        ),
      ),
    ),
  ];
}

function cyclesQuestion(actions: PanelActions): Question<'cycles'> {
  const words = strings.cycles;
  return new Question(
    {
      kind: 'cycles',
      title: words.title,
      ask: words.ask,
      empty: strings.empty.cycles,
      options: {
        // 0 stands for what the run knows by itself.
        from: { type: 'number', label: words.from, value: 0, min: 0, max: 1e9 },
        epoch: { type: 'number', label: words.epoch, value: 0, min: 0, max: 1e9 },
      },
      job: ({ from, epoch }) => ({
        ...(Number(from) > 0 ? { from: Number(from) } : {}),
        ...(Number(epoch) > 0 ? { epoch: Number(epoch) } : {}),
      }),
      name: ({ from, to }) => words.name(from, to),
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
    },
    actions,
    { titled: true },
  );
}
