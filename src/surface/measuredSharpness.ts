/** λ₁ at the place of a training call. */
import type { LiveSharpness } from '../protocol/run.ts';
import { keptAnalyses } from '../runs/keptAnalyses.ts';
import { atSnapshot } from './sharpnessText.ts';
import type { TrainingSite } from './trainingSites.ts';
import { isActive } from './workspaceRuns.ts';

/** λ₁ by step: as measured while the run trained and, once it has ended, by analyses of its snapshots. */
export async function measurements({ run, objective, index }: TrainingSite): Promise<LiveSharpness[]> {
  const live = run.live.filter((l) => l.objective === index);
  if (isActive(run)) return live;
  const analyses = (await keptAnalyses(run.run)).flatMap((result) => {
    if (result.kind !== 'sharpness' || result.objective !== objective.name) return [];
    const measured = atSnapshot(result, index);
    return measured === null ? [] : [measured];
  });
  // Newest first as they are kept: of several at one step the newest counts.
  const bySteps = new Map([...live, ...analyses.reverse()].map((m) => [m.step, m]));
  return [...bySteps.values()].sort((a, b) => a.step - b.step);
}
