import { landscapes } from '../../analysis/landscapes.ts';
import type { AnalysisJob, AnalysisResult } from '../../protocol/analyses.ts';
import { BasinError, toErrorData } from '../../protocol/errors.ts';
import { evaluationSetFile } from '../../protocol/evaluationSet.ts';
import { partsOfReference, type ModelReference } from '../../protocol/job.ts';
import { landscapesDefaults, type Landscape, type LandscapesJob } from '../../protocol/landscapes.ts';
import type { ContourResult } from '../../protocol/results.ts';
import { sampleDigest } from '../../runs/sampleDigest.ts';
import { requireGridSize, type Answered, type RunKind } from '../kind.ts';
import { namesOf, otherRuns, type RunContents } from '../references.ts';

/** @see landscapes.ts: one contour a run, each kept by its own run; this one keeps all of them together. */
export const landscapesKind: RunKind<'landscapes'> = {
  needs: 'run',
  complete(job) {
    const { size, adaptive } = { ...landscapesDefaults, ...job };
    requireGridSize(size);
    if (job.members.length < 3) {
      throw new BasinError(
        'bad-input',
        'A plane goes through three models.',
        'Name three or more, such as 0,last,RUN:last.',
      );
    }
    return { ...job, size, adaptive, split: job.split ?? 'train' };
  },
  models: ({ members }) => members,
  async before(job, { contents }) {
    return (await runsOf(job, contents)).map((run) => contourOf(job, contents, run));
  },
  async soFar(job, { contents, answered, failed }, current) {
    const runs = await runsOf(job, contents);
    return landscapes({
      at: String(job.members[0]),
      landscapes: told(runs, contents, [...answered, ...(current === null ? [] : [current])], failed),
      sampleSets: null,
      complete: false,
    });
  },
  async run(job, { contents, answered, failed }) {
    const runs = await runsOf(job, contents);
    const all = told(runs, contents, answered, failed);
    const there = runs.filter((_, k) => all[k]?.contour !== null);
    return landscapes({
      at: String(job.members[0]),
      landscapes: all,
      sampleSets: await sampleSets(there, job.split ?? 'train'),
      complete: true,
    });
  },
};

/** The runs whose models are named, in their order. */
async function runsOf({ members }: LandscapesJob, contents: RunContents): Promise<RunContents[]> {
  const others = await otherRuns(contents, members);
  const order = [...new Set(members.map((model) => partsOfReference(model).run ?? contents.run.id))];
  return order.flatMap((id) =>
    id === contents.run.id ? [contents] : others.filter(({ run }) => run.id === id),
  );
}

/** The question to one of the runs: the same plane, by the names that its models have there. */
function contourOf(job: LandscapesJob, { run: { id } }: RunContents, asked: RunContents): AnalysisJob {
  const there = (model: ModelReference): ModelReference => {
    const { run, model: name } = partsOfReference(model);
    if ((run ?? id) !== asked.run.id) return `${run ?? id}:${name}`;
    return /^\d+$/.test(name) ? Number(name) : name;
  };
  const [first = 0, second = 0, third = 0, ...beside] = job.members.map(there);
  return {
    kind: 'contour',
    run: asked.run.id,
    objective: asked.objectiveIndex,
    plane: [first, second, third],
    ...(beside.length === 0 ? {} : { beside }),
    size: job.size ?? landscapesDefaults.size,
    adaptive: job.adaptive ?? landscapesDefaults.adaptive,
    split: job.split ?? 'train',
    ...(job.mode === undefined ? {} : { mode: job.mode }),
  };
}

function told(
  runs: readonly RunContents[],
  contents: RunContents,
  answered: readonly AnalysisResult[],
  failed: Answered['failed'],
): Landscape[] {
  const names = namesOf([contents, ...runs]);
  return runs.map(({ run: { id } }): Landscape => {
    const contour = answered.find((r): r is ContourResult => r.kind === 'contour' && r.run === id) ?? null;
    const error = failed.find(({ job }) => job.run === id)?.error;
    if (error === undefined) return { run: id, name: names.get(id) ?? id, contour, error: null };
    const { detail: _, ...data } = toErrorData(error);
    return { run: id, name: names.get(id) ?? id, contour: null, error: data };
  });
}

/** How many sets of samples they have; null where they cannot be compared: of one framework alone, whose files have one form. */
async function sampleSets(
  runs: readonly RunContents[],
  split: 'train' | 'validation',
): Promise<number | null> {
  if (new Set(runs.map(({ manifest }) => manifest.framework)).size > 1) return null;
  const sets = new Set<string>();
  for (const { run, objectiveIndex } of runs) {
    const digest = await sampleDigest(run.path('data', evaluationSetFile(split, objectiveIndex))).catch(
      () => null,
    );
    if (digest === null) return null;
    sets.add(digest);
  }
  return sets.size;
}
