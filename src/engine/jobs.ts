/** The table of analyses, and what is done with a job of any kind before it runs. */
import type { AnalysisJob, AnalysisKind } from '../protocol/analyses.ts';
import type { Kind } from './kind.ts';
import { averageKind } from './kinds/average.ts';
import { calibrationKind } from './kinds/calibration.ts';
import { contourKind } from './kinds/contour.ts';
import { cyclesKind } from './kinds/cycles.ts';
import { ensembleKind } from './kinds/ensemble.ts';
import { flatnessKind } from './kinds/flatness.ts';
import { lineKind } from './kinds/line.ts';
import { marginsKind } from './kinds/margins.ts';
import { scoreKind } from './kinds/score.ts';
import { sharpnessKind } from './kinds/sharpness.ts';
import { spectrumKind } from './kinds/spectrum.ts';
import { swagKind } from './kinds/swag.ts';
import { sweepKind } from './kinds/sweep.ts';
import { stabilityKind } from './kinds/stability.ts';
import { trajectoryKind } from './kinds/trajectory.ts';
import { resolveModel, type RunContents } from './references.ts';

const kinds: { readonly [K in AnalysisKind]: Kind<K> } = {
  contour: contourKind,
  line: lineKind,
  sharpness: sharpnessKind,
  spectrum: spectrumKind,
  stability: stabilityKind,
  flatness: flatnessKind,
  calibration: calibrationKind,
  margins: marginsKind,
  trajectory: trajectoryKind,
  cycles: cyclesKind,
  score: scoreKind,
  average: averageKind,
  sweep: sweepKind,
  swag: swagKind,
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
export function completeJob(job: AnalysisJob, contents: RunContents): AnalysisJob {
  return {
    ...kindOf(job).complete(job, contents),
    run: contents.run.id,
    objective: contents.objectiveIndex,
  };
}

/**
 * Looks up every model that a job names, so that a wrong name costs nothing: no script is started for it.
 * @param job with its defaults filled in
 * @throws BasinError `not-found`, `unsupported` for an ensemble where weights are needed, `corrupt-run`
 */
export async function requireModels(job: AnalysisJob, contents: RunContents): Promise<void> {
  for (const reference of kindOf(job).models(job)) await resolveModel(contents, reference);
}
