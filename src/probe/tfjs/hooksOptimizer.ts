/** Seeing each update where it happens: `applyGradients` of every optimizer class; and whose gradients are taken. */
import type { OptimizerInfo } from '../../protocol/run.ts';
import type { Exports } from './hooks.ts';
import type { Tensor } from './tf.ts';

export interface Optimizer {
  readonly learningRate?: unknown;
  /** SGD and momentum: −η as a tensor, which is what they multiply by. */
  readonly c?: Tensor;
  getClassName(): string;
  getConfig(): Record<string, unknown>;
}

export function isOptimizer(x: unknown): x is Optimizer {
  if (typeof x !== 'object' || x === null) return false;
  const { getClassName, getConfig } = x as Partial<Optimizer>;
  return typeof getClassName === 'function' && typeof getConfig === 'function';
}

export interface OptimizerHooks {
  /** An optimizer takes the gradients itself that it will apply; null when it has them. */
  computing(optimizer: Optimizer | null): void;
  /** Before the update of these variables. */
  applying(optimizer: Optimizer, gradients: AppliedGradients): void;
  /** After it. @param done whether it has come to its end; what it has thrown reaches the script */
  applied(done: boolean): void;
}

/** By the name of the variable that is going to be moved. */
export type AppliedGradients = ReadonlyMap<string, Tensor | null | undefined>;

interface OptimizerPrototype {
  applyGradients?: (gradients: unknown) => void;
  /** Of the base class; `minimize` calls it. */
  computeGradients?: (...args: unknown[]) => unknown;
}

const patched = new WeakSet<object>();

export function patchOptimizers(exports: Exports, hooks: OptimizerHooks): void {
  for (const value of Object.values(exports)) {
    const prototype = prototypeOf(value);
    if (prototype === null || patched.has(prototype)) continue;
    if (Object.hasOwn(prototype, 'computeGradients') && typeof prototype.computeGradients === 'function') {
      patchCompute(prototype as Required<OptimizerPrototype>, hooks);
    }
    if (Object.hasOwn(prototype, 'applyGradients') && typeof prototype.applyGradients === 'function') {
      patchApply(prototype as Required<OptimizerPrototype>, hooks);
    }
  }
}

function prototypeOf(value: unknown): OptimizerPrototype | null {
  if (typeof value !== 'function') return null;
  const prototype = (value as { prototype?: unknown }).prototype;
  if (typeof prototype !== 'object' || prototype === null) return null;
  const isOne = 'applyGradients' in prototype || 'computeGradients' in prototype;
  return isOne ? (prototype as OptimizerPrototype) : null;
}

function patchCompute(prototype: Required<OptimizerPrototype>, hooks: OptimizerHooks): void {
  patched.add(prototype);
  const { computeGradients } = prototype;
  prototype.computeGradients = function (this: Optimizer, ...args) {
    hooks.computing(this);
    try {
      return computeGradients.apply(this, args);
    } finally {
      hooks.computing(null);
    }
  };
}

function patchApply(prototype: Required<OptimizerPrototype>, hooks: OptimizerHooks): void {
  patched.add(prototype);
  const { applyGradients } = prototype;
  let depth = 0;
  prototype.applyGradients = function (this: Optimizer, gradients) {
    // A subclass may call its parent's: one update.
    if (depth++ === 0) hooks.applying(this, byName(gradients));
    let done = false;
    try {
      applyGradients.call(this, gradients);
      done = true;
    } finally {
      if (--depth === 0) hooks.applied(done);
    }
  };
}

function byName(gradients: unknown): AppliedGradients {
  if (Array.isArray(gradients))
    return new Map(
      (gradients as { name: string; tensor: Tensor }[]).map(({ name, tensor }) => [name, tensor]),
    );
  return new Map(Object.entries((gradients ?? {}) as Record<string, Tensor>));
}

/** The rate that the next update will use. */
export class LearningRate {
  private tensor: Tensor | null = null;
  private ofTensor: number | null = null;

  /** null when the optimizer does not tell. */
  read(optimizer: Optimizer): number | null {
    const { c, learningRate } = optimizer;
    const stated = typeof learningRate === 'number' ? learningRate : null;
    if (c === undefined || typeof c.dataSync !== 'function' || c.isDisposed) return stated;
    if (c !== this.tensor) {
      this.tensor = c;
      this.ofTensor = -(c.dataSync()[0] as number);
    }
    // Setting the property of an SGD optimizer changes nothing: the tensor counts, in double precision if they agree.
    return stated !== null && Math.fround(stated) === this.ofTensor ? stated : this.ofTensor;
  }
}

export function describeOptimizer(optimizer: Optimizer): OptimizerInfo {
  const config: OptimizerInfo['config'] = {};
  for (const [key, value] of Object.entries(optimizer.getConfig())) {
    if (typeof value === 'number' ? Number.isFinite(value) : ['boolean', 'string'].includes(typeof value)) {
      config[key] = value as number | boolean | string;
    } else if (value === null) config[key] = null;
  }
  return { name: optimizer.getClassName(), config };
}
