/** The environment in which a command's Node and Python processes load the probe: one run's, or a hooked shell's. */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { HOOK_VARIABLE, PROBE_VARIABLE, type Hook, type ProbeOptionsInput } from '../protocol/launch.ts';
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
  const environment = {
    ...base,
    ...probeLoading(base, probes),
    [PROBE_VARIABLE]: JSON.stringify(options),
  };
  // A hooked shell's processes ask for a run of their own; this one has been given its run.
  Reflect.deleteProperty(environment, HOOK_VARIABLE);
  // Set inside VS Code's own processes; a script that starts Electron would find it there.
  Reflect.deleteProperty(environment, 'ELECTRON_RUN_AS_NODE');
  return environment;
}

/** What a shell's environment gets so that every training process started in it asks for a run. */
export function hookEnvironment(base: NodeJS.ProcessEnv, probes: Probes, hook: Hook): Record<string, string> {
  return { ...probeLoading(base, probes), [HOOK_VARIABLE]: JSON.stringify(hook) };
}

/** The variables by which Node and Python load the probe. What a base has already is not put there twice. */
function probeLoading(base: NodeJS.ProcessEnv, probes: Probes): Record<string, string> {
  requireProbes(probes);
  const { preload, site } = loaders(probes);
  const { NODE_OPTIONS: options = '', PYTHONPATH: paths = '' } = base;
  return {
    NODE_OPTIONS: options.includes(preload) ? options : [options, preload].filter(Boolean).join(' '),
    PYTHONPATH: paths.split(path.delimiter).includes(site)
      ? paths
      : [site, paths].filter(Boolean).join(path.delimiter),
  };
}

function loaders(probes: Probes): { readonly preload: string; readonly site: string } {
  return {
    preload: `--require ${quoteForNodeOptions(path.resolve(probes.tfjs))}`,
    site: path.resolve(probes.torch, 'site'),
  };
}

/** An environment as it was before {@link hookEnvironment}: for a relaunch, which has a probe of its own. */
export function withoutHook(hooked: NodeJS.ProcessEnv, probes: Probes): NodeJS.ProcessEnv {
  const { preload, site } = loaders(probes);
  const { NODE_OPTIONS: options, PYTHONPATH: paths, ...environment } = hooked;
  for (const name of [HOOK_VARIABLE, PROBE_VARIABLE]) Reflect.deleteProperty(environment, name);
  const without = {
    NODE_OPTIONS: options?.includes(preload) === true ? options.replace(preload, '').trim() : options,
    PYTHONPATH:
      paths?.split(path.delimiter).includes(site) === true
        ? paths
            .split(path.delimiter)
            .filter((p) => p !== site)
            .join(path.delimiter)
        : paths,
  };
  const kept = Object.entries(without).filter(([, value]) => value !== undefined && value !== '');
  return { ...environment, ...Object.fromEntries(kept) };
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
