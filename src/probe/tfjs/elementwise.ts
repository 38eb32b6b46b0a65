/** The request `elementwise`: functions of one vector or two, element by element. */
import { BasinError } from '../../protocol/errors.ts';
import type { ElementwiseFunction } from '../../protocol/evaluator.ts';

type Function = (a: number, b: number) => number;

const ofOne: Readonly<Partial<Record<ElementwiseFunction, Function>>> = {
  absolute: Math.abs,
  root: (a) => Math.sqrt(Math.abs(a)),
  sign: Math.sign,
  add: (a, constant) => a + constant,
};
const ofTwo: Readonly<Partial<Record<ElementwiseFunction, Function>>> = {
  product: (a, b) => a * b,
  quotient: (a, b) => (b === 0 ? 0 : a / b),
  clip: (a, b) => Math.min(Math.max(a, -Math.abs(b)), Math.abs(b)),
};

/**
 * A new vector, computed in float64 and rounded once.
 * @param constant what `add` adds
 * @throws BasinError `bad-input` for another function, a wrong number of operands, or no constant for `add`
 */
export function elementwise(
  name: ElementwiseFunction,
  operands: readonly Float32Array[],
  constant: number | undefined,
): Float32Array {
  const one = Object.hasOwn(ofOne, name) ? ofOne[name] : undefined;
  const two = Object.hasOwn(ofTwo, name) ? ofTwo[name] : undefined;
  const [a, b] = operands;
  const f = one ?? two;
  if (f === undefined) {
    throw new BasinError(
      'bad-input',
      `There is no elementwise function "${name}".`,
      `There are ${[...Object.keys(ofOne), ...Object.keys(ofTwo)].join(', ')}.`,
    );
  }
  if (a === undefined || operands.length !== (one === undefined ? 2 : 1)) {
    throw new BasinError(
      'bad-input',
      `The elementwise function "${name}" takes ${one === undefined ? 'two vectors' : 'one vector'}.`,
    );
  }
  if (name === 'add' && typeof constant !== 'number') {
    throw new BasinError('bad-input', 'The elementwise function "add" needs a constant.');
  }
  const values = new Float32Array(a.length);
  if (b === undefined) for (let i = 0; i < a.length; i++) values[i] = f(a[i] ?? NaN, constant ?? NaN);
  else for (let i = 0; i < a.length; i++) values[i] = f(a[i] ?? NaN, b[i] ?? NaN);
  return values;
}
