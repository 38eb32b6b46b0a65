/** A question about a run that stands in a debugger is one about the weights that stand: its job names them. */
import type { Job } from '../protocol/engine.ts';

/** Kinds that take a model as `at`, the last snapshot by default. */
const atOneModel: ReadonlySet<Job['kind']> = new Set<Job['kind']>([
  ...(['sharpness', 'score', 'spectrum', 'flatness', 'calibration', 'margins', 'noise'] as const),
  ...(['contour', 'curvature-map', 'point'] as const),
  ...(['swa', 'fge', 'snapshot-ensemble'] as const),
]);

/**
 * The same job with the standing weights in place of the last snapshot, wherever it means that one. What it names
 * otherwise stays.
 * @param step of the snapshot that has the standing weights
 */
export function atStanding(job: Job, step: number): Job {
  const here = <M>(model: M): M | number => (model === 'last' ? step : model);
  const given: Record<string, unknown> = { ...job };
  if ('plane' in job && Array.isArray(job.plane) && job.plane.length === 3) given.plane = job.plane.map(here);
  else if (atOneModel.has(job.kind)) given.at = here(given.at ?? 'last');
  for (const name of ['from', 'to', 'model'])
    if (given[name] !== undefined && job.kind !== 'report' && !(job.kind === 'export' && name === 'to'))
      given[name] = here(given[name]);
  for (const name of ['members', 'beside'])
    if (Array.isArray(given[name])) given[name] = (given[name] as unknown[]).map(here);
  return given as unknown as Job;
}
