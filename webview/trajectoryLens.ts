/** The path through weight space, to be played over one fixed plane, and whether its updates go in circles. */
import type { TrajectoryResult } from '../src/protocol/trajectory.ts';
import { dropdown } from './controls.ts';
import { h } from './dom.ts';
import { cyclesFigure } from './figures/cycles.ts';
import { trajectoryFigure } from './figures/trajectory.ts';
import { layersQuestion } from './layersQuestion.ts';
import type { PanelActions } from './lens.ts';
import { Question, QuestionsLens } from './question.ts';
import { Scrubber } from './scrubber.ts';
import { strings } from './strings.ts';
import { pathOf } from './trajectoryChart.ts';
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
      ...trajectoryFigure(choice, () => scrubber.place),
      tools: { plane: h('div', { class: 'toolbar' }, which.element, scrubber.element) },
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
      ...cyclesFigure,
    },
    actions,
    { titled: true },
  );
}
