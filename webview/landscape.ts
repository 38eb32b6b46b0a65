/** The sidebar's view: the contour with the path so far, loss and λ₁ as sparklines, a verdict, an action or two. */
import type { LandscapeView } from '../src/protocol/page.ts';
import { button, dropdown } from './controls.ts';
import { ContourChart } from './contourChart.ts';
import { fill, h, setText } from './dom.ts';
import { formatCount, formatNumber } from './format.ts';
import { errorElement } from './lens.ts';
import { boundFormula, verdictOf } from '../src/protocol/stability.ts';
import { liveNumbers } from './optimizer.ts';
import { stateElement } from './runFacts.ts';
import { drawSparkline, sparkline } from './sparkline.ts';
import { lossOf } from './stepLoss.ts';
import { strings } from './strings.ts';
import { connect } from './wire.ts';
import './styles/landscape.css';

/** Values in a sparkline: one a pixel or so. */
const SPARK_POINTS = 160;

const { wire } = connect();
let view: LandscapeView | null = null;
let frame = 0;
let actionsShown = '';

const heading = h('div', { class: 'landscape-head' });
const objectives = dropdown(strings.objective, [], '0', (value) => {
  void wire.request('chooseObjective', { objective: Number(value) }).catch(() => undefined);
});
objectives.element.hidden = true;
const message = h('p', { class: 'message' });
const chartElement = h('div', { class: 'chart-live' });
const chart = new ContourChart(chartElement);
const lossValue = h('span', { class: 'spark-value' });
const lossSpark = sparkline(strings.landscape.lossSpark);
const lambdaValue = h('span', { class: 'spark-value' });
const lambdaSpark = sparkline(strings.landscape.lambdaSpark);
const lossRow = h(
  'div',
  { class: 'spark spark-loss' },
  h('span', { class: 'spark-name' }, strings.loss),
  lossSpark,
  lossValue,
);
const lambdaRow = h(
  'div',
  { class: 'spark spark-lambda' },
  h('span', { class: 'spark-name' }, strings.lambda1),
  lambdaSpark,
  lambdaValue,
);
const verdict = h('p', { class: 'verdict-line' });
const progressText = h('span', { class: 'note' });
const progressBar = h('progress', { max: 1, 'aria-label': strings.progress });
const progress = h('div', { class: 'live-progress', hidden: true }, progressText, progressBar);
const error = h('div', {});
const actions = h('div', { class: 'actions' });

const root = document.querySelector('#app') ?? document.body;
root.classList.add('landscape');
fill(
  root,
  h('h1', { class: 'visually-hidden' }, strings.landscape.title),
  heading,
  objectives.element,
  chartElement,
  message,
  progress,
  lossRow,
  lambdaRow,
  verdict,
  error,
  actions,
);
for (const element of [chartElement, lossRow, lambdaRow, verdict]) element.hidden = true;

wire.on('showLandscape', (shown) => {
  view = shown;
  schedule();
});
wire.on('addSteps', ({ steps, live, run }) => {
  if (view === null) return;
  const from = view.steps.at(-1)?.step ?? -1;
  const liveFrom = view.live.at(-1)?.step ?? -1;
  view = {
    ...view,
    run,
    steps: [...view.steps, ...steps.filter(({ step }) => step > from)],
    live: [...view.live, ...live.filter(({ step }) => step > liveFrom)],
  };
  schedule();
});
wire.listen();
void wire.request('ready', {});
document.addEventListener('visibilitychange', schedule);

/** Once a frame at most, and not at all while hidden. */
function schedule(): void {
  if (frame !== 0 || document.hidden) return;
  frame = requestAnimationFrame(() => {
    frame = 0;
    if (view !== null) draw(view);
  });
}

function draw({
  run,
  objective,
  steps,
  live,
  contour,
  message: words,
  progress: doing,
  error: failure,
}: LandscapeView): void {
  const last = steps.at(-1);
  heading.hidden = run === null;
  if (run !== null) {
    fill(
      heading,
      h('strong', {}, run.name),
      stateElement(run),
      last ? h('span', { class: 'note' }, strings.step(formatCount(last.step))) : null,
    );
  }
  const several = run?.objectives ?? [];
  objectives.element.hidden = several.length < 2;
  if (several.length > 1) {
    objectives.setChoices(several.map(({ name }, index) => ({ value: String(index), label: name })));
    objectives.value = String(objective);
  }
  const text =
    words ?? (run === null ? strings.landscape.none : contour === null ? strings.landscape.noContour : '');
  message.hidden = text === '';
  setText(message, text);
  chartElement.hidden = contour === null;
  chart.show(contour, 'log');

  lossRow.hidden = steps.length === 0;
  const losses = thin(steps.map(lossOf));
  drawSparkline(lossSpark, { values: losses, log: losses.every((x) => x === null || !(x <= 0)) });
  setText(lossValue, last ? formatNumber(lossOf(last), 3) : '');

  const sharp = live.at(-1);
  lambdaRow.hidden = sharp === undefined;
  verdict.hidden = sharp === undefined;
  if (sharp !== undefined && run !== null) {
    const recent = live.slice(-SPARK_POINTS).map(liveNumbers);
    drawSparkline(lambdaSpark, {
      values: recent.map(({ lambda1 }) => lambda1),
      reference: recent.map(({ bound }) => bound),
    });
    const { lambda1, bound } = liveNumbers(sharp);
    const state = verdictOf(lambda1, bound);
    setText(lambdaValue, formatNumber(lambda1, 3));
    verdict.className = `verdict-line verdict-${state}`;
    const formula = boundFormula(run.objectives[objective]?.optimizer);
    setText(
      verdict,
      bound === null
        ? `λ₁ ${formatNumber(lambda1, 3)} · ${strings.verdict.unknown}`
        : strings.verdictLine(
            formatNumber(lambda1, 3),
            formula,
            formatNumber(bound, 3),
            strings.verdict[state],
          ),
    );
  }
  progress.hidden = doing === null;
  if (doing !== null) {
    setText(progressText, doing.message);
    if (doing.fraction === null) progressBar.removeAttribute('value');
    else progressBar.value = doing.fraction;
  }
  if (failure === null) fill(error);
  else if (error.textContent !== `${failure.message}${failure.cure ?? ''}`)
    fill(error, errorElement(failure));
  showActions(run === null ? 'none' : run.state, steps.length > 0);
}

/** The one or two things that make sense now. */
function showActions(state: string, trained: boolean): void {
  const key = `${state} ${trained}`;
  if (key === actionsShown) return;
  actionsShown = key;
  const command = (label: string, id: string, main = false): HTMLElement =>
    button(
      label,
      () => void wire.request('runCommand', { command: id }).catch(() => undefined),
      main ? 'primary' : 'secondary',
    );
  const { landscape } = strings;
  if (state === 'none')
    fill(
      actions,
      command(landscape.train, 'basin.train', true),
      command(landscape.sample, 'basin.openSample'),
    );
  else if (!trained) fill(actions);
  else if (state === 'training' || state === 'starting' || state === 'paused')
    fill(actions, command(landscape.openContour, 'basin.showContour', true));
  else if (state === 'held')
    fill(
      actions,
      command(landscape.openContour, 'basin.showContour', true),
      command(landscape.release, 'basin.releaseRun'),
    );
  else
    fill(
      actions,
      command(landscape.openContour, 'basin.showContour', true),
      command(landscape.average, 'basin.average'),
    );
}

/** Every n-th value, the last one always. */
function thin<T>(values: readonly T[]): T[] {
  const stride = Math.ceil(values.length / SPARK_POINTS);
  return values.filter((_, k) => (values.length - 1 - k) % stride === 0);
}
