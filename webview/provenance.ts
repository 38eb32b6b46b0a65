/** Where a result comes from: the command line that gives the same, versions, and how it was evaluated. */
import type { AnalysisResult } from '../src/protocol/analyses.ts';
import type { EvaluatedOn } from '../src/protocol/result.ts';
import { definitions, h } from './dom.ts';
import { formatDuration, formatTime } from './format.ts';
import { strings } from './strings.ts';

/** The `basin` command that computes a result again, defaults of its job filled in. */
export function commandLine(result: AnalysisResult): string {
  const job = (
    typeof result.provenance.job === 'object' && result.provenance.job !== null ? result.provenance.job : {}
  ) as Record<string, unknown>;
  const words = ['basin', result.kind, quote(result.run)];
  const option = (flag: string, value: unknown): void => {
    if (value === undefined || value === null) return;
    words.push(`--${flag}`, quote(Array.isArray(value) ? value.join(',') : `${value as string | number}`));
  };
  const furtherTraining = ['at', 'train', 'cycle', 'rate', 'momentum', 'clip', 'seed'] as const;
  const names: Record<AnalysisResult['kind'], readonly string[]> = {
    contour: ['plane', 'beside', 'size', 'at', 'seed', 'span', 'normalise', 'seeds'],
    landscapes: ['members', 'size'],
    'curvature-map': ['plane', 'beside', 'size', 'at', 'seed', 'span', 'normalise', 'tolerance'],
    line: ['from', 'to', 'points'],
    sharpness: ['at', 'top'],
    spectrum: ['at', 'top', 'bottom', 'matrix', 'parameters', 'bandwidth', 'seed'],
    stability: ['steps'],
    flatness: ['at', 'measures', 'epsilon', 'steps', 'starts', 'eta', 'sigma', 'repeats', 'seed'],
    calibration: ['at', 'bins', 'binning', 'seed'],
    margins: ['at'],
    measures: ['gap', 'seed'],
    cycles: ['from', 'epoch', 'seed'],
    layers: ['from', 'to'],
    noise: ['at', 'batches', 'top', 'seed'],
    trajectory: ['components', 'snapshots'],
    point: ['plane', 'beside', 'x', 'y', 'at', 'seed', 'span', 'normalise'],
    score: ['at'],
    average: ['from', 'to', 'stride', 'last', 'ema'],
    swa: [...furtherTraining, 'low'],
    fge: [...furtherTraining, 'low'],
    'snapshot-ensemble': furtherTraining,
    swag: ['from', 'to', 'stride', 'rank', 'draws', 'scale', 'seed', 'keep'],
    sweep: ['from', 'to', 'places', 'decays'],
    soup: ['members', 'method', 'by'],
    ensemble: ['members', 'last', 'combine', 'select'],
  };
  for (const name of names[result.kind]) option(name, job[name]);
  if (typeof job.objective === 'number' && job.objective > 0) option('objective', job.objective);
  if ((result.kind === 'contour' || result.kind === 'landscapes') && job.adaptive !== true)
    words.push('--full');
  if (result.kind === 'contour' || result.kind === 'curvature-map' || result.kind === 'point') {
    if (job.includeBiases === true) words.push('--include-biases');
    if (typeof job.orthogonalise === 'boolean') {
      words.push(job.orthogonalise ? '--orthogonalise' : '--no-orthogonalise');
    }
  }
  if (result.kind === 'measures') {
    const runs = (job.runs as readonly string[] | undefined) ?? [];
    words.push(...runs.filter((run) => run !== result.run).map(quote));
    if (job.runs === undefined) words.splice(2, 1);
    if (job.compute === true) words.push('--compute');
  }
  if (result.kind === 'spectrum') {
    option('trace-tolerance', job.traceTolerance);
    if (job.trace === false) words.push('--no-trace');
    if (job.density === true) words.push('--density');
    if (job.perLayer === true) words.push('--per-layer');
  }
  if (result.kind === 'flatness') {
    option('sam-rho', job.samRho);
    option('asam-rho', job.asamRho);
    option('ascent-steps', job.ascentSteps);
    if (job.twin === false) words.push('--no-twin');
  }
  if (result.kind === 'swa' || result.kind === 'fge' || result.kind === 'snapshot-ensemble') {
    option('weight-decay', job.weightDecay);
    if (job.nesterov === true) words.push('--nesterov');
    if (job.cyclic === true) words.push('--cyclic');
    option('position', result.training.batches.from);
  }
  if (result.kind === 'landscapes') {
    option('data', job.split);
    option('mode', job.mode);
  }
  // Calibration chooses its samples by itself where none are named.
  const named = result.kind === 'contour' || result.kind === 'calibration';
  if (result.data !== null && (result.data.split !== 'train' || named)) option('data', result.data.split);
  return words.join(' ');
}

/** A word for a POSIX shell. */
function quote(word: string): string {
  return /^[\w.,:/@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

export function provenanceRows(result: AnalysisResult): readonly (readonly [string, string])[] {
  const { provenance } = result;
  const words = strings.origins;
  return [
    [words.computed, words.computedAt(formatTime(provenance.created), formatDuration(provenance.seconds))],
    [words.evaluatedBy, words.evaluator[provenance.evaluator]],
    ...evaluationRows(result),
    [
      words.versions,
      [
        `Basin ${provenance.basin}`,
        ...Object.entries(provenance.versions).map(([name, version]) => `${name} ${version}`),
        ...(provenance.backend === null ? [] : [provenance.backend]),
      ].join(', '),
    ],
    [words.result, `analyses/${result.id}.json`],
  ];
}

/** How and on what a result's losses were evaluated; nothing for one that evaluated none. */
function evaluationRows({ provenance, data }: AnalysisResult): readonly (readonly [string, string])[] {
  if (provenance.mode === null || data === null) return [];
  const words = strings.origins;
  return [
    [
      words.evaluation,
      `${words.mode[provenance.mode]}${provenance.refreshedStatistics ? words.refreshed : ''}`,
    ],
    [words.data, `${amount(data)}, ${strings.split[data.split]}`],
  ];
}

/** How many samples, or batches where samples cannot be counted. */
export function amount({ samples, unit }: EvaluatedOn): string {
  return (unit === 'batches' ? strings.batches : strings.samples)(samples);
}

/** A fold with the command line (and a button that copies it) and the facts. */
export function provenanceElement(result: AnalysisResult, open = false): HTMLElement {
  const line = commandLine(result);
  const copied = h('span', { class: 'note', role: 'status' });
  const copy = h(
    'button',
    {
      type: 'button',
      class: 'link',
      on: {
        click: () => {
          void navigator.clipboard.writeText(line).then(() => (copied.textContent = strings.copied));
        },
      },
    },
    strings.copy,
  );
  return h(
    'details',
    { class: 'fold', open },
    h('summary', {}, strings.provenance),
    h(
      'p',
      { class: 'command-line' },
      h('span', { class: 'note' }, `${strings.sameCommand}: `),
      h('code', {}, line),
      ' ',
      copy,
      ' ',
      copied,
    ),
    h('dl', { class: 'facts' }, ...definitions(provenanceRows(result))),
  );
}

/** The sentences on trust, the weightiest first. */
export function trustElement(sentences: readonly string[]): HTMLElement {
  return h(
    'ul',
    { class: 'trust', 'aria-label': strings.trustLabel },
    // The engine's own sentences, kept with the result: English in every language.
    ...sentences.map((text) => h('li', { lang: 'en' }, text)),
  );
}
