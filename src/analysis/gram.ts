/** Gram matrices of weight vectors that are too long to be held at once. */
import type { AnalysisContext } from './evaluator.ts';
import { cancelled } from '../protocol/errors.ts';

/**
 * (θ_i − θ_0)·(θ_j − θ_0), in double precision: the first vector is the origin, so that squares of small differences
 * are not lost beside squares of the weights.
 *
 * @param blocks the same stretch of every vector, stretch after stretch
 * @param count how many vectors there are
 * @param length how many elements each has, for the progress
 * @returns the matrix of the vectors that are finite, and whether each is; count²/2·length products
 */
export async function gramOfBlocks(
  blocks: AsyncIterable<readonly (Float32Array | Float64Array)[]>,
  count: number,
  length: number,
  context: AnalysisContext,
): Promise<{ readonly gram: readonly (readonly number[])[]; readonly finite: readonly boolean[] }> {
  const sums = Array.from({ length: count }, () => new Float64Array(count));
  const finite = Array.from({ length: count }, () => true);
  const rows: Float64Array[] = Array.from({ length: count }, () => new Float64Array(0));
  let done = 0;
  for await (const block of blocks) {
    if (context.signal.aborted) throw cancelled();
    const [origin] = block;
    const width = origin?.length ?? 0;
    block.forEach((values, i) => {
      const row = (rows[i]?.length ?? 0) === width ? (rows[i] as Float64Array) : new Float64Array(width);
      rows[i] = row;
      for (let k = 0; k < width; k++) {
        const o = origin?.[k] ?? 0;
        // An origin that is not finite would spoil every row; any other will do, here 0.
        const difference = (values[k] as number) - (Number.isFinite(o) ? o : 0);
        if (!Number.isFinite(difference)) finite[i] = false;
        row[k] = difference;
      }
    });
    for (let i = 0; i < count; i++) {
      if (finite[i] === false) continue;
      for (let j = i; j < count; j++) {
        if (finite[j] === false) continue;
        (sums[i] as Float64Array)[j] =
          (sums[i]?.[j] ?? 0) + product(rows[i] as Float64Array, rows[j] as Float64Array);
      }
    }
    done += width;
    context.progress(done / Math.max(1, length), `weights ${done} of ${length} in ${count} snapshots`);
  }
  const kept = finite.flatMap((ok, i) => (ok ? [i] : []));
  return {
    gram: kept.map((i) => kept.map((j) => sums[Math.min(i, j)]?.[Math.max(i, j)] ?? 0)),
    finite,
  };
}

function product(a: Float64Array, b: Float64Array): number {
  // Four sums, which the processor adds side by side.
  let [s, t, u, v] = [0, 0, 0, 0];
  const whole = a.length - (a.length % 4);
  for (let k = 0; k < whole; k += 4) {
    s += (a[k] as number) * (b[k] as number);
    t += (a[k + 1] as number) * (b[k + 1] as number);
    u += (a[k + 2] as number) * (b[k + 2] as number);
    v += (a[k + 3] as number) * (b[k + 3] as number);
  }
  for (let k = whole; k < a.length; k++) s += (a[k] as number) * (b[k] as number);
  return s + t + (u + v);
}
