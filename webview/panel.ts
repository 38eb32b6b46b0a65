/** The panel: one run through its lenses. */
import { AveragingLens } from './averagingLens.ts';
import { keptEnsembles, keptPoints, keptSoups } from './builtFigures.ts';
import { columnsOfObjective, ofObjective } from './chosenObjective.ts';
import { ContourLens } from './contourLens.ts';
import { dropdown } from './controls.ts';
import { fill, h, setText } from './dom.ts';
import { flatnessQuestion } from './flatnessQuestion.ts';
import { generalisationLens } from './generalisationLens.ts';
import type { Lens, PanelActions } from './lens.ts';
import { LineLens } from './lineLens.ts';
import { LogLens } from './logLens.ts';
import { LiveNoise } from './liveNoise.ts';
import { noiseQuestion } from './noiseQuestion.ts';
import { optimizerText } from './optimizer.ts';
import {
  addSteps,
  cancelling,
  initialState,
  jobDone,
  jobPartial,
  jobProgress,
  showRun,
  startJob,
} from './panelState.ts';
import type { PanelState } from './panelState.ts';
import { PlaneThroughAverage } from './planeThroughAverage.ts';
import { QuestionsLens } from './question.ts';
import { SeedsFigure } from './seedsFigure.ts';
import { SharpnessLens } from './sharpnessLens.ts';
import { spectrumQuestion } from './spectrumLens.ts';
import { stateElement } from './runFacts.ts';
import { lossText } from './stepLoss.ts';
import { strings } from './strings.ts';
import { stabilityQuestion } from './stabilityQuestion.ts';
import { swagQuestion } from './swagQuestion.ts';
import { Tabs } from './tabs.ts';
import { trajectoryLens } from './trajectoryLens.ts';
import { connect } from './wire.ts';
import type { Job } from '../src/protocol/engine.ts';
import type { RunView } from '../src/protocol/page.ts';
import { toErrorData } from '../src/protocol/errors.ts';
import './styles/panel.css';

/** Kept by VS Code over a reload; `run` is what the host restores the panel by. */
interface Remembered {
  readonly run?: string;
  readonly lens?: string;
  readonly settings?: Readonly<Record<string, string>>;
}

const { wire, host } = connect();
const kept = (host.getState() ?? {}) as Remembered;
let remembered: Remembered = kept;
let state: PanelState = initialState;
let jobNumber = 0;
let frame = 0;
/** Index of the objective that is shown and asked about. */
let chosen = Number(kept.settings?.['objective'] ?? 0);

const actions: PanelActions = {
  start(asked) {
    const number = ++jobNumber;
    const job = chosen === 0 ? asked : { ...asked, objective: chosen };
    apply(startJob(state, number, job, strings.starting));
    void run(number, job);
  },
  cancel(number) {
    apply(cancelling(state, number));
    void wire.request('cancelJob', { number });
  },
  command(command, argument) {
    wire
      .request('runCommand', { command, ...(argument === undefined ? {} : { argument }) })
      .catch(() => undefined);
  },
  save: async (file) => (await wire.request('saveFile', file)).saved,
  readSteps: async () => columnsOfObjective(await wire.request('readSteps', {}), chosen),
  recall: (key) => remembered.settings?.[key],
  remember: (key, value) => remember({ settings: { ...remembered.settings, [key]: value } }),
};

const contour = new ContourLens(actions);
const lenses = {
  contour: new QuestionsLens([contour, new SeedsFigure(actions)]),
  line: new LineLens(actions),
  trajectory: trajectoryLens(actions),
  spectrum: new QuestionsLens([spectrumQuestion(actions), new LiveNoise(actions), noiseQuestion(actions)]),
  sharpness: new QuestionsLens([
    new SharpnessLens(actions),
    stabilityQuestion(actions),
    flatnessQuestion(actions),
  ]),
  averaging: new QuestionsLens([
    new AveragingLens(actions),
    keptEnsembles(actions),
    keptSoups(actions),
    keptPoints(actions),
    new PlaneThroughAverage(actions),
    swagQuestion(actions),
  ]),
  generalisation: generalisationLens(actions),
  log: new LogLens(actions),
} satisfies Record<string, Lens>;
type LensId = keyof typeof lenses;

const title = h('h1', {});
const subtitle = h('p', { class: 'note' });
const objectives = dropdown(strings.objective, [], '0', (value) => choose(Number(value)));
objectives.element.hidden = true;
const head = h('header', { class: 'head', hidden: true }, title, subtitle, objectives.element);
const waiting = h('p', { class: 'note waiting', role: 'status' }, strings.waiting);
const tabs = new Tabs(
  strings.lensesLabel,
  (Object.keys(lenses) as LensId[]).map((id) => ({
    id,
    label: strings.lenses[id],
    panel: lenses[id].element,
  })),
  (id) => remember({ lens: id }),
);
tabs.element.hidden = true;
const body = h(
  'div',
  { class: 'lenses', hidden: true },
  ...Object.values(lenses).map(({ element }) => element),
);
const root = document.querySelector('#app') ?? document.body;
root.classList.add('panel');
fill(root, head, tabs.element, waiting, body);
showLens(kept.lens ?? 'contour');

wire.on('showRun', (view) => apply(showRun(state, view)));
wire.on('addSteps', (added) => apply(addSteps(state, added)));
wire.on('jobProgress', (news) => apply(jobProgress(state, news)));
wire.on('jobPartial', (news) => apply(jobPartial(state, news)));
wire.on('jobDone', (news) => apply(jobDone(state, news)));
wire.on('showLens', ({ lens, result }) => {
  showLens(lens === 'surface' ? 'contour' : lens);
  const kept = state.view?.results.find(({ id }) => id === result);
  const of = state.view?.run.objectives.findIndex(({ name }) => name === kept?.objective) ?? -1;
  if (of >= 0 && of !== chosen) choose(of);
  const shown: Lens | undefined = Object.entries(lenses).find(([id]) => id === lens)?.[1];
  if (kept !== undefined) shown?.show?.(kept);
  if (lens === 'surface') contour.show3d();
});
wire.listen();
void wire.request('ready', {});
if (chosen !== 0) tellObjective();

async function run(number: number, job: Job): Promise<void> {
  try {
    const result = await wire.request('runJob', { job, number });
    apply(jobDone(state, { number, result, error: null }));
  } catch (error) {
    apply(jobDone(state, { number, result: null, error: toErrorData(error) }));
  }
}

function showLens(id: string): void {
  const known = id in lenses ? id : 'contour';
  tabs.select(known);
  remember({ lens: known });
}

function remember(change: Remembered): void {
  remembered = { ...remembered, ...change };
  host.setState(remembered);
}

/** Takes a state over and draws it with the next frame: many messages may come within one. */
function apply(next: PanelState): void {
  state = next;
  if (frame !== 0) return;
  // A hidden window gets no frames; it must still know its state when it shows again.
  frame = document.hidden ? window.setTimeout(draw, 50) : requestAnimationFrame(draw);
}

function draw(): void {
  frame = 0;
  if (state.view === null) return;
  offerObjectives(state.view.run.objectives);
  const shown = ofObjective(state, chosen);
  const { view } = shown;
  if (view === null) return;
  if (remembered.run !== view.run.id) remember({ run: view.run.id });
  waiting.hidden = true;
  for (const element of [head, tabs.element, body]) element.hidden = false;
  const objective = view.run.objectives[0];
  const last = view.steps.at(-1);
  setText(title, view.run.name);
  const facts = [
    objective && strings.parameters(objective.parameterCount),
    objective && optimizerText(objective.optimizer),
    strings.steps(view.run.recording.steps),
    strings.snapshots(view.snapshots.length),
    last && lossText(last),
  ].filter(Boolean);
  fill(subtitle, stateElement(view.run), ...facts.map((fact) => h('span', {}, String(fact))));
  const reason = view.run.stateReason;
  head.querySelector('.reason')?.remove();
  if (reason !== null) head.append(h('p', { class: 'reason', lang: 'en' }, reason));
  for (const lens of Object.values(lenses)) lens.update(shown);
}

function choose(objective: number): void {
  chosen = objective;
  actions.remember('objective', String(objective));
  tellObjective();
  draw();
}

/** The sidebar shows what is chosen here. */
function tellObjective(): void {
  void wire.request('chooseObjective', { objective: chosen }).catch(() => undefined);
}

function offerObjectives(all: RunView['run']['objectives']): void {
  objectives.element.hidden = all.length < 2;
  if (all.length === 0) return;
  objectives.setChoices(all.map(({ name }, index) => ({ value: String(index), label: name })));
  if (chosen >= all.length) chosen = 0;
  objectives.value = String(chosen);
}
