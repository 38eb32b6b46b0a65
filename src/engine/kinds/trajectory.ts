import { trajectory } from '../../analysis/trajectory.ts';
import { trajectoryDefaults } from '../../protocol/trajectory.ts';
import { snapshotBlocks } from '../../runs/snapshotBlocks.ts';
import { requireInteger, type RunKind } from '../kind.ts';

/** Products of the Gram matrix that are worth waiting for, half a minute of them. */
const MOST_PRODUCTS = 2e10;
const FEWEST_SNAPSHOTS = 10;
const MOST_SNAPSHOTS = 200;

export const trajectoryKind: RunKind<'trajectory'> = {
  needs: 'run',
  complete(job, contents) {
    const { components } = { ...trajectoryDefaults, ...job };
    requireInteger('components', components, 2, 20);
    const affordable = Math.floor(Math.sqrt((2 * MOST_PRODUCTS) / contents.objective.parameterCount));
    const wanted = job.snapshots ?? Math.min(MOST_SNAPSHOTS, Math.max(FEWEST_SNAPSHOTS, affordable));
    requireInteger('snapshots', wanted, 3, MOST_SNAPSHOTS);
    return { ...job, components, snapshots: wanted };
  },
  models: () => [],
  async run(job, { contents, context }) {
    const { run, objective, objectiveIndex, snapshots, steps } = contents;
    const { components } = { ...trajectoryDefaults, ...job };
    const chosen = spread(
      snapshots.map((s) => s.step),
      job.snapshots ?? MOST_SNAPSHOTS,
    );
    return trajectory(
      {
        snapshots: chosen,
        snapshotsThere: snapshots.length,
        blocks: snapshotBlocks(
          chosen.map((step) => run.snapshotPath(step, objectiveIndex)),
          objective,
        ),
        sketch: await run.openSketch(objectiveIndex),
        steps,
        parameters: objective.parameterCount,
        components,
      },
      context,
    );
  },
};

/** At most so many, evenly spread, first and last among them. */
function spread(all: readonly number[], most: number): number[] {
  if (all.length <= most) return [...all];
  return Array.from({ length: most }, (_, i) => all[Math.round((i * (all.length - 1)) / (most - 1))] ?? 0);
}
