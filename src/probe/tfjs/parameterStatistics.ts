/** What a debugger shows of each parameter's numbers. */
import type { ParameterStatistics } from '../../protocol/standing.ts';

/**
 * @param values flat over all parameters
 * @param sizes of the parameters, in order
 */
export function parameterStatistics(values: Float32Array, sizes: readonly number[]): ParameterStatistics[] {
  let offset = 0;
  return sizes.map((size) => {
    let [square, sum, largest, zeros, nonFinite] = [0, 0, 0, 0, 0];
    for (const x of values.subarray(offset, offset + size)) {
      if (!Number.isFinite(x)) nonFinite++;
      else {
        square += x * x;
        sum += x;
        largest = Math.max(largest, Math.abs(x));
        if (x === 0) zeros++;
      }
    }
    offset += size;
    const finite = size - nonFinite;
    return {
      norm: Math.sqrt(square),
      mean: finite === 0 ? 0 : sum / finite,
      largest,
      zeros: size === 0 ? 0 : zeros / size,
      nonFinite,
    };
  });
}
