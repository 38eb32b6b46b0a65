/** Collects the evaluation set while training feeds it: each training sample once, and the validation data. */
import type { Batch, Capture, HostTensor, Observation } from './capture.ts';
import { readLeaf } from './capture.ts';
import { hashRows } from './rowHash.ts';
import type { Tensor, TypedArray } from './tf.ts';

/** So many batches that brought nothing new end the collection: the data has come around. */
const PATIENCE = 20;
const MOST_BYTES = 512 * 2 ** 20;

export class EvaluationCollector {
  private batches: Batch[] = [];
  private readonly seen = new Set</* row hash */ number>();
  private readonly validationSeen = new Set</* row hash */ number>();
  /** Leaves that stay the same objects from step to step are read once. */
  private readonly constants = new Map<Tensor, HostTensor>();
  private readonly validation: Batch[] = [];
  private validationSamples = 0;
  private validationClosed = false;
  private samples = 0;
  private bytes = 0;
  private skipped = 0;
  private closed = false;
  private constantLeaves: Tensor[] = [];

  /** @param wanted number of samples a split at which collecting ends (whole batches) */
  constructor(private readonly wanted: number) {}

  get train(): readonly Batch[] {
    return this.batches;
  }

  get valid(): readonly Batch[] {
    return this.validation;
  }

  get trainSamples(): number {
    return this.samples;
  }

  /** Another run has these batches: their losses are those at its first weights. */
  restamp(lossOf: (batch: Batch) => number | null): void {
    this.batches = this.batches.map((batch) => ({ ...batch, step: 0, loss: lossOf(batch) }));
  }

  /** Whether further batches are of interest. */
  get open(): boolean {
    return !this.closed && this.samples < this.wanted;
  }

  get validationOpen(): boolean {
    return !this.validationClosed && this.validationSamples < this.wanted;
  }

  /**
   * Reads a step's batch; must be called before the script disposes it.
   * @param keep false reads it for a check only
   */
  read(capture: Capture, observation: Observation, step: number, loss: number): Batch {
    const { leaves } = observation;
    const before = this.constantLeaves;
    const hosts = leaves.map((leaf, i) => {
      const known = before[i] === leaf ? this.constants.get(leaf) : undefined;
      const host = known ?? readLeaf(capture.engine, leaf);
      this.constants.set(leaf, host);
      return host;
    });
    this.constantLeaves = [...leaves];
    for (const leaf of this.constants.keys()) if (!leaves.includes(leaf)) this.constants.delete(leaf);
    return { leaves: hosts, samples: batchSamples(capture, leaves), step, loss, draws: observation.draws };
  }

  /**
   * Adds a training batch, unless more than half of its samples are there already.
   * @returns whether it was added
   */
  add(batch: Batch): boolean {
    if (!this.open) return false;
    const hashes = hashRows(batch);
    const known = hashes.filter((hash) => this.seen.has(hash)).length;
    if (known * 2 > hashes.length) {
      if (++this.skipped >= PATIENCE) this.closed = true;
      return false;
    }
    const first = this.batches[0];
    const bytes = batch.leaves.reduce(
      (sum, leaf, i) => sum + (leaf === null || leaf === first?.leaves[i] ? 0 : leaf.values.byteLength),
      0,
    );
    if (this.batches.length > 0 && this.bytes + bytes > MOST_BYTES) {
      this.closed = true;
      return false;
    }
    for (const hash of hashes) this.seen.add(hash);
    this.batches.push(batch);
    this.samples += batch.samples;
    this.bytes += bytes;
    return true;
  }

  /**
   * Adds validation data that was given to the training call.
   * @param data inputs, then targets, as host tensors with samples along their first axis
   * @param batchSize how to cut it
   * @returns false when the loss also reads per-sample tensors that validation data has no counterpart of
   */
  addValidation(capture: Capture, data: readonly HostTensor[], batchSize: number): boolean {
    const template = this.batches[0];
    const inputs = capture.model?.inputs.length ?? 0;
    const total = data[0]?.shape[0] ?? 0;
    if (template === undefined || total === 0) return true;
    for (let begin = 0; begin < total && this.validationOpen; begin += batchSize) {
      const end = Math.min(total, begin + batchSize, begin + this.wanted - this.validationSamples);
      const leaves: (HostTensor | null)[] = [];
      for (const [i, role] of capture.roles.entries()) {
        if (role.kind === 'sampleWeight') {
          leaves.push(null);
        } else if (role.kind === 'other') {
          const leaf = template.leaves[i] ?? null;
          if (leaf !== null && capture.samples !== null && leaf.shape[0] === capture.samples) return false;
          leaves.push(leaf);
        } else {
          const source = data[role.kind === 'input' ? role.index : inputs + role.index];
          if (source === undefined) return false;
          leaves.push(rows(source, begin, end));
        }
      }
      const batch: Batch = { leaves, samples: end - begin, step: -1, loss: null, draws: [] };
      const hashes = hashRows(batch);
      if (hashes.filter((hash) => this.validationSeen.has(hash)).length * 2 > hashes.length) {
        // The next epoch validates on the same.
        this.validationClosed = true;
        return true;
      }
      for (const hash of hashes) this.validationSeen.add(hash);
      this.validation.push(batch);
      this.validationSamples += end - begin;
    }
    return true;
  }
}

/** The batch size of this step: captures know that of the first one, and the last batch of an epoch is smaller. */
function batchSamples(capture: Capture, leaves: readonly Tensor[]): number {
  const i = capture.leaves.findIndex((leaf) => leaf.shape.length > 0 && leaf.shape[0] === capture.samples);
  return leaves[i]?.shape[0] ?? capture.samples ?? 1;
}

function rows(tensor: HostTensor, begin: number, end: number): HostTensor {
  const width = tensor.shape.slice(1).reduce((n, d) => n * d, 1);
  const values: TypedArray = tensor.values.slice(begin * width, end * width);
  return { shape: [end - begin, ...tensor.shape.slice(1)], dtype: tensor.dtype, values };
}
