/** A run in a few lines: what was trained, how far, on what. */
import type { RunManifest, StepRecord } from '../src/protocol/run.ts';
import { h } from './dom.ts';
import { formatCount, formatNumber, formatTime } from './format.ts';
import { optimizerText } from './optimizer.ts';
import { lossOf } from './stepLoss.ts';
import { strings } from './strings.ts';

export function runFacts(
  run: RunManifest,
  steps: readonly StepRecord[],
): readonly (readonly [string, string])[] {
  const objective = run.objectives[0];
  const last = steps.at(-1);
  const { facts } = strings;
  const rows: [string, string | null][] = [
    [facts.script, run.command.join(' ')],
    [facts.optimizer, objective ? optimizerText(objective.optimizer) : null],
    [facts.parameters, objective ? formatCount(objective.parameterCount) : null],
    [facts.steps, formatCount(run.recording.steps)],
    [facts.snapshots, strings.snapshotsEvery(run.recording.snapshots, run.recording.snapshotEvery)],
    [facts.finalLoss, last ? formatNumber(lossOf(last)) : null],
    [facts.evaluation, run.evaluationSet?.train.source ?? null],
    [
      facts.framework,
      run.framework
        ? [run.framework === 'tfjs' ? 'TensorFlow.js' : 'PyTorch', run.backend].filter(Boolean).join(', ')
        : null,
    ],
    [facts.created, formatTime(run.created)],
    [facts.replay, objective?.replay ? facts.replayed(objective.replay) : null],
  ];
  return rows.filter((row): row is [string, string] => row[1] !== null);
}

export function factsElement(rows: readonly (readonly [string, string])[]): HTMLElement {
  return h(
    'dl',
    { class: 'facts' },
    ...rows.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))),
  );
}

/** State as a dot with its word; the reason, when there is one, is shown beside it. */
export function stateElement(run: RunManifest): HTMLElement {
  return h(
    'span',
    { class: `state state-${run.state}` },
    h('span', { class: 'dot', 'aria-hidden': 'true' }),
    strings.state[run.state],
  );
}
