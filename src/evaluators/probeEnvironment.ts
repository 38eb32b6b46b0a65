/** The environment in which a command's Node and Python processes load the probe. */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { PROBE_VARIABLE, type ProbeOptionsInput } from '../protocol/launch.ts';
import { requireProbes, type Probes } from './probes.ts';

export const EVALUATION_SAMPLES = 1024;

/**
 * The given environment with the probe's options, Node's preload, and the folder whose `sitecustomize` Python runs at
 * its start. Which of them comes to work is decided by the framework that the script loads.
 * @throws BasinError `internal` when the probe is not built
 */
export function probeEnvironment(
  base: NodeJS.ProcessEnv,
  probes: Probes,
  options: ProbeOptionsInput,
): NodeJS.ProcessEnv {
  requireProbes(probes);
  const environment: NodeJS.ProcessEnv = { ...base, [PROBE_VARIABLE]: JSON.stringify(options) };
  environment.NODE_OPTIONS = [
    base.NODE_OPTIONS,
    `--require ${quoteForNodeOptions(path.resolve(probes.tfjs))}`,
  ]
    .filter(Boolean)
    .join(' ');
  environment.PYTHONPATH = [path.resolve(probes.torch, 'site'), base.PYTHONPATH]
    .filter(Boolean)
    .join(path.delimiter);
  // Set inside VS Code's own processes; a script that starts Electron would find it there.
  delete environment.ELECTRON_RUN_AS_NODE;
  return environment;
}

/**
 * What decides which interpreter and libraries a command line means. None of them holds a secret, so they may be kept
 * with the run; everything else a relaunch takes from its own surroundings.
 */
const DECIDING = [
  'PATH',
  'Path',
  'VIRTUAL_ENV',
  'CONDA_PREFIX',
  'PYENV_VERSION',
  'PYTHONPATH',
  'PYTHONHOME',
  'NODE_PATH',
  'LD_LIBRARY_PATH',
  'DYLD_LIBRARY_PATH',
  'CUDA_VISIBLE_DEVICES',
];

/** The variables of an environment that a relaunch of the same command needs. */
export function decidingVariables(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    DECIDING.flatMap((name) => {
      const value = env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** NODE_OPTIONS splits at spaces outside double quotes; inside them a backslash escapes. */
export function quoteForNodeOptions(value: string): string {
  return `"${value.replaceAll(/[\\"]/g, '\\$&')}"`;
}

export function newToken(): string {
  return randomBytes(24).toString('base64url');
}
