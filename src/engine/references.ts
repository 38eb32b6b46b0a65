/** What a job calls a model (a step, `last`, `first`, the id of a built model), as a point in weight space. */
import type { Model, Snapshot } from '../analysis/model.ts';
import type { ModelReference } from '../protocol/job.ts';
import { BasinError } from '../protocol/errors.ts';
import {
  decodeNumber,
  type BuiltModel,
  type ObjectiveInfo,
  type RunManifest,
  type StepRecord,
} from '../protocol/run.ts';
import { findObjective, type Run } from '../runs/run.ts';
import { checkSnapshot } from '../runs/safetensorsFile.ts';

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
export async function readContents(run: Run, objective: number | undefined): Promise<RunContents> {
  const manifest = await run.readManifest();
  const found = findObjective(manifest, objective);
  const steps = (await run.readSteps()).filter((s) => s.objective === found.index);
  const losses = new Map(steps.map((s) => [s.step, decodeNumber(s.loss)]));
  const snapshots: Snapshot[] = [];
  const damaged: { step: number; error: BasinError }[] = [];
  for (const { step, file } of await run.snapshots(found.index)) {
    try {
      await checkSnapshot(file, found.objective);
      const loss = losses.get(step);
      snapshots.push({
        step,
        vector: { file },
        loss: loss !== undefined && Number.isFinite(loss) ? loss : null,
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

/** @throws BasinError `not-found`, `corrupt-run` for a damaged snapshot, `bad-input` for an ensemble */
export async function resolveModel(contents: RunContents, reference: ModelReference): Promise<Model> {
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
      'Name one of its members or an average; its score was kept when it was built.',
    );
  }
  const file = contents.run.modelPath(model.id);
  await checkSnapshot(file, contents.objective);
  return { id: model.id, vector: { file } };
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
      ? `The nearest are ${nearest.join(' and ')}; \`basin show ${contents.run.id}\` lists them.`
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
  return recorded === null ? null : decodeNumber(recorded);
}
