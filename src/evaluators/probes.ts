/** The pieces of code that go into training processes, as this installation has them. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { BasinError } from '../protocol/errors.ts';

export interface Probes {
  /** Absolute path of the preload for Node: dist/probe-tfjs.cjs. */
  readonly tfjs: string;
  /** Absolute path of the folder with `site/` and `basin_probe/`: dist/probe-torch. */
  readonly torch: string;
}

/** @param dist the folder with every bundle */
export function installedProbes(dist: string): Probes {
  return { tfjs: path.resolve(dist, 'probe-tfjs.cjs'), torch: path.resolve(dist, 'probe-torch') };
}

/** @throws BasinError `internal` when a probe is not built */
export function requireProbes({ tfjs, torch }: Probes): void {
  const missing = [tfjs, path.join(torch, 'site', 'sitecustomize.py')].find((file) => !existsSync(file));
  if (missing === undefined) return;
  throw new BasinError('internal', `The probe is missing: ${missing}.`, 'Run `npm run build`.');
}
