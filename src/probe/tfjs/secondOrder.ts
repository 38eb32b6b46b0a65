/** Gradients of the captured loss, and exact Hessian-vector products by differentiating the gradient again. */
import type { Batch } from './capture.ts';
import * as ops from './ops.ts';
import type { Session } from './replay.ts';
import { secondOrderGradients } from './secondOrderGradients.ts';
import { gradientRegistry, type Engine, type GradientConfig, type Tensor } from './tf.ts';

/**
 * Adds weight · ∇L(batch) to `into` (flat, float64, in the order of parameters).
 * @returns the loss on the batch
 */
export function addGradient(session: Session, batch: Batch, weight: number, into: Float64Array): number {
  let loss = NaN;
  session.run(batch, (f) => {
    const { value, grads } = differentiate(session.capture.engine, f, session.capture.variables);
    loss = value.dataSync()[0] ?? NaN;
    accumulate(session, grads, weight, into);
  });
  return loss;
}

/**
 * Adds weight · H(batch)·v to `into`, exactly: the gradient of ∇L·v.
 * @param v one tensor a parameter
 * @throws Error when an operation of the closure has no second derivative
 */
export function addHessianProduct(
  session: Session,
  batch: Batch,
  v: readonly Tensor[],
  weight: number,
  into: Float64Array,
): void {
  const { engine, variables } = session.capture;
  withSecondOrder(engine, () => {
    session.run(batch, (f) => {
      const along = (): Tensor => gradientAlong(engine, f, variables, v);
      const { grads } = differentiate(engine, along, variables);
      accumulate(session, grads, weight, into);
    });
  });
}

/** ∇f·v, on the gradient tape. @param v one tensor a variable */
export function gradientAlong(
  engine: Engine,
  f: () => Tensor,
  variables: readonly Tensor[],
  v: readonly Tensor[],
): Tensor {
  const terms = differentiate(engine, f, variables).grads.flatMap((g, i) => {
    const direction = v[i];
    return g === null || g === undefined || direction === undefined ? [] : [ops.sum(ops.mul(g, direction))];
  });
  return terms.reduce((a, b) => ops.add(a, b), ops.scalar(0));
}

/** The gradient by the mended table: equal to the stock one, unless the script has custom gradients of its own. */
export function addMendedGradient(session: Session, batch: Batch, weight: number, into: Float64Array): void {
  withSecondOrder(session.capture.engine, () => {
    addGradient(session, batch, weight, into);
  });
}

/** engine.gradients without the recording side's hook on it. */
export function differentiate(
  engine: Engine,
  f: () => Tensor,
  variables: readonly Tensor[],
): { value: Tensor; grads: (Tensor | null | undefined)[] } {
  const { gradients } = Object.getPrototypeOf(engine) as Engine;
  return gradients.call(engine, f, variables, null, true);
}

/** Adds weight · gradients to a flat vector in the order of parameters. */
export function accumulate(
  session: Session,
  grads: readonly (Tensor | null | undefined)[],
  weight: number,
  into: Float64Array,
): void {
  let offset = 0;
  session.capture.variables.forEach((v, i) => {
    const g = grads[i]?.dataSync();
    // No path from a parameter to the loss: its part is zero.
    if (g !== undefined)
      for (let j = 0; j < g.length; j++) into[offset + j] = (into[offset + j] ?? 0) + weight * (g[j] ?? 0);
    offset += v.size;
  });
}

/** Stock gradients that save their output, or cannot be differentiated again though they do not say so. */
const savesOutput = (g: GradientConfig): boolean => g.outputsToSave?.some(Boolean) === true;
/** Saves its output, but only hands it to a backward kernel that is in the table. */
const harmless = new Set(['MaxPool']);

/** Runs `body` with gradients that can be differentiated again; the script's own are put back after it. */
export function withSecondOrder<T>(engine: Engine, body: () => T): T {
  const registry = gradientRegistry();
  const before = new Map(registry);
  const customGrad = Object.getOwnPropertyDescriptor(engine, 'customGrad');
  const addTapeNode = Object.getOwnPropertyDescriptor(engine, 'addTapeNode');
  const runKernelFunc = Object.getOwnPropertyDescriptor(engine, 'runKernelFunc');
  for (const [name, stock] of before) {
    if (savesOutput(stock) && !harmless.has(name) && !secondOrderGradients.has(name))
      registry.set(name, refusing(engine, stock));
  }
  for (const [name, gradient] of secondOrderGradients) registry.set(name, gradient);
  // The library hides fused kernels and some losses behind custom gradients: differentiate what is inside of them.
  engine.customGrad =
    (f) =>
    (...inputs) =>
      f(...inputs, () => undefined).value;
  // Custom gradients that were made before are the script's own. What they save is unknown to the tape.
  const runKernel = engine.runKernelFunc;
  engine.runKernelFunc = function (invocation) {
    if (invocation.kernelName === undefined && this.state.gradientDepth > 0 && this.state.kernelDepth === 0) {
      throw new Error('the script defines a gradient of its own.');
    }
    return runKernel.call(this, invocation);
  };
  const add = engine.addTapeNode;
  // Absent optional inputs (a bias, an offset) stand in the map as undefined, which the tape does not expect.
  engine.addTapeNode = function (name, inputs, ...rest) {
    const present = Object.values(inputs).includes(undefined as never)
      ? Object.fromEntries(Object.entries(inputs).filter(([, x]) => (x as Tensor | null | undefined) != null))
      : inputs;
    add.call(this, name, present, ...rest);
  };
  try {
    return body();
  } finally {
    restore(engine, 'customGrad', customGrad);
    restore(engine, 'addTapeNode', addTapeNode);
    restore(engine, 'runKernelFunc', runKernelFunc);
    registry.clear();
    for (const [name, gradient] of before) registry.set(name, gradient);
  }
}

function restore(
  engine: Engine,
  key: 'customGrad' | 'addTapeNode' | 'runKernelFunc',
  own: PropertyDescriptor | undefined,
): void {
  if (own === undefined) Reflect.deleteProperty(engine, key);
  else Object.defineProperty(engine, key, own);
}

/** A stock gradient that is right by itself and would silently be wrong when differentiated again. */
function refusing(engine: Engine, stock: GradientConfig): GradientConfig {
  return {
    ...stock,
    gradFunc: (dy, saved, attributes) => {
      // An outer tape is on: this gradient is to be differentiated.
      if (engine.state.gradientDepth > 0) throw new Error(`${stock.kernelName} has no second derivative.`);
      return stock.gradFunc(dy, saved, attributes);
    },
  };
}
