import { measures, type ToldRun } from '../../analysis/measures.ts';
import { gapOf, readingsOf, type Told } from '../../analysis/readings.ts';
import type { AnalysisJob } from '../../protocol/analyses.ts';
import { BasinError, cancelled } from '../../protocol/errors.ts';
import { evaluationSetFile } from '../../protocol/evaluationSet.ts';
import {
  measureNames,
  measuresDefaults,
  type MeasuresJob,
  type MeasureName,
  type Reading,
} from '../../protocol/measures.ts';
import { sampleDigest } from '../../runs/sampleDigest.ts';
import { RunStore } from '../../runs/runStore.ts';
import { snapshotBlocks } from '../../runs/snapshotBlocks.ts';
import { requireInteger, type RunKind } from '../kind.ts';
import { readContents, type RunContents } from '../references.ts';

/** What gives a measure that no kept result tells. */
const jobs = {
  spectrum: {
    kind: 'spectrum',
    top: 1,
    bottom: 0,
    trace: true,
    density: false,
    perLayer: false,
    matrix: 'hessian',
  },
  flatness: { kind: 'flatness' },
  margins: { kind: 'margins' },
  noise: { kind: 'noise', top: 0 },
  calibration: { kind: 'calibration', split: 'train' },
  score: { kind: 'score' },
} as const;

/** The kind of analysis whose result tells a measure; null for what the run's own files tell. */
const measuredBy: Readonly<Record<MeasureName, keyof typeof jobs | null>> = {
  lambda1: 'spectrum',
  trace: 'spectrum',
  'worst-case': 'flatness',
  sam: 'flatness',
  asam: 'flatness',
  'average-case': 'flatness',
  'fisher-rao': 'flatness',
  'weight-norm': null,
  distance: null,
  'output-margin': 'margins',
  'input-margin': 'margins',
  'noise-trace': 'noise',
  'noise-scale': 'noise',
  'calibration-error': 'calibration',
  'train-loss': 'score',
};

/** @see measures.ts: kept with the run that the job names, whatever the others are. */
export const measuresKind: RunKind<'measures'> = {
  needs: 'run',
  complete(job) {
    const settings = { ...measuresDefaults, ...job };
    requireInteger('seed', settings.seed, 0, 2 ** 31);
    return settings;
  },
  models: () => [],
  async before(job, { contents }) {
    if (job.compute !== true) return [];
    const { runs } = await runsOf(job, contents);
    const wanted: AnalysisJob[] = [];
    for (const run of runs) {
      const { told, gap } = await toldOf(run, job.gap ?? measuresDefaults.gap);
      const missing = new Set<keyof typeof jobs>(
        measureNames
          .filter((name) => !told.some((t) => t.name === name))
          .flatMap((name) => (measuredBy[name] === null ? [] : [measuredBy[name]])),
      );
      if (gap === null) missing.add('score');
      for (const kind of missing) {
        const asked = jobs[kind];
        wanted.push({ ...asked, run: run.run.id, objective: run.objectiveIndex });
      }
    }
    return wanted;
  },
  async run(job, { contents, context, failed }) {
    const { runs, leftOut } = await runsOf(job, contents);
    const gap = job.gap ?? measuresDefaults.gap;
    const told: ToldRun[] = [];
    // The frameworks keep samples in files of their own shape: only those of one can be held against each other.
    const heldOut = new Map</* framework */ string | null, Set<string>>();
    for (const [k, run] of runs.entries()) {
      if (context.signal.aborted) throw cancelled();
      context.progress(k / runs.length, `run ${k + 1} of ${runs.length}`);
      const { at, ...known } = await toldOf(run, gap);
      if (known.gap !== null) {
        const { framework } = run.manifest;
        heldOut.set(framework, (heldOut.get(framework) ?? new Set()).add(await heldOutSet(run)));
      }
      told.push({
        run: run.run.id,
        name: run.manifest.name,
        at,
        ...known,
        notes: failed
          .filter(({ job: { run: id } }) => id === run.run.id)
          .map(({ job: { kind }, error }) => `Run ${run.run.id}, ${kind}: ${error.message}`),
      });
    }
    const heldOutSets = Math.max(0, ...[...heldOut.values()].map((sets) => sets.size));
    return measures(
      { runs: told, gap, seed: job.seed ?? measuresDefaults.seed, leftOut, heldOutSets },
      context,
    );
  },
};

/** The runs that a job is about, oldest first, and why others are not among them. */
async function runsOf(
  job: MeasuresJob,
  contents: RunContents,
): Promise<{ runs: RunContents[]; leftOut: string[] }> {
  const store = RunStore.beside(contents.run);
  const ids = new Set(
    job.runs === undefined
      ? (await store.list()).map(({ id }) => id)
      : await Promise.all([contents.run.id, ...job.runs].map(async (r) => (await store.open(r)).id)),
  );
  const runs: RunContents[] = [];
  const leftOut: string[] = [];
  for (const id of [...ids].sort()) {
    try {
      const found =
        id === contents.run.id ? contents : await readContents(await store.open(id), contents.objectiveIndex);
      if (found.manifest.state === 'training' || found.manifest.state === 'starting') {
        leftOut.push(`Left out: run ${id} is still training.`);
      } else if (found.snapshots.length === 0) {
        leftOut.push(`Left out: run ${id} has no snapshots.`);
      } else {
        runs.push(found);
      }
    } catch (error) {
      if (!(error instanceof BasinError)) throw error;
      leftOut.push(`Left out: ${error.message}`);
    }
  }
  return { runs, leftOut };
}

/** The last snapshot's step, its gap, and all that is told of it. */
async function toldOf(
  contents: RunContents,
  gap: 'loss' | 'accuracy',
): Promise<{ at: number; gap: Reading | null; told: Told[] }> {
  const { run, snapshots } = contents;
  const at = snapshots.at(-1)?.step ?? 0;
  const kept = (await run.analyses()).filter((r) => r.objective === contents.objective.name);
  const gaps = kept.flatMap((result) => {
    const found = gapOf(result, String(at), gap);
    return found === null ? [] : [{ found, kind: result.kind }];
  });
  return {
    at,
    gap: (gaps.find(({ kind }) => kind === 'score') ?? gaps[0])?.found ?? null,
    told: [...kept.flatMap((result) => readingsOf(result, String(at))), ...(await normsOf(contents))],
  };
}

/** ‖θ‖ and ‖θ − θ₀‖ of the last snapshot, from the files. */
async function normsOf(contents: RunContents): Promise<Told[]> {
  const { run, snapshots, objective, objectiveIndex } = contents;
  const ends = [snapshots[0], snapshots.at(-1)].flatMap((s) => (s === undefined ? [] : [s.step]));
  const sums = { norm: 0, distance: 0 };
  for await (const [first, last] of snapshotBlocks(
    ends.map((step) => run.snapshotPath(step, objectiveIndex)),
    objective,
  )) {
    last?.forEach((value, i) => {
      sums.norm += value * value;
      sums.distance += (value - (first?.[i] ?? 0)) ** 2;
    });
  }
  const tell = (name: MeasureName, square: number): Told[] =>
    Number.isFinite(square)
      ? [{ name, value: Math.sqrt(square), standardError: null, settings: null, from: null }]
      : [];
  return [...tell('weight-norm', sums.norm), ...(ends[0] === 0 ? tell('distance', sums.distance) : [])];
}

/** The held-out samples, as a digest; empty where they cannot be read. */
async function heldOutSet({ run, objectiveIndex }: RunContents): Promise<string> {
  return sampleDigest(run.path('data', evaluationSetFile('validation', objectiveIndex))).catch(() => '');
}
