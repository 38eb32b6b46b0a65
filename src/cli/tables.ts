/** Answers as a person reads them on a terminal. */
import type { JobResult } from '../protocol/engine.ts';
import type { Maybe } from '../protocol/result.ts';
import type {
  AverageResult,
  ContourResult,
  EnsembleResult,
  LineResult,
  Score,
  Scores,
  SharpnessResult,
} from '../protocol/results.ts';
import {
  decodeNumber,
  knownNumber,
  type BuiltModel,
  type LiveNoiseScale,
  type LiveSharpness,
  type OptimizerInfo,
  type RunManifest,
  type StepRecord,
} from '../protocol/run.ts';
import type { SoupResult } from '../protocol/soups.ts';
import { eventSentence, type TrainingEvent } from '../protocol/trainingEvents.ts';
import type { MeasuringCost } from '../runs/measuringCost.ts';
import { measuringText } from '../runs/measuringCost.ts';
import type { RunEntry } from '../runs/runStore.ts';
import { calibrationTable } from './text/calibration.ts';
import { spectrumTable, stabilityTable } from './text/curvature.ts';
import { curvatureMapTable } from './text/curvatureMap.ts';
import { cyclesTable } from './text/cycles.ts';
import { ensembleTables } from './text/ensemble.ts';
import { flatnessTable } from './text/flatness.ts';
import { landscapesTable } from './text/landscapes.ts';
import { layersTable } from './text/layers.ts';
import { noiseTable } from './text/noise.ts';
import { marginsTable } from './text/margins.ts';
import { measuresTables } from './text/measures.ts';
import { replayLines } from './text/replay.ts';
import { decisionsTable } from './text/soup.ts';
import { sweepTable } from './text/sweep.ts';
import { figures, newTable } from './text/table.ts';
import { uncertaintyTables } from './text/uncertainty.ts';
import { trajectoryTable } from './text/trajectory.ts';

/** Of a run, in its table. */
const MOST_EVENTS = 8;

export interface RunRow {
  readonly entry: RunEntry;
  readonly lastLoss: number | null;
}

export interface RunDetails {
  readonly run: RunManifest;
  readonly directory: string;
  readonly bytes: number;
  readonly steps: readonly StepRecord[];
  readonly snapshots: readonly number[];
  readonly models: readonly BuiltModel[];
  readonly analyses: readonly { readonly id: string; readonly kind: string; readonly created: string }[];
  readonly events: readonly TrainingEvent[];
  /** The newest of each objective that has one; the run's first objective comes first. */
  readonly live: readonly LiveSharpness[];
  readonly noise: readonly LiveNoiseScale[];
  readonly measuring: MeasuringCost | null;
}

export function runsTable(rows: readonly RunRow[]): string {
  if (rows.length === 0) return 'No runs yet. Record one with `basin train -- node train.mjs`.';
  const table = newTable(['run', 'name', 'state', 'steps', 'snapshots', 'last loss', 'started']);
  for (const { entry, lastLoss } of rows) {
    const { manifest, error } = entry;
    if (manifest === null) {
      table.push([entry.id, '', 'unreadable', '', '', '', error?.message ?? '']);
      continue;
    }
    const { steps, snapshots } = manifest.recording;
    table.push([
      entry.id,
      entry.baseline ? `${manifest.name} (baseline)` : manifest.name,
      manifest.state,
      steps,
      snapshots,
      figures(lastLoss),
      localTime(manifest.created),
    ]);
  }
  return table.toString();
}

export function detailsText(details: RunDetails): string {
  const { run } = details;
  const [objective] = run.objectives;
  const optimizer = objective?.optimizer;
  const last = details.steps.at(-1);
  const table = newTable();
  const row = (name: string, value: string | number | null | undefined): void => {
    if (value !== null && value !== undefined && value !== '') table.push([name, value]);
  };
  row('run', run.id);
  row('name', run.name);
  row('state', run.stateReason === null ? run.state : `${run.state}: ${run.stateReason}`);
  row('command', run.command.join(' '));
  row('in', run.cwd);
  row('started', localTime(run.created));
  row('ended', run.ended === null ? null : localTime(run.ended));
  row('framework', [run.framework, run.backend].filter(Boolean).join(' on '));
  row('git commit', run.gitCommit);
  row('parent', run.parent === undefined ? null : `${run.parent.run}, step ${run.parent.step}`);
  row(
    'went on as',
    run.successor === undefined ? null : `${run.successor.run}, from step ${run.successor.step}`,
  );
  row('objectives', run.objectives.length > 1 ? run.objectives.map((o) => o.name).join(', ') : null);
  row(
    'versions',
    Object.entries(run.versions)
      .map(([name, version]) => `${name === 'python' ? 'Python' : name} ${version}`)
      .join(', '),
  );
  row('parameters', objective?.parameterCount);
  row('optimizer', optimizer == null ? null : optimizerText(optimizer));
  row('replay', replayLines(run).join('\n') || null);
  row('steps', run.recording.steps);
  row('last loss', last === undefined ? null : lossText(last));
  row('λ₁ while training', ofObjectives(run, details.live, liveText));
  row('gradient noise scale', ofObjectives(run, details.noise, noiseText));
  row(
    'measured beside it',
    details.measuring === null ? null : measuringText(details.measuring, run.recording.liveBudget),
  );
  row('events', eventsText(details.events));
  row('snapshots', stepList(details.snapshots, run.recording.snapshotEvery));
  row('evaluation set', run.evaluationSet?.train.source);
  row('validation set', run.evaluationSet?.validation?.source);
  row('models', details.models.map((m) => `${m.id}: ${m.name}`).join('\n'));
  row('results', details.analyses.map((a) => `${a.id}`).join('\n'));
  row('notes', run.recording.notes.join('\n'));
  row('on disk', `${(details.bytes / 1e6).toFixed(1)} MB in ${details.directory}`);
  return table.toString();
}

/** A job's result with its trust sentences below. */
export function resultText(result: JobResult): string {
  switch (result.kind) {
    case 'export':
      return `${result.model} of run ${result.run} is in ${result.directory}: ${result.files.join(', ')}`;
    case 'report':
      return result.file;
    default: {
      const { mode, evaluator, backend } = result.provenance;
      const how =
        evaluator === 'none'
          ? "from the run's files"
          : `evaluation: ${mode}, ${evaluator} process, ${backend}`;
      const kept = `kept as ${result.id} (${how})`;
      return [bodyOf(result), ...result.trust, kept].join('\n');
    }
  }
}

function bodyOf(result: Exclude<JobResult, { kind: 'export' | 'report' }>): string {
  switch (result.kind) {
    case 'contour':
      return contourTable(result);
    case 'landscapes':
      return landscapesTable(result);
    case 'curvature-map':
      return curvatureMapTable(result);
    case 'line':
      return lineTable(result);
    case 'sharpness':
      return sharpnessTable(result);
    case 'spectrum':
      return spectrumTable(result);
    case 'stability':
      return stabilityTable(result);
    case 'flatness':
      return flatnessTable(result);
    case 'calibration':
      return calibrationTable(result);
    case 'margins':
      return marginsTable(result);
    case 'measures':
      return measuresTables(result);
    case 'cycles':
      return cyclesTable(result);
    case 'layers':
      return layersTable(result);
    case 'noise':
      return noiseTable(result);
    case 'trajectory':
      return trajectoryTable(result);
    case 'sweep':
      return sweepTable(result);
    case 'swag':
      return [
        scoresTable([
          [`SWAG, ${result.draws} draws`, result.score],
          [`average of ${result.members.length} snapshots`, result.average],
          [`last snapshot (${result.baseline.step})`, result.baseline],
        ]),
        ...uncertaintyTables(result.uncertainty ?? null),
        ...(result.kept === undefined || result.kept.length === 0
          ? []
          : [`saved: ${result.kept.join(', ')}`]),
      ].join('\n');
    case 'soup':
      return soupText(result);
    case 'swa': {
      const { iterates, baseline } = result;
      return scoresTable([
        [`${result.model} (${iterates.length} points)`, result.score],
        [`last snapshot (${baseline.step})`, baseline],
        ...iterates.map(({ step, score }): [string, Scores] => [`point after ${step} steps`, score]),
      ]);
    }
    case 'fge':
    case 'snapshot-ensemble':
      return scoresTable([
        [`${result.model} (${result.members.length} members)`, result.score],
        [`last snapshot (${result.baseline.step})`, result.baseline],
        ...result.members.map(({ model, step, score }): [string, Scores] => [
          `${model}, ${step} steps`,
          score,
        ]),
      ]);
    case 'point':
      return scoresTable([
        [result.model, result.score],
        [`last snapshot (${result.baseline.step})`, result.baseline],
      ]);
    case 'score':
      return scoresTable([[`model ${result.at}`, result.score]]);
    case 'average':
      return comparisonTable(result);
    case 'ensemble':
      return [comparisonTable(result), ...ensembleTables(result)].join('\n');
  }
}

/** The soup beside the candidates, and what was decided of each. */
function soupText(result: SoupResult): string {
  const table = scoresTable([
    [`${result.model} (${result.members.length} of ${result.candidates.length})`, result.score],
    ...(result.method === 'greedy' && result.uniform !== null
      ? [[`all ${result.candidates.length}`, result.uniform] as const]
      : []),
    ...result.candidates.map(({ id, score }) => [id, score] as const),
  ]);
  return [table, ...(result.decisions.length > 0 ? [decisionsTable(result)] : [])].join('\n');
}

function contourTable(result: ContourResult): string {
  const cells = result.loss.flatMap((row, j) =>
    row.map((loss, i) => ({ loss, x: result.x[i], y: result.y[j] })),
  );
  const finite = cells.filter((cell): cell is typeof cell & { loss: number } => cell.loss !== null);
  const lowest = finite.reduce<(typeof finite)[number] | null>(
    (a, b) => (a === null || b.loss < a.loss ? b : a),
    null,
  );
  const highest = finite.reduce<number | null>((a, b) => (a === null || b.loss > a ? b.loss : a), null);
  const table = newTable();
  table.push(
    ['plane', `${result.plane.kind}, ${result.x.length} × ${result.y.length} points around ${result.at}`],
    ['axes', result.plane.directions.map((d) => d.name).join(', ')],
    ['variance explained', percentage(result.plane.varianceExplained)],
    ['loss at the centre', withError(result.centre.loss, result.centre.standardError)],
    [
      'lowest loss',
      lowest === null ? '–' : `${figures(lowest.loss)} at (${figures(lowest.x)}, ${figures(lowest.y)})`,
    ],
    ['highest loss', figures(highest)],
    ['standard error', `${figures(result.standardError)} (median of the points)`],
    ['evaluated on', `${result.data.samples} ${result.data.split} ${result.data.unit ?? 'samples'}`],
  );
  return table.toString();
}

function lineTable(result: LineResult): string {
  const table = newTable([
    't',
    'loss',
    '±',
    ...(result.accuracy ? ['accuracy'] : []),
    ...(result.validation ? ['validation loss'] : []),
    ...(result.validation?.accuracy ? ['validation accuracy'] : []),
  ]);
  const every = Math.max(1, Math.ceil((result.t.length - 1) / 12));
  result.t.forEach((t, i) => {
    if (i % every !== 0 && i !== result.t.length - 1) return;
    table.push([
      figures(t),
      figures(result.loss[i]),
      figures(result.standardError[i]),
      ...(result.accuracy ? [percentage(result.accuracy[i])] : []),
      ...(result.validation ? [figures(result.validation.loss[i])] : []),
      ...(result.validation?.accuracy ? [percentage(result.validation.accuracy[i])] : []),
    ]);
  });
  return `${table.toString()}\nbarrier ${withError(result.barrier, result.barrierStandardError)} between ${result.from} and ${result.to}, ${figures(result.length)} apart`;
}

const withError = (value: Maybe | undefined, error: Maybe | undefined): string =>
  error == null ? figures(value) : `${figures(value)} ± ${figures(error)}`;

function sharpnessTable(result: SharpnessResult): string {
  const words = {
    below: 'stable: below the bound',
    edge: 'at the edge of stability',
    above: 'above the bound',
    unknown: 'unknown',
  };
  const table = newTable();
  result.eigenvalues.forEach((value, i) => {
    table.push([`λ${subscript(i + 1)}`, withError(value, i === 0 ? result.standardError : null)]);
  });
  table.push(
    ['at', result.at],
    ['learning rate', figures(result.learningRate)],
    [
      'stability bound',
      result.stabilityBound === null
        ? '–'
        : `${figures(result.stabilityBound)} = ${result.stabilityFormula ?? ''}`,
    ],
    ['verdict', words[result.verdict]],
    [
      'method',
      `${result.method}, ${result.products} products, ${result.converged ? 'converged' : 'not converged'}`,
    ],
  );
  return table.toString();
}

function comparisonTable(result: AverageResult | EnsembleResult): string {
  const members = result.kind === 'ensemble' ? result.memberScores : [];
  return scoresTable([
    [`${result.model} (${result.members.length} snapshots)`, result.score],
    [`last snapshot (${result.baseline.step})`, result.baseline],
    ...members.map((scores, i): [string, Scores] => [`member ${result.members[i]}`, scores]),
  ]);
}

function scoresTable(rows: readonly (readonly [string, Scores])[]): string {
  const validation = rows.some(([, scores]) => scores.validation !== null);
  const columns = ['loss', 'accuracy'];
  const table = newTable([
    '',
    ...columns.map((c) => `train ${c}`),
    ...(validation ? columns.map((c) => `validation ${c}`) : []),
  ]);
  for (const [name, { train, validation: held }] of rows) {
    table.push([name, ...scoreCells(train), ...(validation ? scoreCells(held) : [])]);
  }
  return table.toString();
}

function scoreCells(score: Score | null): string[] {
  if (score === null) return ['–', '–'];
  const error = (text: string | null): string => (text === null ? '' : ` ± ${text}`);
  return [
    figures(score.loss) +
      error(score.lossStandardError === null ? null : figures(score.lossStandardError, 2)),
    percentage(score.accuracy) +
      error(score.accuracyStandardError === null ? null : percentage(score.accuracyStandardError)),
  ];
}

function percentage(x: number | null | undefined): string {
  return x === null || x === undefined ? '–' : `${(100 * x).toFixed(2)} %`;
}

function lossText({ step, loss }: StepRecord): string {
  const known = knownNumber(loss);
  return known === null ? `not known at step ${step}` : `${figures(known)} at step ${step}`;
}

/** Settings that decide how fast a step is, not what it is; and what schedules keep for themselves. */
const machinery: ReadonlySet<string> = new Set([
  ...['foreach', 'fused', 'capturable', 'differentiable', 'decoupled_weight_decay'],
  ...['initial_lr', 'max_lr', 'min_lr', 'max_momentum', 'base_momentum'],
]);

/** "SGD: learningRate 0.1, momentum 0.9"; what is off is left out. */
function optimizerText({ name, config }: OptimizerInfo): string {
  const settings = Object.entries(config)
    .filter(([key, value]) => value !== null && value !== false && value !== 0 && !machinery.has(key))
    .map(([key, value]) => {
      if (key === 'groupsDiffer') return `groups with ${value}`;
      return value === true
        ? key
        : `${key} ${typeof value === 'number' ? Number(value.toPrecision(6)) : value}`;
    });
  return settings.length === 0 ? name : `${name}: ${settings.join(', ')}`;
}

/** A line for each objective, with its name where there are several. */
function ofObjectives<T extends { readonly objective: number }>(
  { objectives }: RunManifest,
  newest: readonly T[],
  text: (of: T) => string,
): string | null {
  if (newest.length === 0) return null;
  const name = ({ objective }: T): string =>
    objectives.length > 1 ? `${objectives[objective]?.name ?? objective}: ` : '';
  return newest.map((one) => `${name(one)}${text(one)}`).join('\n');
}

function liveText(live: LiveSharpness): string {
  const bound = live.bound === null ? '' : `, bound ${figures(decodeNumber(live.bound))}`;
  return `${figures(decodeNumber(live.lambda1))} at step ${live.step}${bound}`;
}

/** Events in a sentence each, the first few of them. */
function eventsText(events: readonly TrainingEvent[]): string {
  const left = events.length - MOST_EVENTS;
  return [
    ...events.slice(0, MOST_EVENTS).map(eventSentence),
    ...(left > 0 ? [`and ${left} more (--json has all)`] : []),
  ].join('\n');
}

function noiseText(noise: LiveNoiseScale): string {
  const [low, high] = noise.interval.map(decodeNumber);
  const range =
    high !== undefined && Number.isFinite(high)
      ? `${figures(low, 2)} to ${figures(high, 2)}`
      : `at least ${figures(low, 2)}`;
  const value = noise.value === null ? '' : `${figures(decodeNumber(noise.value), 3)}, `;
  const batch = noise.batchSize === null ? '' : `; batches of ${noise.batchSize}`;
  return `${value}${range} samples (95 %) at step ${noise.step}${batch}`;
}

function stepList(steps: readonly number[], every: number): string {
  if (steps.length === 0) return 'none';
  if (steps.length <= 8) return steps.join(', ');
  return `${steps.length}: ${steps.slice(0, 3).join(', ')}, … ${steps.slice(-2).join(', ')} (every ${every} steps)`;
}

function localTime(iso: string): string {
  const time = new Date(iso);
  return Number.isNaN(time.getTime()) ? iso : time.toLocaleString('sv-SE');
}

function subscript(n: number): string {
  return [...String(n)].map((digit) => String.fromCodePoint(0x2080 + Number(digit))).join('');
}
