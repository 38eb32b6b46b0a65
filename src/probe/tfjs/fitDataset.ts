/**
 * What `fitDataset` trains on. A data set gives its batches asynchronously, and a process that stands still answers
 * synchronously: so it is gone through once, when somebody first asks for its data, and its batches are kept.
 */
import type { TrainingDataset } from './hooksLayers.ts';
import { readLeaf, type HostTensor } from './capture.ts';
import { currentEngine, type Tensor } from './tf.ts';

/** Bytes of a data set that are kept. */
const MOST_BYTES = 512 * 2 ** 20;

/** Thrown through a training call that stands still, so that its data set can be gone through. */
export class DatasetWanted extends Error {
  constructor(readonly dataset: FitDataset) {
    super('The data set of fitDataset() has to be gone through first.');
  }
}

/** Inputs, targets and sample weights of a batch, as the model's training function gets them. */
type Slots = readonly (HostTensor | null)[];

/** One pass over a data set. */
export interface DatasetPass {
  readonly batches: readonly Slots[];
  /** Whether another pass begins with other samples: then the data set shuffles, or makes them anew. */
  readonly varies: boolean;
  /** There were more than are kept. */
  readonly cut: boolean;
}

export class FitDataset {
  private pass: DatasetPass | string | null = null;

  /** @param readable whether the process can leave its training call to go through the data set */
  constructor(
    private readonly training: TrainingDataset,
    private readonly readable: boolean,
  ) {}

  /**
   * What the data set gave, or as the end of a sentence why nothing can be had of it.
   * @throws DatasetWanted when it has not been gone through yet
   */
  get found(): DatasetPass | string {
    if (this.pass !== null) return this.pass;
    if (this.readable) throw new DatasetWanted(this);
    return 'a process that is held at its end cannot go through the data set of fitDataset(); once it is released, Basin starts the script again and can.';
  }

  /** Goes through one epoch, and looks at how another begins. Does not throw. */
  async read(): Promise<void> {
    try {
      const batches: Slots[] = [];
      let bytes = 0;
      let cut = false;
      await this.training.each((data) => {
        if (bytes > MOST_BYTES) {
          cut = true;
          return false;
        }
        const slots = read(data);
        batches.push(slots);
        bytes += slots.reduce((sum, tensor) => sum + (tensor?.values.byteLength ?? 0), 0);
        return true;
      });
      const [first] = batches;
      if (first === undefined) {
        this.pass = 'the data set of fitDataset() gave no batch.';
        return;
      }
      let varies = false;
      await this.training.each((data) => {
        varies = !alike(first, read(data));
        return false;
      });
      this.pass = { batches, varies, cut };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.pass = `going through the data set of fitDataset() failed: ${why}`;
    }
  }
}

function read(data: readonly (Tensor | null | undefined)[]): Slots {
  const engine = currentEngine();
  return data.map((tensor) => (tensor == null || engine === null ? null : readLeaf(engine, tensor)));
}

function alike(a: Slots, b: Slots): boolean {
  return a.every((one, i) => {
    const other = b[i] ?? null;
    if (one === null || other === null) return one === other;
    return (
      one.values.length === other.values.length && one.values.every((v, k) => Object.is(v, other.values[k]))
    );
  });
}

/**
 * The batches put together, one row a sample, where they are cut from one set of rows: all of the first one's size but
 * for the last, which may be smaller. null otherwise.
 */
export function wholeOf({
  batches,
}: DatasetPass): { readonly tensors: Slots; readonly batchSize: number } | null {
  const [first] = batches;
  const batchSize = rowsOf(first);
  const regular = batches.every((slots, i) => {
    const rows = rowsOf(slots);
    const size = i === batches.length - 1 ? rows <= batchSize : rows === batchSize;
    return size && rows > 0 && slots.every((tensor, k) => fits(tensor, first?.[k] ?? null, rows));
  });
  if (first === undefined || !regular) return null;
  return { batchSize, tensors: first.map((_, k) => joined(batches.map((slots) => slots[k] ?? null))) };
}

/** Samples of a batch. */
export const rowsOf = (slots: Slots | undefined): number => slots?.[0]?.shape[0] ?? 0;

function fits(tensor: HostTensor | null, like: HostTensor | null, rows: number): boolean {
  if (tensor === null || like === null) return tensor === like;
  const [own, ...rest] = tensor.shape;
  return own === rows && tensor.dtype === like.dtype && rest.join() === like.shape.slice(1).join();
}

function joined(parts: readonly (HostTensor | null)[]): HostTensor | null {
  const tensors = parts.flatMap((part) => part ?? []);
  const [first] = tensors;
  if (first === undefined) return null;
  const values = first.values.slice(0, 0);
  const length = tensors.reduce((n, t) => n + t.values.length, 0);
  const whole = new (values.constructor as new (length: number) => typeof values)(length);
  let at = 0;
  for (const t of tensors) {
    whole.set(t.values, at);
    at += t.values.length;
  }
  const rows = tensors.reduce((n, t) => n + (t.shape[0] ?? 0), 0);
  return { shape: [rows, ...first.shape.slice(1)], dtype: first.dtype, values: whole };
}
