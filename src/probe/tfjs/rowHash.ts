/** Recognising samples that come again: a hash of each row over all leaves of a batch. */
import type { Batch } from './capture.ts';

/**
 * One hash a sample, over the leaves that have the samples along their first axis; one for the whole batch when no
 * leaf has. 53 bits of two FNV-1a passes over 32-bit words: a chance collision within thousands of samples is out of
 * the question.
 */
export function hashRows(batch: Batch): number[] {
  const leaves = batch.leaves.filter((leaf) => leaf !== null);
  const perSample = leaves.filter(({ shape }) => shape.length > 0 && shape[0] === batch.samples);
  const hashed = perSample.length > 0 ? perSample : leaves;
  const count = perSample.length > 0 ? batch.samples : 1;
  const low = new Uint32Array(count).fill(0x811c9dc5);
  const high = new Uint32Array(count).fill(0x9747b28c);
  for (const { values } of hashed) {
    const words =
      values.BYTES_PER_ELEMENT === 4
        ? new Uint32Array(values.buffer, values.byteOffset, values.length)
        : values;
    const width = words.length / count;
    for (let row = 0; row < count; row++) {
      let a = low[row] as number;
      let b = high[row] as number;
      for (let i = row * width; i < (row + 1) * width; i++) {
        const word = words[i] as number;
        // The shifts carry high bits down: the low bits of many floats are all zero.
        a = Math.imul(a ^ word, 0x01000193);
        a ^= a >>> 15;
        b = Math.imul(b ^ word, 0x85ebca6b);
        b ^= b >>> 13;
      }
      low[row] = a;
      high[row] = b;
    }
  }
  // Typed arrays have made both unsigned again.
  return Array.from(low, (a, row) => a * 2 ** 21 + ((high[row] as number) >>> 11));
}
