/**
 * State that layers keep outside of variables, and that a pass through them moves: dropout masks of recurrent cells,
 * seeds of random layers, the states of stateful recurrent layers.
 */
import type { Layer } from './layers.ts';
import type { Tensor } from './tf.ts';

interface Inner {
  readonly layers?: readonly Inner[];
  readonly layer?: Inner;
  readonly forwardLayer?: Inner;
  readonly backwardLayer?: Inner;
  readonly cell?: Inner;
  readonly cells?: readonly Inner[];
  readonly stateful?: boolean;
  resetStates?: (...args: unknown[]) => void;
  dropoutMask?: Tensor | Tensor[] | null;
  recurrentDropoutMask?: Tensor | Tensor[] | null;
  readonly randomGenerator?: { seed: number | undefined };
}

/** Layers, the layers and cells that they wrap, and so on. */
function inside(roots: readonly Inner[]): Set<Inner> {
  const found = new Set<Inner>();
  const visit = (x: Inner | null | undefined): void => {
    if (x === null || x === undefined || found.has(x)) return;
    found.add(x);
    for (const part of [x.layer, x.forwardLayer, x.backwardLayer, x.cell]) visit(part);
    for (const list of [x.layers, x.cells]) if (Array.isArray(list)) list.forEach(visit);
  };
  roots.forEach(visit);
  return found;
}

export interface LayerStateGuard {
  /** Layers with a seed of their own draw other noise in the next evaluation, and this one only. */
  shift(by: number): void;
  /** Puts everything back to where it was for the next evaluation. */
  reset(): void;
  /** Gives the layers back as they were. */
  leave(): void;
}

/** Keeps what layers hold from being moved, or puts it back. */
export function guardLayerState(layers: readonly Layer[]): LayerStateGuard {
  const resets: (() => void)[] = [];
  const shifts: ((by: number) => void)[] = [];
  const leaves: (() => void)[] = [];
  for (const x of inside(layers)) {
    for (const key of ['dropoutMask', 'recurrentDropoutMask'] as const) {
      if (!(key in x)) continue;
      const own = x[key];
      // A recurrent layer disposes of the mask that it finds; it must not find training's.
      resets.push(() => {
        x[key] = null;
      });
      leaves.push(() => {
        x[key] = own ?? null;
      });
    }
    const generator = x.randomGenerator;
    if (generator !== undefined) {
      const { seed } = generator;
      const restore = (): void => {
        generator.seed = seed;
      };
      if (seed !== undefined) {
        shifts.push((by) => {
          generator.seed = seed + by;
        });
      }
      resets.push(restore);
      leaves.push(restore);
    }
    if (x.stateful === true && typeof x.resetStates === 'function' && !Array.isArray(x.layers)) {
      // The layer writes its new states with this at the end of a pass.
      x.resetStates = () => undefined;
      leaves.push(() => {
        delete x.resetStates;
      });
    }
  }
  const run = (all: readonly (() => void)[]): void => {
    for (const f of all) f();
  };
  run(resets);
  return {
    shift: (by) => {
      for (const f of shifts) f(by);
    },
    reset: () => {
      run(resets);
    },
    leave: () => {
      run(leaves);
    },
  };
}
