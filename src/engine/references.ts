/**
 * What a job calls a model (a step, `last`, `first`, the id of a built model, or any of these of another run as
 * `RUN:MODEL`), as a point in weight space.
 */
import { finite } from '../analysis/finite.ts';
import type { Model, Snapshot } from '../analysis/model.ts';
import type { Predictor } from '../analysis/predictor.ts';
import type { Combination } from '../protocol/evaluator.ts';
import type { ModelReference } from '../protocol/job.ts';
import { BasinError } from '../protocol/errors.ts';
import {
  knownNumber,
  type BuiltModel,
  type ObjectiveInfo,
  type RunManifest,
  type StepRecord,
} from '../protocol/run.ts';
import { layoutDifferences } from '../protocol/layoutDifferences.ts';
import { findObjective, type Run } from '../runs/run.ts';
import { RunStore } from '../runs/runStore.ts';
import { checkSnapshot } from '../runs/safetensorsFile.ts';

/** Differences between two models that a message names; it counts the others. */
const SHOWN_DIFFERENCES = 3;

/** A run as a job sees it: read once, so that all of a job speaks of the same state. */
export interface RunContents {
  readonly run: Run;
  readonly manifest: RunManifest;
  readonly objectiveIndex: number;
  readonly objective: ObjectiveInfo;
  /** By step; files that are damaged are left out. */
  readonly snapshots: readonly Snapshot[];
  /** What is wrong with the snapshots that were left out. */
  readonly damaged: readonly { readonly step: number; readonly error: BasinError }[];
  readonly models: readonly BuiltModel[];
  readonly steps: readonly StepRecord[];
}

/** @throws BasinError `no-steps`, `corrupt-run`, `bad-input` for an objective that is not there */
export async function readContents(run: Run, objective: number | string | undefined): Promise<RunContents> {
  const manifest = await run.readManifest();
  const found = findObjective(manifest, objective);
  const steps = (await run.readSteps()).filter((s) => s.objective === found.index);
  const losses = new Map(steps.map((s) => [s.step, knownNumber(s.loss)]));
  const snapshots: Snapshot[] = [];
  const damaged: { step: number; error: BasinError }[] = [];
  for (const { step, file } of await run.snapshots(found.index)) {
    try {
      await checkSnapshot(file, found.objective);
      const loss = losses.get(step);
      snapshots.push({
        step,
        vector: { file },
        loss: finite(loss ?? null),
      });
    } catch (error) {
      if (!(error instanceof BasinError)) throw error;
      damaged.push({ step, error });
    }
  }
  return {
    run,
    manifest,
    objectiveIndex: found.index,
    objective: found.objective,
    snapshots,
    damaged,
    models: await run.models(),
    steps,
  };
}

/**
 * @throws BasinError `not-found`, `corrupt-run` for a damaged snapshot, `bad-input` for an ensemble and for another run's
 *   model that does not fit
 */
export async function resolveModel(contents: RunContents, reference: ModelReference): Promise<Model> {
  const apart = ofOtherRun(reference);
  if (apart !== null) {
    const other = await openOther(contents, apart.run);
    const { id, vector } = await resolveModel(other, apart.model);
    return { id: other.run.id === contents.run.id ? id : `${other.run.id}:${id}`, vector };
  }
  const step = stepOf(contents, reference);
  if (step !== null) {
    const { vector } = snapshotAt(contents, step);
    return { id: String(step), vector };
  }
  const model = findBuiltModel(contents, String(reference));
  if (model.kind === 'ensemble') {
    throw new BasinError(
      'bad-input',
      `${model.id} is an ensemble of ${model.members.length} models and has no weights of its own.`,
      `Name one of its members (${model.members.join(', ')}), or average them: \`basin soup ${contents.run.id} --members ` +
        `${model.members.join(',')}\`. Score, calibration and margins take the ensemble itself, and export writes its members.`,
    );
  }
  const file = contents.run.modelPath(model.id);
  await checkSnapshot(file, contents.objective);
  return { id: model.id, vector: { file } };
}

/** As {@link resolveModel}, and an ensemble that was built as its members. @throws BasinError as it does */
export async function resolvePredictor(contents: RunContents, reference: ModelReference): Promise<Predictor> {
  const apart = ofOtherRun(reference);
  if (apart !== null) {
    const other = await openOther(contents, apart.run);
    const { id, ...found } = await resolvePredictor(other, apart.model);
    return { id: other.run.id === contents.run.id ? id : `${other.run.id}:${id}`, ...found };
  }
  const built = builtEnsemble(contents, reference);
  if (built === null) return resolveModel(contents, reference);
  const combine = await combinationOf(contents, built);
  const members = await Promise.all(built.members.map((member) => resolveModel(contents, member)));
  return { id: built.id, members, ...(combine === null ? {} : { combine }) };
}

/** How the members of a built ensemble were put together; null where its result is gone or never said. */
export async function combinationOf({ run }: RunContents, ensemble: BuiltModel): Promise<Combination | null> {
  const result = (await run.analyses()).find((r) => r.id === ensemble.analysis);
  return (result?.kind === 'ensemble' ? result.combine : null) ?? null;
}

/** A reference with its run named in full and its step definite. @throws BasinError as {@link resolveModel} does */
export async function definiteReference(
  contents: RunContents,
  reference: ModelReference,
): Promise<ModelReference> {
  const apart = ofOtherRun(reference);
  if (apart === null) return stepOf(contents, reference) ?? reference;
  const other = await openOther(contents, apart.run);
  const model = stepOf(other, apart.model) ?? apart.model;
  return other.run.id === contents.run.id ? model : `${other.run.id}:${model}`;
}

/** The other runs that references name, each once, in their order. @throws BasinError as {@link resolveModel} does */
export async function otherRuns(
  contents: RunContents,
  references: readonly ModelReference[],
): Promise<RunContents[]> {
  const found = new Map<string, RunContents>();
  for (const reference of references) {
    const apart = ofOtherRun(reference);
    if (apart === null) continue;
    const other = await openOther(contents, apart.run);
    if (other.run.id !== contents.run.id) found.set(other.run.id, other);
  }
  return [...found.values()];
}

/** What runs are called side by side: by their names, and those of one name by their ids as well. */
export function namesOf(runs: readonly RunContents[]): Map</* run */ string, string> {
  const names = new Map(runs.map(({ run, manifest }) => [run.id, manifest.name]));
  const counts = new Map<string, number>();
  for (const name of names.values()) counts.set(name, (counts.get(name) ?? 0) + 1);
  return new Map([...names].map(([id, name]) => [id, counts.get(name) === 1 ? name : `${name} (${id})`]));
}

/** `RUN:MODEL` in its parts; null for a model of the run itself. */
function ofOtherRun(reference: ModelReference): { run: string; model: string } | null {
  const parts = typeof reference === 'string' ? /^([^:]+):([^:]+)$/.exec(reference) : null;
  return parts?.[1] === undefined || parts[2] === undefined ? null : { run: parts[1], model: parts[2] };
}

/** Another run's contents, of the objective that has the same parameters. @throws BasinError `not-found`, `bad-input` */
async function openOther(contents: RunContents, reference: string): Promise<RunContents> {
  const { run, objective, objectiveIndex } = contents;
  const other = await RunStore.beside(run).open(reference);
  if (other.id === run.id) return contents;
  const { objectives } = await other.readManifest();
  const fits = (o: ObjectiveInfo): boolean => layoutDifferences(objective, o).length === 0;
  const same = objectives[objectiveIndex];
  const index = same !== undefined && fits(same) ? objectiveIndex : objectives.findIndex(fits);
  if (index >= 0 || objectives.length === 0) return readContents(other, Math.max(0, index));
  const differences = layoutDifferences(objective, same ?? (objectives[0] as ObjectiveInfo));
  const more = differences.length - SHOWN_DIFFERENCES;
  throw new BasinError(
    'bad-input',
    `Models of run ${other.id} do not fit run ${run.id}: ${differences.slice(0, SHOWN_DIFFERENCES).join('; ')}` +
      `${more > 0 ? `; and ${more} more differences` : ''}.`,
    'Name models of the same architecture, whose parameters have the same names, shapes and dtypes.',
  );
}

/** @throws BasinError `not-found` */
export function findBuiltModel(contents: RunContents, id: string): BuiltModel {
  const model = contents.models.find((m) => m.id === id && m.objective === contents.objectiveIndex);
  if (model !== undefined) return model;
  const there = contents.models.map((m) => m.id);
  throw new BasinError(
    'not-found',
    `Run ${contents.run.id} has no model ${id}.`,
    `Give a snapshot's step, first, last${there.length > 0 ? `, or one of ${there.join(', ')}` : ''}.`,
  );
}

/** The ensemble that a reference names; null for anything else. */
export function builtEnsemble(contents: RunContents, reference: ModelReference): BuiltModel | null {
  const { models, objectiveIndex } = contents;
  return (
    models.find((m) => m.kind === 'ensemble' && m.id === reference && m.objective === objectiveIndex) ?? null
  );
}

/** The step that a reference names; null when it is the id of a built model. */
export function stepOf(contents: RunContents, reference: ModelReference): number | null {
  if (typeof reference === 'number') return reference;
  if (reference === 'first' || reference === 'last') {
    const step = contents.snapshots.at(reference === 'first' ? 0 : -1)?.step;
    if (step !== undefined) return step;
    throw (
      contents.damaged.at(-1)?.error ??
      new BasinError('no-steps', `Run ${contents.run.id} has no snapshots.`, 'Let it train for a step first.')
    );
  }
  return /^\d+$/.test(reference) ? Number(reference) : null;
}

/** @throws BasinError `not-found` naming the nearest steps, `corrupt-run` for a damaged file */
export function snapshotAt(contents: RunContents, step: number): Snapshot {
  const snapshot = contents.snapshots.find((s) => s.step === step);
  if (snapshot !== undefined) return snapshot;
  const broken = contents.damaged.find((d) => d.step === step);
  if (broken !== undefined) throw broken.error;
  const before = contents.snapshots.filter((s) => s.step < step).at(-1);
  const after = contents.snapshots.find((s) => s.step > step);
  const nearest = [before, after].flatMap((s) => (s === undefined ? [] : [s.step]));
  throw new BasinError(
    'not-found',
    `Run ${contents.run.id} has no snapshot at step ${step}.`,
    nearest.length > 0
      ? `The nearest ${nearest.length > 1 ? 'are' : 'is'} ${nearest.join(' and ')}; \`basin show ${contents.run.id}\` lists them.`
      : 'The run has no snapshots.',
  );
}

/** Learning rate in force at a step's weights; null when unknown. */
export function learningRateAt(contents: RunContents, step: number | null): number | null {
  const record =
    step === null
      ? contents.steps.at(-1)
      : (contents.steps.find((s) => s.step === step) ?? contents.steps.filter((s) => s.step < step).at(-1));
  const recorded = record?.learningRate ?? null;
  return knownNumber(recorded);
}
