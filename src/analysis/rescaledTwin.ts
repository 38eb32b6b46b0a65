/**
 * A twin of a model: the same function with other weights, all of one layer times 10 and the kernel of the next divided
 * by 10, as ReLU lets through (Dinh et al. 2017). A measure that differs between the two tells of the weights' scale, not of the function.
 */
import type { RescaledPair } from '../protocol/flatness.ts';
import type { ParameterInfo } from '../protocol/run.ts';
import { lossAt } from './model.ts';
import type { Surroundings } from './surroundings.ts';

export const TWIN_FACTOR = 10;
/** Largest |loss of the twin − loss|/|loss| of what counts as the same function. */
const SAME = 1e-5;

export interface Twin {
  /** Named vector of the weights, with the model's state. */
  readonly vector: string;
  readonly pair: RescaledPair;
}

/** The first pair of successive layers that can be rescaled; else how many were tried. */
export async function rescaledTwin(
  around: Surroundings,
): Promise<{ readonly twin: Twin } | { readonly tried: number }> {
  const { evaluator, vectors, context, at, loss } = around;
  const all = evaluator.description.objective.parameters;
  const layers = layersOf(all);
  const restricted = async (parameters: readonly ParameterInfo[]) => {
    const into = around.name('part');
    const names = parameters.map((p) => p.name);
    const { norm } = await evaluator.restrict({ vector: at, into, parameters: names }, context.signal);
    return { into, norm };
  };
  let tried = 0;
  for (const [i, above] of layers.slice(1).entries()) {
    const below = layers[i];
    const kernels = above.parameters.filter(({ role }) => role !== 'bias' && role !== 'norm');
    if (below === undefined || kernels.length === 0) continue;
    const moved = new Set([...below.parameters, ...kernels]);
    const parts = [
      { factor: TWIN_FACTOR, parameters: below.parameters },
      { factor: 1 / TWIN_FACTOR, parameters: kernels },
      { factor: 1, parameters: all.filter((p) => !moved.has(p)) },
    ].filter(({ parameters }) => parameters.length > 0);
    const terms: { coefficient: number; vector: string }[] = [];
    let zero = false;
    for (const { factor, parameters } of parts) {
      const { into, norm } = await restricted(parameters);
      terms.push({ coefficient: factor, vector: into });
      // A layer of zeros is the same at any scale: no twin of it differs from the model.
      zero ||= factor !== 1 && norm === 0;
    }
    const vector = around.name('twin');
    await evaluator.combine({ into: vector, terms, state: at }, context.signal);
    await vectors.release(terms.map((term) => term.vector));
    tried++;
    const rescaled = await lossAt(evaluator, vector, around.how, context.signal);
    const difference = Math.abs(rescaled.loss - loss);
    if (!zero && difference <= SAME * Math.abs(loss)) {
      const relativeDifference = difference === 0 ? 0 : difference / Math.abs(loss);
      const pair = { multiplied: below.name, divided: above.name, factor: TWIN_FACTOR, relativeDifference };
      return { twin: { vector, pair } };
    }
    await vectors.release([vector]);
  }
  return { tried };
}

interface Layer {
  readonly name: string;
  readonly parameters: ParameterInfo[];
}

/**
 * In the order of the parameters. A parameter without a layer is one by itself. What has biases only belongs to the layer
 * before it: a script that makes its own tensors has no layers that tell which bias is added to which product.
 */
function layersOf(parameters: readonly ParameterInfo[]): Layer[] {
  const layers = new Map<string, Layer>();
  for (const parameter of parameters) {
    const name = parameter.layer ?? parameter.name;
    const layer = layers.get(name);
    if (layer === undefined) layers.set(name, { name, parameters: [parameter] });
    else layer.parameters.push(parameter);
  }
  const merged: Layer[] = [];
  for (const layer of layers.values()) {
    const before = merged.at(-1);
    if (before !== undefined && layer.parameters.every((p) => p.role === 'bias')) {
      before.parameters.push(...layer.parameters);
    } else merged.push(layer);
  }
  return merged;
}
