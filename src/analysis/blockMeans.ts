/** Means of blocks of successive snapshots, from which the average of any window of blocks is put together. */
import type { Operand } from '../protocol/evaluator.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import type { Snapshot } from './model.ts';
import type { Vectors } from './vectors.ts';

/** The mean weights of some successive snapshots. */
export interface Block {
  readonly members: readonly Snapshot[];
  readonly mean: Operand;
}

/** The snapshots in at most `most` blocks whose sizes differ by one at most. */
export function inBlocks(snapshots: readonly Snapshot[], most: number): Snapshot[][] {
  const count = Math.min(most, snapshots.length);
  const edge = (i: number): number => Math.round((i * snapshots.length) / count);
  return Array.from({ length: count }, (_, i) => snapshots.slice(edge(i), edge(i + 1)));
}

/**
 * The means of blocks, and exponential moving averages over all their snapshots, in one walk over the snapshots that
 * loads each once. A moving average begins at the first snapshot: a ← decay·a + (1 − decay)·θ.
 * @param decays at most two at a time keep the evaluator at four vectors
 * @param file where the mean of the i-th block is kept; null keeps none
 * @param visit is shown each snapshot while it is loaded
 * @returns the moving averages as named vectors, in the order of `decays`
 */
export async function blockMeans(
  evaluator: Evaluator,
  vectors: Vectors,
  blocks: readonly (readonly Snapshot[])[],
  decays: readonly number[],
  file: ((block: number) => string) | null,
  context: AnalysisContext,
  visit?: (snapshot: Snapshot, vector: string) => Promise<void>,
): Promise<{ blocks: Block[]; moving: string[] }> {
  const { signal } = context;
  const moving = decays.map((decay) => vectors.name(`moving-${decay}`));
  const sum = vectors.name('block');
  const done: Block[] = [];
  let first = true;
  for (const [b, members] of blocks.entries()) {
    context.progress(b / blocks.length, 'reading snapshots');
    for (const [i, snapshot] of members.entries()) {
      const loaded = await vectors.load(snapshot.vector, 'snapshot', signal);
      const mix = async (into: string, keep: number, share: number): Promise<void> => {
        const terms = [{ coefficient: share, vector: loaded }];
        if (keep !== 0) terms.push({ coefficient: keep, vector: into });
        await evaluator.combine({ into, terms, state: 'combine' }, signal);
      };
      if (file !== null) await mix(sum, i / (i + 1), 1 / (i + 1));
      for (const [d, decay] of decays.entries())
        await mix(moving[d] ?? '', first ? 0 : decay, first ? 1 : 1 - decay);
      first = false;
      await visit?.(snapshot, loaded);
      await vectors.release([loaded]);
    }
    if (file === null) continue;
    await evaluator.save({ vector: sum, file: file(b), metadata: {} }, signal);
    done.push({ members, mean: { file: file(b) } });
  }
  await vectors.release([sum]);
  return { blocks: done, moving };
}
