/** A run's view as it may leave the machine: reports are passed on, and whose folder it was is nobody's business. */
import os from 'node:os';
import path from 'node:path';
import type { RunView } from '../protocol/page.ts';

/**
 * Paths inside the workspace or the run's working directory become relative to it; of others only the last part is
 * left, in sentences as well (an error that a run gave in place of its landscape names files). The process and what its
 * relaunch needs are left out.
 */
export function shareableView(view: RunView, root: string): RunView {
  const { environment: _, sources: __, ...run } = view.run;
  const bases = [root, run.cwd].filter((base) => base !== path.parse(base).root);
  const short = (file: string): string => {
    const base = bases.find((b) => file === b || file.startsWith(b + path.sep));
    return base === undefined ? path.basename(file) : path.relative(base, file) || '.';
  };
  const argument = (word: string): string => {
    // Also in `--data=/somewhere/else`.
    const [, before = '', file = ''] = /^(-[^=]*=)?(.*)$/s.exec(word) ?? [];
    return path.isAbsolute(file) ? before + short(file) : word;
  };
  const told = <T>(value: T): T => withoutPaths(value, bases);
  return {
    ...view,
    run: {
      ...run,
      cwd: short(run.cwd),
      command: run.command.map(argument),
      script: run.script === null ? null : short(run.script),
      process: null,
      stateReason: told(run.stateReason),
      recording: told(run.recording),
      objectives: run.objectives.map(({ callSite, ...objective }) => ({
        ...told(objective),
        callSite: callSite === null ? null : { ...callSite, file: short(callSite.file) },
      })),
      evaluationSet: told(run.evaluationSet),
    },
    results: told(view.results),
  };
}

/** The folders of an absolute path in a sentence, up to a blank: what stands behind them is kept. */
const FOLDERS =
  /(?<=^|[\s'"`(=,[])(?:[A-Za-z]:[\\/]|\/)(?:[^\s/\\'"`,;:()[\]{}<>]+[\\/])+(?=[^\s/\\'"`,;:()[\]{}<>])/g;

/** The same value; in its texts, however deep, folders are cut off files. */
function withoutPaths<T>(value: T, bases: readonly string[]): T {
  const folders = [...bases, os.homedir()].filter((base) => base !== path.parse(base).root);
  const shorten = (text: string): string =>
    folders.reduce((rest, base) => rest.replaceAll(base + path.sep, ''), text).replace(FOLDERS, '');
  const walk = (one: unknown): unknown => {
    if (typeof one === 'string') return shorten(one);
    if (Array.isArray(one)) return typeof one[0] === 'number' ? one : one.map(walk);
    if (typeof one !== 'object' || one === null) return one;
    return Object.fromEntries(Object.entries(one).map(([key, field]) => [key, walk(field)]));
  };
  return walk(value) as T;
}
