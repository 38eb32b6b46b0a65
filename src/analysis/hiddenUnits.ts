/**
 * Where the hidden units of a network stand in its tensors, told from the parameters alone: a chain of dense and
 * convolutional layers, with biases and norm layers between them. What goes another way (skip connections, several heads)
 * is found by looking at the loss (matchUnits.ts), not here.
 */
import type { ObjectiveInfo, ParameterInfo } from '../protocol/run.ts';

/** A tensor seen as [before, units, after], row by row: one slice for each unit. */
export interface UnitAxis {
  readonly tensor: string;
  readonly before: number;
  readonly units: number;
  readonly after: number;
  /** Running statistics of a norm layer: state, no weights. */
  readonly statistics?: true;
}

/** The output units of one layer: in any order they are the same function, if all of `axes` are put in that order. */
export interface HiddenUnits {
  readonly layer: string;
  readonly units: number;
  readonly axes: readonly UnitAxis[];
}

const product = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);
const nameOf = (parameter: ParameterInfo): string => parameter.layer ?? parameter.name;

/**
 * Of each layer but the last, whose units are the outputs.
 * @returns also the layers whose units cannot be followed into the next one, with the reason as the end of a sentence
 */
export function hiddenUnits({ parameters, state }: Pick<ObjectiveInfo, 'parameters' | 'state'>): {
  readonly groups: readonly HiddenUnits[];
  readonly leftOut: readonly { readonly layer: string; readonly reason: string }[];
} {
  const groups: HiddenUnits[] = [];
  const leftOut: { layer: string; reason: string }[] = [];
  const kernels = parameters.filter((p) => p.shape.length > 1);
  for (const [k, kernel] of kernels.slice(0, -1).entries()) {
    const layer = nameOf(kernel);
    const next = kernels[k + 1] as ParameterInfo;
    const axis = kernel.role === 'kernel' ? kernel.filterAxis : null;
    const units = axis === null ? 0 : (kernel.shape[axis] ?? 0);
    const inward = next.role === 'kernel' ? inputAxis(next, units) : null;
    if (axis === null || units < 2) {
      leftOut.push({ layer, reason: axis === null ? 'it has no output units' : 'it has one unit' });
      continue;
    }
    if (inward === null) {
      leftOut.push({ layer, reason: `its ${units} units are no inputs of ${nameOf(next)}` });
      continue;
    }
    const between = parameters.slice(parameters.indexOf(kernel) + 1, parameters.indexOf(next));
    const vectors = between.filter((p) => p.shape.length === 1);
    const other = vectors.find((p) => p.shape[0] !== units);
    if (other !== undefined) {
      leftOut.push({
        layer,
        reason: `${other.name} after it has ${other.shape.join()} values, not ${units}`,
      });
      continue;
    }
    const norms = new Set(vectors.filter((p) => p.role === 'norm').map(nameOf));
    const statistics = state.filter(
      (s) =>
        s.shape.length === 1 &&
        s.shape[0] === units &&
        [...norms].some((norm) => s.name.startsWith(`${norm}/`) || s.name.startsWith(`${norm}.`)),
    );
    groups.push({
      layer,
      units,
      axes: [
        {
          tensor: kernel.name,
          before: product(kernel.shape.slice(0, axis)),
          units,
          after: product(kernel.shape.slice(axis + 1)),
        },
        ...vectors.map(({ name }) => ({ tensor: name, before: 1, units, after: 1 })),
        ...statistics.map(({ name }) => ({
          tensor: name,
          before: 1,
          units,
          after: 1,
          statistics: true as const,
        })),
        inward,
      ],
    });
  }
  return { groups, leftOut };
}

/**
 * The next kernel's inputs, one slice a unit. A picture that is flattened between has its channels last in TF.js and
 * first in PyTorch, as the kernels' own axes of output units lie.
 */
function inputAxis({ name, shape, filterAxis }: ParameterInfo, units: number): UnitAxis | null {
  if (filterAxis === null || units === 0) return null;
  const last = filterAxis === shape.length - 1;
  const axis = last ? shape.length - 2 : 1;
  const places = (shape[axis] ?? 0) / units;
  if (!Number.isInteger(places) || places < 1) return null;
  const [outer, inner] = [product(shape.slice(0, axis)), product(shape.slice(axis + 1))];
  return last
    ? { tensor: name, before: outer * places, units, after: inner }
    : { tensor: name, before: outer, units, after: places * inner };
}
