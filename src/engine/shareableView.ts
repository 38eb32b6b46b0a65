/** A run's view as it may leave the machine: reports are passed on, and whose folder it was is nobody's business. */
import path from 'node:path';
import type { RunView } from '../protocol/page.ts';

/**
 * Paths inside the workspace or the run's working directory become relative to it; of others only the last part is
 * left. The process and what its relaunch needs are left out.
 */
export function shareableView(view: RunView, root: string): RunView {
  const { environment: _, ...run } = view.run;
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
  return {
    ...view,
    run: {
      ...run,
      cwd: short(run.cwd),
      command: run.command.map(argument),
      script: run.script === null ? null : short(run.script),
      process: null,
      stateReason: run.stateReason === null ? null : withoutPaths(run.stateReason, bases),
      recording: { ...run.recording, notes: run.recording.notes.map((note) => withoutPaths(note, bases)) },
      objectives: run.objectives.map((objective) => ({
        ...objective,
        callSite:
          objective.callSite === null
            ? null
            : { ...objective.callSite, file: short(objective.callSite.file) },
        replay:
          objective.replay === null
            ? null
            : {
                ...objective.replay,
                reason:
                  objective.replay.reason === null ? null : withoutPaths(objective.replay.reason, bases),
              },
      })),
    },
  };
}

/** A sentence may name files: the workspace's folder is cut off them. */
function withoutPaths(sentence: string, bases: readonly string[]): string {
  return bases.reduce((text, base) => text.replaceAll(base + path.sep, ''), sentence);
}
