/** The environment in which a command's Node processes load the probe. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { BasinError } from '../protocol/errors.ts';
import { PROBE_VARIABLE, type ProbeOptions } from '../protocol/launch.ts';

export const EVALUATION_SAMPLES = 1024;

/**
 * The given environment with the probe's options and preload added.
 * @param probe absolute path of dist/probe-tfjs.cjs
 * @throws BasinError `internal` when the probe is not built
 */
export function probeEnvironment(
  base: NodeJS.ProcessEnv,
  probe: string,
  options: ProbeOptions,
): NodeJS.ProcessEnv {
  if (!existsSync(probe)) {
    throw new BasinError('internal', `The probe is missing: ${probe}.`, 'Run `npm run build`.');
  }
  const environment: NodeJS.ProcessEnv = { ...base, [PROBE_VARIABLE]: JSON.stringify(options) };
  environment.NODE_OPTIONS = [base.NODE_OPTIONS, `--require ${quoteForNodeOptions(path.resolve(probe))}`]
    .filter(Boolean)
    .join(' ');
  // Set inside VS Code's own processes; a script that starts Electron would find it there.
  delete environment.ELECTRON_RUN_AS_NODE;
  return environment;
}

/** NODE_OPTIONS splits at spaces outside double quotes; inside them a backslash escapes. */
export function quoteForNodeOptions(value: string): string {
  return `"${value.replaceAll(/[\\"]/g, '\\$&')}"`;
}

export function newToken(): string {
  return randomBytes(24).toString('base64url');
}
