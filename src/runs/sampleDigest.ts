/** A digest of the samples of an evaluation set, the same however they were cut into batches. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { readSafetensorsHeader } from './safetensorsFile.ts';

/**
 * Of runs of one framework that were held against the same samples in the same order it is the same.
 * @throws BasinError `not-found`, `corrupt-run`
 */
export async function sampleDigest(file: string): Promise<string> {
  const { tensors } = await readSafetensorsHeader(file);
  const bytes = await readFile(file);
  const places = tensors.map(({ name, begin, end }) => {
    const [, batch = '-1', leaf = name] = /^b(\d+)\/(.*)$/.exec(name) ?? [];
    return { batch: Number(batch), leaf, begin, end };
  });
  places.sort((a, b) => a.leaf.localeCompare(b.leaf) || a.batch - b.batch);
  const hash = createHash('sha256');
  for (const { begin, end } of places) hash.update(bytes.subarray(begin, end));
  return hash.digest('hex');
}
