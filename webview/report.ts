/** A run as one self-contained page: opened from disk, without a network, for reading, showing and printing. */
import type { RunView } from '../src/protocol/page.ts';
import type { AnalysisResult } from '../src/protocol/analyses.ts';
import type { ContourResult } from '../src/protocol/results.ts';
import { Chart } from './chart.ts';
import { ContourChart, contourLayout } from './contourChart.ts';
import { DataTable } from './dataTable.ts';
import { curvatureMapSpec } from './curvatureMapChart.ts';
import { fill, h } from './dom.ts';
import { download, exportButtons } from './exporting.ts';
import type { Exportable } from './exportable.ts';
import { Figure } from './figure.ts';
import type { FigureSpec } from './figure.ts';
import { calibrationFigure } from './figures/calibration.ts';
import { cyclesFigure } from './figures/cycles.ts';
import { ensembleFigure } from './figures/ensemble.ts';
import { flatnessFigure } from './figures/flatness.ts';
import { layersFigure } from './figures/layers.ts';
import { marginsFigure } from './figures/margins.ts';
import { noiseFigure } from './figures/noise.ts';
import { pointFigure } from './figures/point.ts';
import { repeatsFigure } from './figures/repeats.ts';
import { soupFigure } from './figures/soup.ts';
import { spectrumFigure } from './figures/spectrum.ts';
import { stabilityFigure } from './figures/stability.ts';
import { swagFigure } from './figures/swag.ts';
import { sweepFigure } from './figures/sweep.ts';
import { trajectoryFigure } from './figures/trajectory.ts';
import { formatPercent, formatTime } from './format.ts';
import { barrierText, lineDrawing, modelName } from './lineChart.ts';
import { landscapesTable, sharedScale, shownLandscapes } from './landscapes.ts';
import { lossDrawing } from './lossChart.ts';
import type { LossScale } from './lossScale.ts';
import { optimizerText } from './optimizer.ts';
import { resultsOf } from './panelState.ts';
import { amount, provenanceElement, trustElement } from './provenance.ts';
import { factsElement, runFacts, stateElement } from './runFacts.ts';
import { newestBuilt, newestTrained, scoreTable } from './scoreTable.ts';
import { sharpnessElements } from './sharpnessFigure.ts';
import { lossText } from './stepLoss.ts';
import { strings } from './strings.ts';
import { contourCsv, contourTables, lineCsv, lineTables, stepCsv, stepTables } from './tables.ts';
import './styles/report.css';

const root = document.querySelector('#root, #app, main') ?? document.body.appendChild(h('main', {}));
root.classList.add('report');
root.setAttribute('role', 'main');
const view = readView();
if (view === null)
  fill(
    root,
    h(
      'div',
      { class: 'error', role: 'alert' },
      h('strong', {}, strings.report.failed),
      h('span', {}, strings.report.failedCure),
    ),
  );
else show(view);

function readView(): RunView | null {
  try {
    const text = document.querySelector('script[type="application/json"]')?.textContent;
    return text ? (JSON.parse(text) as RunView) : null;
  } catch {
    return null;
  }
}

function show(run: RunView): void {
  document.title = `${run.run.name} · Basin`;
  const contours = newestContours(run.results);
  const [line] = resultsOf(run, 'line');
  const [sharpness] = resultsOf(run, 'sharpness');
  const { average, ensemble } = newestBuilt(run.results);
  const scores = scoreTable(run.results);
  const made = run.results[0]?.provenance;
  fill(
    root,
    h(
      'div',
      { class: 'report-head' },
      h('h1', {}, run.run.name),
      h('p', { class: 'lede' }, stateElement(run.run), ...headline(run).map((fact) => h('span', {}, fact))),
    ),
    contours.length > 0
      ? section(
          strings.report.contour,
          h(
            'div',
            { class: `contours contours-${contours.length}` },
            ...contours.map((contour) => contourFigure(contour, run.run.id)),
          ),
        )
      : null,
    run.steps.length > 0 ? section(strings.report.training, lossFigure(run)) : null,
    sharpness ? section(strings.report.sharpness, ...sharpnessElements(sharpness)) : null,
    scores
      ? section(
          strings.report.scores,
          scores,
          h('p', { class: 'note' }, strings.score.legend),
          ...[average, ensemble, ...newestTrained(run.results)].flatMap((result) =>
            result ? [trustElement(result.trust), provenanceElement(result)] : [],
          ),
        )
      : null,
    line ? section(strings.report.line, lineFigure(line, run.run.id)) : null,
    ...figureSections(run),
    section(
      strings.report.facts,
      factsElement(runFacts(run.run, run.steps)),
      ...run.run.recording.notes.map((note) => h('p', { class: 'note', lang: 'en' }, note)),
    ),
    h(
      'div',
      { class: 'note report-foot' },
      [made ? strings.report.madeBy(made.basin) : 'Basin', run.run.id, formatTime(run.run.updated)].join(
        ' · ',
      ),
    ),
  );
}

/** The newest contour of each kind of plane, the trajectory's own first. */
function newestContours(results: readonly AnalysisResult[]): ContourResult[] {
  const found = new Map</* plane kind */ string, ContourResult>();
  for (const result of results) {
    if (result.kind !== 'contour' || !result.complete) continue;
    const known = found.get(result.plane.kind);
    // Later ones may be small live pictures: the finer one tells more.
    if (!known || result.x.length > known.x.length) found.set(result.plane.kind, result);
  }
  return Object.keys(strings.plane).flatMap((kind) => found.get(kind) ?? []);
}

function headline({ run, snapshots, steps }: RunView): string[] {
  const objective = run.objectives[0];
  const last = steps.at(-1);
  return [
    objective ? strings.parameters(objective.parameterCount) : null,
    objective ? optimizerText(objective.optimizer) : null,
    strings.steps(run.recording.steps),
    strings.snapshots(snapshots.length),
    last ? lossText(last) : null,
  ].filter((fact) => fact !== null);
}

/** The newest result of every other kind, with the pictures that the panel has of it. */
function figureSections(run: RunView): (HTMLElement | null)[] {
  const figure = <R extends AnalysisResult>(
    title: string,
    spec: FigureSpec<R>,
    [newest]: readonly R[],
  ): HTMLElement | null => {
    if (newest === undefined) return null;
    const drawn = new Figure(spec, download, 'h3');
    drawn.show(newest);
    return section(title, drawn.element);
  };
  const repeated = resultsOf(run, 'contour').filter(({ repeats }) => repeats != null);
  // All of the path: there is no slider on paper.
  const path = trajectoryFigure(
    () => 'snapshots',
    () => Infinity,
  );
  const layers = layersFigure(() => 'updateRatio');
  const spectrum = spectrumFigure(() => null);
  return [
    landscapesSection(run),
    figure(strings.seeds.title, repeatsFigure, repeated),
    figure(strings.report.curvature, curvatureMapSpec, resultsOf(run, 'curvature-map')),
    figure(strings.trajectory.title, path, resultsOf(run, 'trajectory')),
    figure(strings.layers.title, layers, resultsOf(run, 'layers')),
    figure(strings.cycles.title, cyclesFigure, resultsOf(run, 'cycles')),
    figure(strings.spectrum.title, spectrum, resultsOf(run, 'spectrum')),
    figure(strings.noise.title, noiseFigure, resultsOf(run, 'noise')),
    figure(strings.stability.title, stabilityFigure, resultsOf(run, 'stability')),
    figure(strings.flatness.title, flatnessFigure, resultsOf(run, 'flatness')),
    figure(strings.report.averages, sweepFigure, resultsOf(run, 'sweep')),
    figure(strings.ensemble.title, ensembleFigure, resultsOf(run, 'ensemble')),
    figure(strings.soup.title, soupFigure, resultsOf(run, 'soup')),
    figure(strings.swag.title, swagFigure, resultsOf(run, 'swag')),
    figure(strings.picked.title, pointFigure, resultsOf(run, 'point')),
    figure(strings.calibration.title, calibrationFigure, resultsOf(run, 'calibration')),
    figure(strings.margins.title, marginsFigure, resultsOf(run, 'margins')),
  ];
}

/** The newest landscapes of several runs, one beside the other: there is no slider on paper. */
function landscapesSection(run: RunView): HTMLElement | null {
  const [set] = resultsOf(run, 'landscapes');
  if (set === undefined) return null;
  const shown = shownLandscapes(set, run.run.id);
  const scale = sharedScale(shown, 'log');
  const table = new DataTable();
  table.show(() => [landscapesTable(set)]);
  return section(
    strings.landscapes.title,
    ...shown.map(({ of, contour }) => contourFigure(contour, run.run.id, { scale, title: of.name })),
    trustElement(set.trust),
    provenanceElement(set),
    table.element,
  );
}

function section(title: string, ...content: readonly (Node | null)[]): HTMLElement {
  return h('section', {}, h('h2', {}, title), ...content);
}

/** @param shared the scale of pictures beside it, and what it is called among them */
function contourFigure(
  result: ContourResult,
  run: string,
  shared?: { readonly scale: LossScale | null; readonly title: string },
): HTMLElement {
  const element = h('div', { class: 'chart' });
  const chart = new ContourChart(element);
  const picture = chart.show(result, 'log', shared?.scale ?? null);
  const held = result.plane.varianceExplained;
  const title =
    shared?.title ??
    (held === null
      ? strings.plane[result.plane.kind]
      : strings.ofVariance(strings.plane[result.plane.kind], formatPercent(held)));
  const table = new DataTable();
  table.show(() => contourTables(result));
  const equal = picture === null || contourLayout(result, { width: 900, height: 600 }).equal;
  return h(
    'figure',
    {},
    h(
      'figcaption',
      {},
      h('h3', {}, title),
      h(
        'span',
        { class: 'note' },
        `${amount(result.data)}, ${strings.split[result.data.split]} · ${result.x.length} × ${result.y.length}${equal ? '' : ` · ${strings.scales}`}`,
      ),
    ),
    element,
    tools(chart.chart, {
      name: `${run}-${result.id}`,
      csv: () => contourCsv(result),
      json: () => result,
      tables: () => contourTables(result),
      title,
      result,
    }),
    trustElement(result.trust),
    provenanceElement(result),
    table.element,
  );
}

function lossFigure(run: RunView): HTMLElement {
  const element = h('div', { class: 'chart' });
  const chart = new Chart(element, (theme, size) =>
    lossDrawing(run, { quantity: 'loss', scale: null }, theme, size),
  );
  chart.redraw();
  const table = new DataTable();
  table.show(() => stepTables(run));
  return h(
    'figure',
    {},
    element,
    tools(chart, {
      name: `${run.run.id}-steps`,
      csv: () => stepCsv(run),
      json: () => ({ steps: run.steps, live: run.live }),
      tables: () => stepTables(run),
    }),
    table.element,
  );
}

function lineFigure(result: Extract<AnalysisResult, { kind: 'line' }>, run: string): HTMLElement {
  const element = h('div', { class: 'chart' });
  const chart = new Chart(element, (theme, size) => lineDrawing(result, null, theme, size));
  chart.redraw();
  const table = new DataTable();
  table.show(() => lineTables(result));
  return h(
    'figure',
    {},
    h(
      'figcaption',
      {},
      h('h3', {}, strings.line.title(modelName(result.from), modelName(result.to))),
      h('span', { class: 'note' }, barrierText(result)),
    ),
    element,
    tools(chart, {
      name: `${run}-${result.id}`,
      csv: () => lineCsv(result),
      json: () => result,
      tables: () => lineTables(result),
      result,
    }),
    trustElement(result.trust),
    provenanceElement(result),
    table.element,
  );
}

function tools(chart: Chart, exported: Omit<Exportable, 'chart'>): HTMLElement {
  const reset = h(
    'button',
    { type: 'button', class: 'link', on: { click: () => chart.resetZoom() } },
    strings.resetZoom,
  );
  return h(
    'div',
    { class: 'chart-tools' },
    exportButtons(() => ({ ...exported, chart }), download),
    reset,
  );
}
