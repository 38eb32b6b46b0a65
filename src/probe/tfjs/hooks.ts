/**
 * How the probe gets in without a change to the script: a trap on the one engine of the process, and a look at every
 * copy of the library that is loaded.
 */
import Module from 'node:module';
import type { Engine, Tensor, Variable } from './tf.ts';

type Gradients = Engine['gradients'];

export interface EngineHooks {
  /** The engine was made. */
  loaded(engine: Engine): void;
  /**
   * In place of the `engine.gradients` call of variableGrads, in which every kind of training step ends. Must make
   * the call exactly once, and let through what it throws.
   */
  step(
    engine: Engine,
    f: () => Tensor,
    variables: readonly Variable[],
    call: (f: () => Tensor) => ReturnType<Gradients>,
  ): ReturnType<Gradients>;
  /** A variable was made, and has its first value. */
  made(variable: Variable): void;
  /** A variable is about to be disposed. */
  disposing(variable: Variable): void;
}

interface EngineWithVariables extends Engine {
  makeVariable(...args: unknown[]): Variable;
  disposeVariable(variable: Variable): void;
}

/**
 * Waits for the engine, which every copy of TensorFlow.js makes or finds under `globalThis._tfengine`.
 * @param make is called when it comes; null leaves TensorFlow.js alone
 */
export function trapEngine(make: () => EngineHooks | null): void {
  Object.defineProperty(globalThis, '_tfengine', {
    configurable: true,
    enumerable: true,
    get: () => undefined,
    set(engine: Engine) {
      // From now on an ordinary property, as without the probe.
      Object.defineProperty(globalThis, '_tfengine', {
        value: engine,
        configurable: true,
        enumerable: true,
        writable: true,
      });
      const hooks = make();
      if (hooks !== null) patchEngine(engine as EngineWithVariables, hooks);
    },
  });
}

function patchEngine(engine: EngineWithVariables, hooks: EngineHooks): void {
  const { gradients, makeVariable, disposeVariable } = engine;
  engine.gradients = function (this: Engine, f, xs, dy, allowNoGradients) {
    // variableGrads alone passes true; a depth means a gradient of a gradient, inside of a loss.
    if (allowNoGradients !== true || xs.length === 0 || this.state.gradientDepth !== 0) {
      return gradients.call(this, f, xs, dy, allowNoGradients);
    }
    return hooks.step(this, f, xs as readonly Variable[], (g) => gradients.call(this, g, xs, dy, true));
  };
  engine.makeVariable = function (this: EngineWithVariables, ...args) {
    const variable = makeVariable.apply(this, args);
    hooks.made(variable);
    return variable;
  };
  engine.disposeVariable = function (this: EngineWithVariables, variable) {
    hooks.disposing(variable);
    disposeVariable.call(this, variable);
  };
  hooks.loaded(engine);
}

/**
 * Calls back before the value of one of these variables is replaced, as `assign` does. Every tensor that is disposed passes
 * here until the wait is ended.
 * @returns ends the wait: nothing is called back any more, and the engine is as it was unless another wait has begun since
 */
export function beforeMoved(engine: Engine, variables: ReadonlySet<Tensor>, moving: () => void): () => void {
  const own = Object.getOwnPropertyDescriptor(engine, 'disposeTensor');
  const { disposeTensor } = engine;
  let ended = false;
  const watched: Engine['disposeTensor'] = function (this: Engine, tensor) {
    if (!ended && variables.has(tensor)) moving();
    disposeTensor.call(this, tensor);
  };
  engine.disposeTensor = watched;
  return () => {
    ended = true;
    // Where someone else has wrapped it since, it stays, and does nothing.
    if (engine.disposeTensor !== watched) return;
    if (own === undefined) delete (engine as Partial<Engine>).disposeTensor;
    else Object.defineProperty(engine, 'disposeTensor', own);
  };
}

/** The parts of a module of TensorFlow.js that are of interest. */
export type Exports = Readonly<Record<string, unknown>>;

/** Shows every loaded CommonJS copy of TensorFlow.js to `patch`; `import` goes through the same loader. */
export function watchModules(patch: (exports: Exports) => void): void {
  const loader = Module as unknown as { _load(request: string, ...rest: unknown[]): unknown };
  const load = loader._load;
  const seen = new WeakSet<object>();
  loader._load = function (this: unknown, request: string, ...rest: unknown[]) {
    const exports = load.call(this, request, ...rest);
    if (
      typeof exports === 'object' &&
      exports !== null &&
      /tfjs|tensorflow/i.test(request) &&
      !seen.has(exports)
    ) {
      // A module that is still being loaded (a cycle) has nothing to show yet.
      if ('LayersModel' in exports || 'Optimizer' in exports) {
        seen.add(exports);
        patch(exports);
      }
    }
    return exports;
  };
}
