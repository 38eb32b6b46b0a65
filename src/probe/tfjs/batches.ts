/** The evaluation set as the closure takes it: selected, and merged into larger batches where that changes nothing. */
import { BasinError } from '../../protocol/errors.ts';
import type { DataSelection } from '../../protocol/evaluator.ts';
import type { Batch, Capture, HostTensor } from './capture.ts';
import type { Session } from './replay.ts';

/** Largest merged batch: activations of a large net on more samples could exhaust memory. */
const LARGEST_BATCH = 2048;
/** How far a merged batch's loss may be from the batches' mean for merging to be the same function, in float32. */
const SAME = 1e-5;

/**
 * The batches of a selection: a range of them, or whole ones from the first on, at most `samples` but at least one batch.
 * @throws BasinError `bad-input` for a range that is empty or leaves the split
 */
export function selectBatches(
  batches: readonly Batch[],
  { samples, batches: range }: Pick<DataSelection, 'samples' | 'batches'>,
): readonly Batch[] {
  if (range !== undefined) {
    const [from, to] = range;
    if (!(Number.isInteger(from) && Number.isInteger(to) && 0 <= from && from < to && to <= batches.length)) {
      throw new BasinError(
        'bad-input',
        `There are no batches ${String(from)} to ${String(to)}: the split has ${String(batches.length)}.`,
        'Give the first batch, counted from 0, and the one after the last.',
      );
    }
    return batches.slice(from, to);
  }
  if (samples === undefined) return batches;
  let n = 0;
  const chosen: Batch[] = [];
  for (const b of batches) {
    if (chosen.length > 0 && n + b.samples > samples) break;
    chosen.push(b);
    n += b.samples;
  }
  return chosen;
}

export const countSamples = (batches: readonly Batch[]): number => batches.reduce((n, b) => n + b.samples, 0);

/**
 * Cuts the batches into larger ones, of the size at which the closure evaluates the whole set fastest.
 * Merging is right when the closure's loss is a mean over samples, which is tried out at the session's weights: a loss
 * that sums, or that mixes samples, gives another value, and then the batches stay as they are.
 *
 * @param check throws when the request was cancelled
 */
export function mergeBatches(
  session: Session,
  batches: readonly Batch[],
  check: () => void,
): readonly Batch[] {
  if (batches.length < 2) return batches;
  const separate = measure(session, batches, check);
  if (!Number.isFinite(separate.loss)) return batches;
  let best = batches;
  let fastest = separate.milliseconds;
  for (let size = 2; size < 2 * batches.length; size *= 2) {
    const merged: Batch[] = [];
    for (let i = 0; i < batches.length; i += size) {
      const part = concatenate(session.capture, batches.slice(i, i + size));
      if (part === null || part.samples > LARGEST_BATCH) return best;
      merged.push(part);
    }
    const { loss, milliseconds } = measure(session, merged, check);
    if (!(Math.abs(loss - separate.loss) <= SAME * Math.abs(separate.loss))) return best;
    if (milliseconds < fastest) {
      fastest = milliseconds;
      best = merged;
    }
  }
  return best;
}

/** Mean loss over samples, and how long it takes: the better of two times after a first one that pays for the upload. */
function measure(
  session: Session,
  batches: readonly Batch[],
  check: () => void,
): { readonly loss: number; readonly milliseconds: number } {
  const total = countSamples(batches);
  let loss = NaN;
  let milliseconds = Infinity;
  for (let pass = 0; pass < 3; pass++) {
    const start = performance.now();
    loss = 0;
    for (const b of batches) {
      check();
      loss += (session.loss(b) * b.samples) / total;
    }
    if (pass > 0) milliseconds = Math.min(milliseconds, performance.now() - start);
  }
  return { loss, milliseconds };
}

/** One batch of all samples; null when some leaf has no samples along its first axis and differs between batches. */
function concatenate(capture: Capture, batches: readonly Batch[]): Batch | null {
  const [first] = batches;
  if (first === undefined) return null;
  if (batches.length === 1) return first;
  const samples = countSamples(batches);
  const leaves: (HostTensor | null)[] = [];
  for (let i = 0; i < capture.leaves.length; i++) {
    const parts = batches.map((b) => b.leaves[i] ?? null);
    const kind = parts[0] ?? null;
    if (parts.every((p) => p === kind)) {
      // The same tensor in every batch: a constant of the closure, unless it happens to be the very same batch.
      if (kind !== null && kind.shape[0] === first.samples && capture.roles[i]?.kind !== 'other') return null;
      leaves.push(kind);
      continue;
    }
    if (parts.some((p, b) => p === null || p.shape[0] !== batches[b]?.samples)) return null;
    const whole = parts as HostTensor[];
    const ArrayType = (whole[0]?.values.constructor ?? Float32Array) as new (
      n: number,
    ) => HostTensor['values'];
    const values = new ArrayType(whole.reduce((n, p) => n + p.values.length, 0));
    let at = 0;
    for (const p of whole) {
      values.set(p.values, at);
      at += p.values.length;
    }
    leaves.push({
      shape: [samples, ...(whole[0]?.shape.slice(1) ?? [])],
      dtype: whole[0]?.dtype ?? 'float32',
      values,
    });
  }
  return { leaves, samples, step: first.step, loss: null, draws: first.draws };
}

/** One sample as a batch: of every tensor that has as many rows as the batch has samples its row, the others whole. */
export function sampleOf(batch: Batch, i: number): Batch {
  const leaves = batch.leaves.map((leaf) => (leaf?.shape[0] === batch.samples ? row(leaf, i) : leaf));
  return { ...batch, leaves, samples: 1, loss: null };
}

/** Row i along the first axis, which stays with length one. */
export function row(t: HostTensor, i: number): HostTensor {
  const size = t.values.length / (t.shape[0] ?? 1);
  return { ...t, shape: [1, ...t.shape.slice(1)], values: t.values.slice(i * size, (i + 1) * size) };
}

/** @throws BasinError when the run has no such data */
export function requireBatches(
  batches: readonly Batch[] | null,
  split: 'train' | 'validation',
): readonly Batch[] {
  if (batches !== null && batches.length > 0) return batches;
  throw split === 'validation'
    ? new BasinError(
        'bad-input',
        'This run has no validation data.',
        'Give fit or fitDataset validation data, or ask on the training split.',
      )
    : new BasinError(
        'no-steps',
        'No training batch has been recorded yet.',
        'Wait for the first training step.',
      );
}
