/**
 * What the probe needs of tfjs-layers. Its classes may exist several times in one process (each bundle carries its own),
 * so they are found through models and exports that the script itself uses.
 */
import type { LayersModel, Tensor, Variable } from './tf.ts';

export interface LayerVariable {
  read(): Variable;
  write(value: Tensor): LayerVariable;
  readonly originalName: string;
  readonly name: string;
}

export interface Layer {
  readonly name: string;
  apply(inputs: unknown, kwargs?: Record<string, unknown>): unknown;
  getClassName(): string;
  readonly weights: readonly LayerVariable[];
  readonly stateful?: boolean;
  /** Containers (models) only. */
  readonly layers?: readonly Layer[];
}

/** A batch-normalisation layer: it keeps moving averages of its batches' mean and variance. */
export interface BatchNormLayer extends Layer {
  momentum: number;
  readonly movingMean: LayerVariable;
  readonly movingVariance: LayerVariable;
}

export type LossFunction = (target: Tensor, output: Tensor) => Tensor;

/** Fields of a compiled LayersModel that its training function reads at every call. */
export interface CompiledModel extends Layer {
  metricsTensors: unknown[];
  lossFunctions: LossFunction[];
  readonly loss: unknown;
  readonly optimizer?: unknown;
}

export const compiled = (model: LayersModel): CompiledModel => model as unknown as CompiledModel;

export function isBatchNorm(layer: Layer): layer is BatchNormLayer {
  const l = layer as Partial<BatchNormLayer>;
  return typeof l.momentum === 'number' && isLayerVariable(l.movingMean) && isLayerVariable(l.movingVariance);
}

function isLayerVariable(x: unknown): x is LayerVariable {
  return typeof x === 'object' && x !== null && typeof (x as { write?: unknown }).write === 'function';
}

export const isContainer = (layer: Layer): boolean => Array.isArray(layer.layers) && 'inputs' in layer;

type LayerPrototype = Pick<Layer, 'apply'>;
const prototypes = new Set<LayerPrototype>();

/**
 * Remembers the Layer class behind an object: a model, a layer, or the prototype of such a class from a module's
 * exports. Anything else is ignored.
 */
export function noteLayerClass(instanceOrPrototype: unknown): void {
  let found: LayerPrototype | null = null;
  for (
    let p: unknown = instanceOrPrototype;
    typeof p === 'object' && p !== null;
    p = Object.getPrototypeOf(p)
  ) {
    if (Object.hasOwn(p, 'apply') && Object.hasOwn(p, 'addWeight')) found = p as LayerPrototype;
  }
  if (found !== null) prototypes.add(found);
}

/** Told of every layer call: the layer and how many layer calls it happens in. May replace arguments and output. */
export interface ApplyHook {
  before?(
    layer: Layer,
    depth: number,
    kwargs: Record<string, unknown> | undefined,
  ): Record<string, unknown> | undefined;
  after?(layer: Layer, depth: number, output: unknown): unknown;
}

/** Hooks Layer.prototype.apply of every known copy of tfjs-layers; the result undoes it. */
export function hookApply(hook: ApplyHook): () => void {
  let depth = 0;
  const undo = [...prototypes].map((prototype) => {
    const apply = prototype.apply;
    prototype.apply = function (this: Layer, inputs, kwargs) {
      const inside = depth++;
      try {
        const output = apply.call(
          this,
          inputs,
          hook.before === undefined ? kwargs : hook.before(this, inside, kwargs),
        );
        return hook.after === undefined ? output : hook.after(this, inside, output);
      } finally {
        depth--;
      }
    };
    return () => {
      prototype.apply = apply;
    };
  });
  return () => undo.forEach((u) => u());
}
