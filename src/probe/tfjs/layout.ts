/** What the parameters of an objective are to their layers: names, roles, filter axes. */
import type { ParameterInfo, ParameterRole } from '../../protocol/run.ts';
import type { LayersModel, Variable } from './tf.ts';

interface Owner {
  readonly layer: string;
  readonly className: string;
  /** Name of the weight inside its layer: kernel, bias, gamma, … */
  readonly weight: string;
}

/**
 * Describes parameters in their order. Weights of a layers model are known by their layer; other variables by their
 * rank alone: matrices and higher are kernels, vectors and scalars are biases.
 */
export function describeParameters(
  variables: readonly Variable[],
  model: LayersModel | null,
): ParameterInfo[] {
  const owners = model === null ? new Map<Variable, Owner>() : ownersOf(model);
  return variables.map((variable) => {
    const owner = owners.get(variable);
    const role = owner === undefined ? roleByShape(variable.shape) : roleByName(owner, variable.shape);
    return {
      name: variable.name,
      shape: [...variable.shape],
      role,
      filterAxis: role === 'kernel' ? filterAxis(owner?.className ?? null, variable.shape) : null,
      layer: owner?.layer ?? null,
    };
  });
}

function ownersOf(model: LayersModel): Map<Variable, Owner> {
  const owners = new Map<Variable, Owner>();
  const visit = (container: LayersModel): void => {
    for (const layer of container.layers) {
      if (Array.isArray((layer as Partial<LayersModel>).layers)) {
        visit(layer as LayersModel);
        continue;
      }
      for (const weight of layer.weights) {
        const variable = weight.read() as Variable;
        const name = weight.originalName;
        owners.set(variable, {
          layer: layer.name,
          className: layer.getClassName(),
          weight: name.slice(name.lastIndexOf('/') + 1),
        });
      }
    }
  };
  visit(model);
  return owners;
}

function roleByName({ weight, className }: Owner, shape: readonly number[]): ParameterRole {
  if (/^embeddings?$/.test(weight)) return 'embedding';
  if (/^(gamma|beta)$/.test(weight) || /Normalization$/.test(className)) return 'norm';
  if (/kernel/.test(weight)) return 'kernel';
  if (/bias/.test(weight)) return 'bias';
  return shape.length >= 2 ? 'kernel' : 'other';
}

const roleByShape = (shape: readonly number[]): ParameterRole => (shape.length >= 2 ? 'kernel' : 'bias');

/** Axis of output units: the last one, with the two exceptions that TensorFlow.js's layouts make. */
function filterAxis(className: string | null, shape: readonly number[]): number | null {
  if (shape.length < 2) return null;
  const last = shape.length - 1;
  // [height, width, (depth,) outputs, inputs]
  if (className === 'Conv2DTranspose' || className === 'Conv3DTranspose') return last - 1;
  // [height, width, channels, multiplier]: with a multiplier of one, each channel is a unit.
  if (className === 'DepthwiseConv2D' && shape[last] === 1) return last - 1;
  return last;
}

/** Safetensors names of TensorFlow.js's dtypes; null for those that cannot be written (strings, complex numbers). */
export function safetensorsDtype(dtype: string): 'F32' | 'I32' | 'BOOL' | null {
  if (dtype === 'float32') return 'F32';
  if (dtype === 'int32') return 'I32';
  return dtype === 'bool' ? 'BOOL' : null;
}
