/** The table of analyses, and what is done with a job of any kind before it runs. */
import type { AnalysisJob, AnalysisKind } from '../protocol/analyses.ts';
import type { Kind } from './kind.ts';
import { averageKind } from './kinds/average.ts';
import { calibrationKind } from './kinds/calibration.ts';
import { contourKind } from './kinds/contour.ts';
import { curvatureMapKind } from './kinds/curvatureMap.ts';
import { cyclesKind } from './kinds/cycles.ts';
import { ensembleKind } from './kinds/ensemble.ts';
import { fgeKind } from './kinds/fge.ts';
import { flatnessKind } from './kinds/flatness.ts';
import { landscapesKind } from './kinds/landscapes.ts';
import { layersKind } from './kinds/layers.ts';
import { noiseKind } from './kinds/noise.ts';
import { lineKind } from './kinds/line.ts';
import { marginsKind } from './kinds/margins.ts';
import { measuresKind } from './kinds/measures.ts';
import { pointKind } from './kinds/point.ts';
import { scoreKind } from './kinds/score.ts';
import { sharpnessKind } from './kinds/sharpness.ts';
import { snapshotEnsembleKind } from './kinds/snapshotEnsemble.ts';
import { spectrumKind } from './kinds/spectrum.ts';
import { swaKind } from './kinds/swa.ts';
import { swagKind } from './kinds/swag.ts';
import { soupKind } from './kinds/soup.ts';
import { sweepKind } from './kinds/sweep.ts';
import { stabilityKind } from './kinds/stability.ts';
import { trajectoryKind } from './kinds/trajectory.ts';
import type { ModelReference } from '../protocol/job.ts';
import { definiteReference, resolveModel, resolvePredictor, type RunContents } from './references.ts';

const kinds: { readonly [K in AnalysisKind]: Kind<K> } = {
  contour: contourKind,
  landscapes: landscapesKind,
  'curvature-map': curvatureMapKind,
  line: lineKind,
  sharpness: sharpnessKind,
  spectrum: spectrumKind,
  stability: stabilityKind,
  flatness: flatnessKind,
  calibration: calibrationKind,
  margins: marginsKind,
  measures: measuresKind,
  layers: layersKind,
  noise: noiseKind,
  trajectory: trajectoryKind,
  cycles: cyclesKind,
  score: scoreKind,
  point: pointKind,
  average: averageKind,
  sweep: sweepKind,
  swag: swagKind,
  soup: soupKind,
  swa: swaKind,
  fge: fgeKind,
  'snapshot-ensemble': snapshotEnsembleKind,
  ensemble: ensembleKind,
};

/** A job and its kind belong together, which a table indexed by a union cannot tell the compiler. */
export function kindOf(job: AnalysisJob): Kind<AnalysisKind> {
  return kinds[job.kind];
}

/**
 * The job with every default filled in and every reference made definite.
 * @throws BasinError `bad-input`, `not-found`
 */
export async function completeJob(job: AnalysisJob, contents: RunContents): Promise<AnalysisJob> {
  const definite = await withDefiniteModels(job, contents);
  return {
    ...kindOf(job).complete(definite, contents),
    run: contents.run.id,
    objective: contents.objectiveIndex,
  };
}

/** Models that a job names in any of its fields, made definite: those of other runs can only be looked up by waiting. */
async function withDefiniteModels(job: AnalysisJob, contents: RunContents): Promise<AnalysisJob> {
  const fields: Record<string, unknown> = { ...job };
  for (const name of ['at', 'from', 'to']) {
    const value = fields[name];
    if (typeof value === 'string') fields[name] = await definiteReference(contents, value);
  }
  if (Array.isArray(fields.members)) {
    const members = fields.members as ModelReference[];
    fields.members = await Promise.all(members.map((m) => definiteReference(contents, m)));
  }
  return fields as unknown as AnalysisJob;
}

/**
 * Looks up every model that a job names, so that a wrong name costs nothing: no script is started for it.
 * @param job with its defaults filled in
 * @throws BasinError `not-found`, `unsupported` for an ensemble where weights are needed, `corrupt-run`
 */
export async function requireModels(job: AnalysisJob, contents: RunContents): Promise<void> {
  const kind = kindOf(job);
  const resolve = kind.needs === 'evaluator' && kind.takesEnsembles ? resolvePredictor : resolveModel;
  for (const reference of kind.models(job)) await resolve(contents, reference);
}
