/** The evaluation set as it lies in data/: see protocol/evaluationSet.ts for the layout. */
import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { BasinError } from '../../protocol/errors.ts';
import { batchInfoSchema, type BatchInfo } from '../../protocol/evaluationSet.ts';
import { decodeNumber, encodeNumber } from '../../protocol/run.ts';
import { headerLength, parseHeader, type TensorEntry } from '../../protocol/safetensors.ts';
import type { Batch, HostTensor } from './capture.ts';
import type { OutgoingTensor } from './channel.ts';
import { safetensorsDtype } from './layout.ts';

/** @throws BasinError `unsupported` when a leaf is of a type that the file cannot hold */
export function encodeEvaluationSet(batches: readonly Batch[]): {
  readonly tensors: OutgoingTensor[];
  readonly metadata: Record<string, string>;
} {
  const leaves = batches[0]?.leaves.length ?? 0;
  const tensors: OutgoingTensor[] = [];
  const put = (name: string, host: HostTensor): void => {
    const dtype = safetensorsDtype(host.dtype);
    if (dtype === null) throw new BasinError('unsupported', `The batch has a tensor of type ${host.dtype}.`);
    tensors.push({ name, dtype, shape: host.shape, values: host.values });
  };
  for (let leaf = 0; leaf < leaves; leaf++) {
    const first = batches[0]?.leaves[leaf] ?? null;
    const shared = batches.length > 1 && batches.every((batch) => batch.leaves[leaf] === first);
    if (shared) {
      if (first !== null) put(`shared/${leaf}`, first);
      continue;
    }
    batches.forEach((batch, b) => {
      const host = batch.leaves[leaf];
      if (host != null) put(`b${b}/${leaf}`, host);
    });
  }
  const infos = batches.map(({ step, samples, loss, draws }): BatchInfo => ({
    step,
    samples,
    loss: loss === null ? null : encodeNumber(loss),
    draws: [...draws],
  }));
  return { tensors, metadata: { batches: JSON.stringify(infos), leaves: String(leaves) } };
}

/**
 * @param leaves number of leaves that the closure has: a file of another script does not fit
 * @throws BasinError `corrupt-run`, `not-replayable`
 */
export function readEvaluationSet(file: string, leaves: number): Batch[] {
  const bytes = readFileSync(file);
  const length = headerLength(bytes.subarray(0, 8), bytes.length);
  const { tensors, metadata } = parseHeader(bytes.subarray(8, 8 + length), bytes.length);
  if (metadata.leaves !== undefined && Number(metadata.leaves) !== leaves) {
    throw new BasinError(
      'not-replayable',
      `The loss reads ${leaves} tensors, and read ${metadata.leaves} when the run was recorded.`,
      'The script or what it was started with has changed since: train again.',
    );
  }
  const parsed = v.safeParse(v.array(batchInfoSchema), JSON.parse(metadata.batches ?? 'null'));
  if (!parsed.success) {
    throw new BasinError('corrupt-run', 'The evaluation set has no list of batches.', 'Train again.');
  }
  const byName = new Map(tensors.map((entry) => [entry.name, entry]));
  const cache = new Map<TensorEntry, HostTensor>();
  const host = (entry: TensorEntry | undefined): HostTensor | null => {
    if (entry === undefined) return null;
    let tensor = cache.get(entry);
    if (tensor === undefined) cache.set(entry, (tensor = decodeTensor(bytes, entry)));
    return tensor;
  };
  return parsed.output.map(({ step, samples, loss, draws }, b) => ({
    leaves: Array.from({ length: leaves }, (_, i) =>
      host(byName.get(`b${b}/${i}`) ?? byName.get(`shared/${i}`)),
    ),
    samples,
    step,
    loss: loss === null ? null : decodeNumber(loss),
    draws,
  }));
}

function decodeTensor(bytes: Uint8Array, { dtype, shape, begin, end }: TensorEntry): HostTensor {
  // A copy: what readFileSync gives is a Buffer, whose slice would share its memory.
  const data = Uint8Array.from(bytes.subarray(begin, end));
  if (dtype === 'F32') return { shape, dtype: 'float32', values: new Float32Array(data.buffer) };
  if (dtype === 'I32') return { shape, dtype: 'int32', values: new Int32Array(data.buffer) };
  if (dtype === 'BOOL') return { shape, dtype: 'bool', values: data };
  throw new BasinError('corrupt-run', `The evaluation set has a tensor of type ${dtype}.`, 'Train again.');
}
