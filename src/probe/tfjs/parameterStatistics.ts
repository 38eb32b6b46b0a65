/** What a debugger shows of each parameter's numbers. */
import type { ParameterInfo } from '../../protocol/run.ts';
import { elementCount } from '../../protocol/safetensors.ts';
import type { ParameterStatistics } from '../../protocol/standing.ts';

/** @param values flat over all parameters, in order */
export function parameterStatistics(
  values: Float32Array,
  parameters: readonly ParameterInfo[],
): ParameterStatistics[] {
  let offset = 0;
  return parameters.map((parameter) => {
    const size = elementCount(parameter.shape);
    const own = values.subarray(offset, offset + size);
    offset += size;
    let [square, sum, largest, zeros, nonFinite] = [0, 0, 0, 0, 0];
    for (const x of own) {
      if (!Number.isFinite(x)) nonFinite++;
      else {
        square += x * x;
        sum += x;
        largest = Math.max(largest, Math.abs(x));
        if (x === 0) zeros++;
      }
    }
    const finite = size - nonFinite;
    return {
      norm: Math.sqrt(square),
      mean: finite === 0 ? 0 : sum / finite,
      largest,
      zeros: size === 0 ? 0 : zeros / size,
      nonFinite,
      units: zeroUnits(own, parameter),
    };
  });
}

/** Units of a kernel whose every number is zero. */
function zeroUnits(
  values: Float32Array,
  { role, filterAxis, shape }: ParameterInfo,
): ParameterStatistics['units'] {
  if (role !== 'kernel' || filterAxis === null) return null;
  const of = shape[filterAxis] ?? 0;
  // Row-major: the unit's index turns over once every so many numbers.
  const inner = elementCount(shape.slice(filterAxis + 1));
  const moved = new Uint8Array(of);
  for (let i = 0; i < values.length; i++) if (values[i] !== 0) moved[Math.floor(i / inner) % of] = 1;
  return { zero: [...moved.keys()].filter((unit) => moved[unit] === 0), of };
}
