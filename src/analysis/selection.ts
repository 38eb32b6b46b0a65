/** Greedy selection of an ensemble's members on held-out samples (Caruana et al. 2004), without replacement. */
import type { Combination } from '../protocol/evaluator.ts';
import type { Selection } from '../protocol/ensembles.ts';
import { gainOf, ofFold, pairedDifferences, verdictOf } from './gain.ts';
import { mean } from './moments.ts';
import { Ensemble, lossesOf, type Rows } from './predictions.ts';

/** A model that may become a member. */
export interface Candidate {
  readonly id: string;
  readonly rows: Rows;
}

/**
 * From the best single candidate on, the one that makes the ensemble's mean loss lowest is taken, until none lowers it or
 * there are `most`.
 * @param on which samples' losses count
 * @returns indices of candidates in the order they were taken, and the best one that was left
 */
export function select(
  candidates: readonly Candidate[],
  combine: Combination,
  most: number,
  on: (losses: readonly number[]) => readonly number[] = (losses) => losses,
): { taken: { index: number; loss: number }[]; refused: { index: number; loss: number } | null } {
  const taken: { index: number; loss: number }[] = [];
  let ensemble = new Ensemble(combine);
  while (taken.length < Math.min(most, candidates.length)) {
    let best: { index: number; loss: number } | null = null;
    for (const [index, { rows }] of candidates.entries()) {
      if (taken.some((t) => t.index === index)) continue;
      const found = mean(on(lossesOf(ensemble.with(rows).rows(rows))));
      const loss = Number.isFinite(found) ? found : Infinity;
      if (best === null || loss < best.loss) best = { index, loss };
    }
    if (best === null) break;
    if (taken.length > 0 && !(best.loss < (taken.at(-1)?.loss ?? Infinity))) return { taken, refused: best };
    taken.push(best);
    const member = candidates[best.index];
    if (member !== undefined) ensemble = ensemble.with(member.rows);
  }
  return { taken, refused: null };
}

/**
 * The selection on all samples, and what selecting so is worth over `baseline` on samples that had no part in it.
 * @param baseline losses of the last snapshot, sample for sample
 */
export function judgedSelection(
  candidates: readonly Candidate[],
  combine: Combination,
  most: number,
  baseline: readonly number[],
): { chosen: number[]; selection: Selection } {
  const { taken, refused } = select(candidates, combine, most);
  const id = (index: number): string => candidates[index]?.id ?? '';
  const judged = [0, 1].flatMap((fold) => {
    const half = select(candidates, combine, most, (losses) => ofFold(losses, fold)).taken;
    const rows = half.flatMap(({ index }) => candidates[index]?.rows ?? []);
    const [first] = rows;
    if (first === undefined) return [];
    const losses = lossesOf(rows.reduce((e, r) => e.with(r), new Ensemble(combine)).rows(first));
    return ofFold(pairedDifferences(baseline, losses) ?? [], 1 - fold);
  });
  const expectedGain = judged.length < 4 ? null : gainOf(judged);
  return {
    chosen: taken.map((t) => t.index),
    selection: {
      candidates: candidates.map((c) => c.id),
      taken: taken.map(({ index, loss }) => ({ member: id(index), loss })),
      refused:
        refused === null
          ? null
          : { member: id(refused.index), loss: Number.isFinite(refused.loss) ? refused.loss : null },
      expectedGain,
      verdict: verdictOf(expectedGain, mean(baseline)),
    },
  };
}
