import type { Disposable } from './disposables.ts';

/** A function that runs at most once in a while. */
export interface Throttled extends Disposable {
  (): void;
}

/**
 * Runs `fn` at once when the last run is `milliseconds` ago, else at the end of that time, once for all calls between.
 * Not a debounce: a steady stream of calls still gets through, which VS Code's own CodeLens refresh does not do for us.
 */
export function throttle(milliseconds: number, fn: () => void): Throttled {
  let timer: NodeJS.Timeout | undefined;
  let last = -Infinity;
  let disposed = false;
  const run = (): void => {
    timer = undefined;
    last = performance.now();
    fn();
  };
  const throttled = (): void => {
    if (disposed || timer !== undefined) return;
    timer = setTimeout(run, Math.max(0, last + milliseconds - performance.now()));
    timer.unref();
  };
  return Object.assign(throttled, {
    dispose: () => {
      disposed = true;
      clearTimeout(timer);
    },
  });
}
