/**
 * The data that a script trains on, drawn for Basin's own training: batches of an endless order that follows from a seed
 * alone. Nothing of the script's moves: rows are read from the tensors that `fit` was given, or that its data set gave in
 * one pass; the order is Basin's own where the script shuffles, and the script's where it does not.
 */
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { mersenne } from 'pure-rand/generator/mersenne';
import { cancelled } from '../../protocol/errors.ts';
import type { TrainingSource } from '../../protocol/evaluator.ts';
import { readLeaf, type Batch, type Capture, type HostTensor, type LeafRole } from './capture.ts';
import { rowsOf, wholeOf, type DatasetPass, type FitDataset } from './fitDataset.ts';
import type { TrainingTensors } from './hooksLayers.ts';
import type { Engine } from './tf.ts';

/** The tensors of a call of fit, in the computer's memory once they are wanted. */
export class FitTensors {
  readonly batchSize: number;
  readonly shuffle: boolean;
  private hosts: readonly (HostTensor | null)[] | null = null;

  constructor(private readonly training: TrainingTensors) {
    this.batchSize = training.batchSize;
    this.shuffle = training.shuffle;
  }

  /** Inputs, targets and sample weights; null when the script has disposed of them before they were read. */
  read(engine: Engine): readonly (HostTensor | null)[] | null {
    const { tensors } = this.training;
    if (this.hosts === null && tensors.every((t) => t?.isDisposed !== true)) {
      this.hosts = tensors.map((t) => (t == null ? null : readLeaf(engine, t)));
    }
    return this.hosts;
  }
}

/** Batches of one epoch, by number. */
interface Source {
  readonly told: TrainingSource;
  /** Batches of an epoch. */
  readonly length: number;
  /** The batch at a place of an epoch whose order a seed decides. */
  batch(place: number, epochSeed: number): Batch;
}

/** What one objective trains on. */
export class TrainingData {
  private found: Source | null = null;

  /**
   * @param recorded training batches of the evaluation set
   * @param fit what the model's training call was given, where it was `fit` or `fitDataset`
   */
  constructor(
    private readonly capture: Capture,
    private readonly recorded: readonly Batch[],
    private readonly fit: FitTensors | FitDataset | null | undefined,
  ) {}

  /**
   * Batches from..from+count−1 of the seed's order; see EvaluatorRequests.draw.
   * @throws BasinError `cancelled`; DatasetWanted when a data set has to be gone through first
   */
  draw(
    seed: number,
    from: number,
    count: number,
    isCancelled: () => boolean,
  ): { readonly batches: readonly Batch[]; readonly source: TrainingSource } {
    const source = (this.found ??= this.find());
    const batches = Array.from({ length: count }, (_, i): Batch => {
      if (isCancelled()) throw cancelled();
      const position = from + i;
      const epoch = Math.floor(position / source.length);
      const batch = source.batch(position % source.length, mix(seed, epoch, 0));
      return { ...batch, step: -1, loss: null, draws: [], noiseSeed: mix(seed, position, 1) };
    });
    return { batches, source: source.told };
  }

  private find(): Source {
    const { capture, fit, recorded } = this;
    if (capture.model === null || !capture.layersLoss || fit == null) {
      return recordedSource(recorded, 'it is not trained by fit() or fitDataset().');
    }
    const [first] = recorded;
    const perSample = capture.roles.some(
      ({ kind }, i) => kind === 'other' && first !== undefined && first.leaves[i]?.shape[0] === first.samples,
    );
    if (perSample) return recordedSource(recorded, 'the loss also reads tensors of its own for each sample.');
    if (!(fit instanceof FitTensors)) return datasetSource(capture, recorded, fit.found);
    const data = fit.read(capture.engine);
    if (data === null)
      return recordedSource(recorded, 'the script has disposed of the tensors that fit() was given.');
    return fitSource(capture, data, fit, first);
  }
}

/** What one pass over a data set gave; shuffled where another pass is in another order. */
function datasetSource(capture: Capture, recorded: readonly Batch[], pass: DatasetPass | string): Source {
  if (typeof pass === 'string') return recordedSource(recorded, pass);
  const { batches, varies, cut } = pass;
  const whole = wholeOf(pass);
  const samples = batches.reduce((n, slots) => n + rowsOf(slots), 0);
  const reasons = [
    ...(cut
      ? [`The data set is larger than Basin keeps of it: these are its first ${samples} samples.`]
      : []),
    ...(varies
      ? ['What the data set makes anew in each pass, such as augmentation, stays as it was in one pass.']
      : []),
  ];
  const told: TrainingSource = {
    kind: 'loader',
    samples,
    batches: batches.length,
    reason: reasons.length === 0 ? null : reasons.join(' '),
  };
  const [like] = recorded;
  if (whole !== null) {
    const rows = { batchSize: whole.batchSize, shuffle: varies };
    return { ...fitSource(capture, whole.tensors, rows, like), told };
  }
  const place = placeOf(capture);
  return {
    told,
    length: batches.length,
    batch(at, seed) {
      const slots = batches[varies ? (shuffled(batches.length, seed)[at] ?? 0) : at] ?? [];
      const leaves = capture.roles.map((role, i) =>
        role.kind === 'other' ? (like?.leaves[i] ?? null) : (slots[place(role)] ?? null),
      );
      return { leaves, samples: rowsOf(slots), step: -1, loss: null, draws: [] };
    },
  };
}

/** Where the model's training function finds a leaf among its inputs, targets and sample weights. */
function placeOf({ model }: Capture): (role: Exclude<LeafRole, { kind: 'other' }>) => number {
  const [inputs, outputs] = [model?.inputs.length ?? 0, model?.outputs.length ?? 0];
  const before = { input: 0, target: inputs, sampleWeight: inputs + outputs };
  return ({ kind, index }) => before[kind] + index;
}

/** fit's tensors: every row once an epoch, in their order or shuffled as fit does. */
function fitSource(
  capture: Capture,
  data: readonly (HostTensor | null)[],
  { batchSize, shuffle }: Pick<FitTensors, 'batchSize' | 'shuffle'>,
  like: Batch | undefined,
): Source {
  const samples = data[0]?.shape[0] ?? 0;
  const length = Math.max(1, Math.ceil(samples / batchSize));
  const place = placeOf(capture);
  let order: { readonly seed: number; readonly rows: Uint32Array } | null = null;
  return {
    told: { kind: 'tensors', samples, batches: length, reason: null },
    length,
    batch(at, seed) {
      if (order?.seed !== seed) order = { seed, rows: shuffle ? shuffled(samples, seed) : inOrder(samples) };
      const rows = order.rows.subarray(at * batchSize, (at + 1) * batchSize);
      const leaves = capture.roles.map((role, i) => {
        if (role.kind === 'other') return like?.leaves[i] ?? null;
        const whole = data[place(role)] ?? null;
        return whole === null ? null : takeRows(whole, rows);
      });
      return { leaves, samples: rows.length, step: -1, loss: null, draws: [] };
    },
  };
}

/** The evaluation set's batches, in a shuffled order: few samples, which may be learnt by heart. */
function recordedSource(batches: readonly Batch[], why: string): Source {
  const length = Math.max(1, batches.length);
  return {
    told: {
      kind: 'recorded',
      samples: batches.reduce((n, b) => n + b.samples, 0),
      batches: length,
      reason: `The script's own data cannot be drawn from: ${why}`,
    },
    length,
    batch(place, seed) {
      const batch = batches[shuffled(length, seed)[place] ?? 0];
      if (batch === undefined) throw new Error('The run has kept no training batches.');
      return batch;
    },
  };
}

function inOrder(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => i);
}

/** Fisher–Yates. */
function shuffled(count: number, seed: number): Uint32Array {
  const rows = inOrder(count);
  const rng = mersenne(seed);
  for (let i = count - 1; i > 0; i--) {
    const j = uniformInt(rng, 0, i);
    const row = rows[i] ?? 0;
    rows[i] = rows[j] ?? 0;
    rows[j] = row;
  }
  return rows;
}

/** A seed of 31 bits that neighbouring numbers have nothing in common in (the finaliser of MurmurHash3). */
function mix(seed: number, number: number, what: number): number {
  let h = Math.imul(seed ^ Math.imul(number, 0x9e3779b1) ^ Math.imul(what + 1, 0x85ebca77), 0xcc9e2d51);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 1;
}

function takeRows(whole: HostTensor, rows: Uint32Array): HostTensor {
  const width = whole.values.length / Math.max(1, whole.shape[0] ?? 1);
  const values = whole.values.slice(0, rows.length * width);
  rows.forEach((row, i) => {
    values.set(whole.values.subarray(row * width, (row + 1) * width), i * width);
  });
  return { shape: [rows.length, ...whole.shape.slice(1)], dtype: whole.dtype, values };
}
