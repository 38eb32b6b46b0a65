/** An analysis's draft as a result of its run: which job gave it, how it was computed, and where it is kept. */
import type { Draft } from '../analysis/model.ts';
import type { AnalysisJob, AnalysisResult } from '../protocol/analyses.ts';
import type { Provenance } from '../protocol/result.ts';
import type { BuiltModel } from '../protocol/run.ts';
import type { RunContents } from './references.ts';

/** How a result was computed, as its provenance tells it. */
export type ComputedBy = Pick<Provenance, 'mode' | 'framework' | 'backend' | 'versions' | 'evaluator'>;

/** What the run's files alone have answered. */
export function byRun({ manifest }: RunContents): ComputedBy {
  return {
    mode: null,
    framework: manifest.framework ?? 'unknown',
    backend: null,
    versions: manifest.versions,
    evaluator: 'none',
  };
}

/** What a job's drafts have in common. */
export interface Circumstances {
  readonly id: string;
  readonly contents: RunContents;
  /** With its defaults filled in. */
  readonly job: AnalysisJob;
  /** Basin's own. */
  readonly version: string;
  readonly by: ComputedBy;
  /** When the work began, as `performance.now()` has it. */
  readonly started: number;
}

/** The draft with its provenance, as its file has it. */
export function finishedResult<R extends AnalysisResult>(
  draft: Draft<R>,
  { id, contents, job, version, by, started }: Circumstances,
): R {
  const { refreshedStatistics, ...rest } = draft;
  const provenance: Provenance = {
    basin: version,
    created: new Date().toISOString(),
    job,
    ...by,
    refreshedStatistics,
    seconds: (performance.now() - started) / 1000,
  };
  const result = {
    ...rest,
    trust: [
      ...draft.trust,
      ...sampleSentences(draft, contents),
      ...objectiveSentences(contents),
      ...damageSentences(contents),
    ],
    id,
    run: contents.run.id,
    objective: contents.objective.name,
    provenance,
  };
  // As the file has it: a number that is not finite is null there.
  return JSON.parse(JSON.stringify(result)) as R;
}

/** Keeps a result as a file of its run, and the models that it built beside the run's others. */
export async function keepResult(result: AnalysisResult, contents: RunContents): Promise<void> {
  await contents.run.saveAnalysis(result);
  for (const model of builtModels(result, contents.objectiveIndex)) await contents.run.saveModel(model);
  if (result.kind !== 'swag') return;
  const { kept = [], members, provenance } = result;
  for (const [i, id] of kept.entries()) {
    await contents.run.saveModel({
      id,
      kind: 'draw',
      name: `SWAG draw ${i + 1}, around ${members.length} snapshots, ${members[0]} to ${members.at(-1)}`,
      created: provenance.created,
      objective: contents.objectiveIndex,
      members: [...members],
      refreshedStatistics: provenance.refreshedStatistics,
      analysis: result.id,
    });
  }
}

/** What a result adds to the run's models. */
function builtModels(result: AnalysisResult, objective: number): BuiltModel[] {
  const common = {
    created: result.provenance.created,
    objective,
    refreshedStatistics: result.provenance.refreshedStatistics,
    analysis: result.id,
  };
  switch (result.kind) {
    case 'average':
    case 'ensemble':
    case 'soup':
      return [builtModel(result, objective)];
    case 'point': {
      const coordinate = (value: number): string => String(Number(value.toPrecision(3)));
      const name = `Point (${coordinate(result.x)}, ${coordinate(result.y)}) of the plane at ${result.at}`;
      return [{ ...common, id: result.model, kind: 'point', name, members: [] }];
    }
    case 'swa': {
      const { at, steps } = result.training;
      const name = `SWA of ${result.iterates.length} points over ${steps} steps from ${at}`;
      return [{ ...common, id: result.model, kind: 'average', name, members: [] }];
    }
    case 'fge':
    case 'snapshot-ensemble': {
      const { at, steps } = result.training;
      const what = result.kind === 'fge' ? 'Fast geometric ensemble' : 'Snapshot ensemble';
      const count = result.members.length;
      const members = result.members.map(({ model, step }, i): BuiltModel => ({
        ...common,
        id: model,
        kind: 'point',
        name: `${what}, member ${i + 1} of ${count}: ${step} steps from ${at}`,
        members: [],
      }));
      const name = `${what} of ${count} over ${steps} steps from ${at}`;
      const ids = members.map((m) => m.id);
      return [...members, { ...common, id: result.model, kind: 'ensemble', name, members: ids }];
    }
    default:
      return [];
  }
}

type Built = Extract<AnalysisResult, { readonly kind: 'average' | 'ensemble' | 'soup' }>;

function builtModel(result: Built, objective: number): BuiltModel {
  return {
    id: result.model,
    kind: result.kind,
    name: nameOf(result),
    created: result.provenance.created,
    objective,
    members: [...result.members],
    refreshedStatistics: result.provenance.refreshedStatistics,
    analysis: result.id,
  };
}

function nameOf({ kind, members }: Built): string {
  const title = { average: 'Average', soup: 'Soup', ensemble: 'Ensemble' }[kind];
  const [first, last] = [members[0], members.at(-1)];
  return members.every((m) => typeof m === 'number')
    ? `${title} of ${members.length} snapshots, ${first} to ${last}`
    : `${title} of ${members.length} models`;
}

/** Which of several losses a result is about, and whose weights. */
function objectiveSentences({ manifest, objective }: RunContents): string[] {
  if (manifest.objectives.length < 2) return [];
  const others = manifest.objectives.filter((one) => one !== objective).map(({ name }) => name);
  return [
    `This is of the objective ${objective.name}, over the ${objective.parameterCount} parameters that its optimizer updates; ` +
      `the run also has ${others.join(', ')} (--objective).`,
  ];
}

/** Where validation samples may be such as the script trains on. */
function sampleSentences(draft: object, { manifest, objectiveIndex }: RunContents): string[] {
  const { train, validation } = manifest.evaluationSet ?? { train: null, validation: null };
  if (train === null || validation === null || objectiveIndex !== 0 || !isOnValidation(draft)) return [];
  const also = validation.alsoTraining ?? 0;
  if (also > 0)
    return [
      `${also} of the ${validation.samples} validation samples are among the ${train.samples} training samples that were kept, too: ` +
        'they may be part of what the script trains on.',
    ];
  if (validation.mayBeTrained === true)
    return [
      'The validation samples are what the script evaluates without gradient. None of them is among the ' +
        `${train.samples} training samples that were kept; whether the script trains on them later cannot be told.`,
    ];
  return [];
}

/** Whether any number of it is of validation samples. */
function isOnValidation(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if ('split' in value && value.split === 'validation') return true;
  if ('validation' in value && value.validation !== null) return true;
  return Object.values(value).some(isOnValidation);
}

function damageSentences({ damaged }: RunContents): string[] {
  if (damaged.length === 0) return [];
  const steps = damaged.slice(0, 5).map((d) => d.step);
  return [
    `Left out, because their files are damaged: ${damaged.length === 1 ? 'snapshot' : 'snapshots'} ` +
      `${steps.join(', ')}${damaged.length > 5 ? ` and ${damaged.length - 5} more` : ''}.`,
  ];
}
