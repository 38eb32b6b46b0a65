/** How the losses of a run replayed, one line an objective. */
import { replayInWords } from '../../protocol/replay.ts';
import type { RunManifest } from '../../protocol/run.ts';

/** @returns none while none has been checked */
export function replayLines(run: RunManifest): readonly string[] {
  const several = run.objectives.length > 1;
  return run.objectives.flatMap(({ name, replay }) =>
    replay === null ? [] : `${several ? `${name}: ` : ''}${replayInWords(replay)}`,
  );
}
