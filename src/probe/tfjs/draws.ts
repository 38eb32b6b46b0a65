/**
 * TensorFlow.js seeds its random operations (dropout, Gaussian noise, tf.randomNormal) from Math.random. Recording
 * those draws and feeding them again replays a step's noise exactly, without moving the script's own stream.
 */
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** Runs `call` and notes every draw that it takes from Math.random. The stream itself is untouched. */
export function recordDraws<T>(call: () => T): { readonly result: T; readonly draws: number[] } {
  const random = Math.random;
  const draws: number[] = [];
  const recording = (): number => {
    const x = random();
    draws.push(x);
    return x;
  };
  Math.random = recording;
  try {
    return { result: call(), draws };
  } finally {
    // A script that put a generator of its own there meanwhile keeps it.
    if (Math.random === recording) Math.random = random;
  }
}

/**
 * Runs `call` with Math.random giving `draws` in turn, and after them a fixed sequence, so that noise is the same at
 * every point of a picture. The real stream is not moved.
 * @param seed of a stream in place of that sequence, for noise that was never recorded
 * @returns what `call` gave, and how many draws it took
 */
export function replayDraws<T>(
  draws: readonly number[],
  call: () => T,
  seed?: number,
): { readonly result: T; readonly taken: number } {
  const random = Math.random;
  let taken = 0;
  const rng = seed === undefined ? null : xoroshiro128plus(seed);
  Math.random = () => {
    const recorded = draws[taken++];
    if (recorded !== undefined) return recorded;
    // Weyl sequence of the golden ratio: equidistributed, and no state to keep.
    return rng === null ? (taken * 0.6180339887498949) % 1 : uniformFloat64(rng);
  };
  try {
    const result = call();
    return { result, taken };
  } finally {
    Math.random = random;
  }
}
