/** What a page or a report shows of a run. */
import type { RunView } from '../protocol/page.ts';
import { knownNumber, type StepRecord } from '../protocol/run.ts';
import { changedSentence, tellingOfChanges } from './changedSources.ts';
import { readEvents } from './measuredEvents.ts';
import type { Run } from './run.ts';

const POINTS_DRAWN = 2000;

/** @throws BasinError when run.json cannot be read */
export async function buildRunView(run: Run, objective = 0): Promise<RunView> {
  const [manifest, steps, live, snapshots, models, results, noise, events] = await Promise.all([
    run.readManifest(),
    run.readSteps(),
    run.readLive(),
    run.snapshots(objective),
    run.models(),
    run.analyses(),
    run.readNoise(),
    readEvents(run),
  ]);
  const { length } = manifest.objectives;
  const changed = results.length === 0 ? null : await changedSentence(manifest);
  const others =
    length < 2
      ? []
      : await Promise.all(
          manifest.objectives.map(async (_, i) => (i === objective ? snapshots : run.snapshots(i))),
        );
  return {
    run: manifest,
    steps: thinSteps(steps, POINTS_DRAWN),
    live,
    snapshots: snapshots.map((s) => s.step),
    ...(length < 2 ? {} : { objectiveSnapshots: others.map((kept) => kept.map((s) => s.step)) }),
    models,
    results: results.map((result) => tellingOfChanges(result, changed)),
    noise,
    events,
  };
}

/**
 * At most about `count` records: the series is cut into equal parts, and each keeps its lowest and highest loss, so
 * that spikes stay visible. A loss that is not finite counts as the highest. First and last are always kept.
 */
export function thinSteps(steps: readonly StepRecord[], count: number): readonly StepRecord[] {
  if (steps.length <= count) return steps;
  const parts = Math.max(1, Math.floor(count / 2));
  const kept = new Set([0, steps.length - 1]);
  for (let p = 0; p < parts; p++) {
    const from = Math.floor((p * steps.length) / parts);
    const to = Math.floor(((p + 1) * steps.length) / parts);
    let low = from;
    let high = from;
    for (let i = from + 1; i < to; i++) {
      if (height(steps[i], Infinity) < height(steps[low], Infinity)) low = i;
      if (height(steps[i], -Infinity) > height(steps[high], -Infinity)) high = i;
    }
    kept.add(low).add(high);
  }
  return [...kept].sort((a, b) => a - b).map((i) => steps[i] as StepRecord);
}

/** @param unknown where the loss is not known, which makes a step neither low nor high */
function height(step: StepRecord | undefined, unknown: number): number {
  const loss = (step === undefined ? null : knownNumber(step.loss)) ?? unknown;
  return Number.isNaN(loss) ? Infinity : loss;
}
