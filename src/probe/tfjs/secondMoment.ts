/** What an optimizer of TensorFlow.js keeps of squared gradients, and divides by the root of. */
import { BasinError } from '../../protocol/errors.ts';
import { isTensor, type Variable } from './tf.ts';

interface Accumulator {
  readonly originalName: string;
  readonly variable: Variable;
}

/** Fields of the stock optimizers, as of TensorFlow.js 4. */
interface Fields {
  getClassName?: () => string;
  beta2?: unknown;
  /** β₂ᵗ⁺¹ after t updates: it starts at β₂. */
  accBeta2?: unknown;
  centered?: unknown;
}

/** Field and suffix of the accumulators' names, by the optimizer's class name. */
const kept: Readonly<Record<string, readonly [field: string, suffix: string]>> = {
  Adam: ['accumulatedSecondMoment', 'v'],
  RMSProp: ['accumulatedMeanSquares', 'rms'],
  Adagrad: ['accumulatedGrads', 'accumulator'],
  Adadelta: ['accumulatedGrads', 'accum_grad'],
};

/**
 * Adam: v/(1 − β₂ᵗ), as of its last update. RMSProp: the mean square, less the squared mean where it is centred. Adagrad:
 * the sum of squares. Adadelta: the mean square of gradients.
 * @param optimizer null when none has moved the parameters
 * @returns flat, in the order of the parameters
 * @throws BasinError `unsupported` where there are none
 */
export function secondMoment(optimizer: object | null, parameters: readonly Variable[]): Float32Array {
  if (optimizer === null) {
    throw new BasinError(
      'unsupported',
      'This process has no optimizer that has taken a step: second moments are kept by living and held runs only.',
      'Ask while the run trains or is held.',
    );
  }
  const fields = optimizer as Fields;
  const name = fields.getClassName?.() ?? '';
  const found = Object.hasOwn(kept, name) ? kept[name] : undefined;
  if (found === undefined) {
    throw new BasinError(
      'unsupported',
      `The optimizer ${name === '' ? 'of this script' : name} keeps no second moments of gradients.`,
      `They are known of ${Object.keys(kept).join(', ')}.`,
    );
  }
  const values = read(optimizer, found, parameters);
  if (name === 'RMSProp' && fields.centered === true) {
    const means = read(optimizer, ['accumulatedMeanGrads', 'mg'], parameters);
    return values.map((square, i) => square - (means[i] ?? 0) ** 2);
  }
  if (name !== 'Adam') return values;
  const { beta2, accBeta2 } = fields;
  const correction =
    typeof beta2 === 'number' && isTensor(accBeta2) ? 1 - (accBeta2.dataSync()[0] ?? NaN) / beta2 : NaN;
  if (!(correction > 0)) {
    throw new BasinError('unsupported', 'Adam has taken no step yet, so it has no second moments.');
  }
  return values.map((x) => x / correction);
}

function read(
  optimizer: object,
  [field, suffix]: readonly [string, string],
  parameters: readonly Variable[],
): Float32Array {
  const list = (optimizer as Readonly<Record<string, unknown>>)[field];
  const accumulators = Array.isArray(list) ? (list as readonly (Accumulator | null | undefined)[]) : [];
  const byName = new Map(accumulators.flatMap((a) => (a == null ? [] : [[a.originalName, a.variable]])));
  const values = new Float32Array(parameters.reduce((n, p) => n + p.size, 0));
  let offset = 0;
  for (const p of parameters) {
    const variable = byName.get(`${p.name}/${suffix}`);
    if (variable?.size !== p.size || variable.isDisposed) {
      throw new BasinError('unsupported', `The optimizer keeps no second moment of ${p.name}.`);
    }
    values.set(variable.dataSync<'float32'>(), offset);
    offset += p.size;
  }
  return values;
}
