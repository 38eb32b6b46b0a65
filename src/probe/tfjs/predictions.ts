/** What the model predicts, told apart from the loss: accuracy, per-sample losses, and ensembles. */
import { BasinError } from '../../protocol/errors.ts';
import type { Combination } from '../../protocol/evaluator.ts';
import type { Batch, Capture, HostTensor } from './capture.ts';
import { compiled } from './layers.ts';
import * as ops from './ops.ts';
import type { Session } from './replay.ts';
import type { Tensor } from './tf.ts';

/**
 * What the model's output stands for. categorical: one-hot targets; sparse: class numbers; binary: 0/1 for each output;
 * value: numbers to be met, without a notion of right and wrong.
 */
export type TargetKind = 'categorical' | 'sparse' | 'binary' | 'value';

export interface Task {
  readonly kind: TargetKind;
  /** Index of the leaf with the targets. */
  readonly leaf: number;
}

/** Whether predictions can be seen at all: a layers model's own loss, or exactly one model applied by the closure. */
export const seesPredictions = (capture: Capture): boolean => capture.predicts;

/** Outputs of the evaluation that runs now; call it while the closure's tensors are alive. */
export function currentPredictions(session: Session): readonly Tensor[] {
  const { lossCalls, modelOutputs, capture } = session;
  if (capture.layersLoss) return lossCalls.map((c) => c.prediction);
  return modelOutputs.length === 1 ? (modelOutputs[0] ?? []) : [];
}

const lossKinds: Readonly<Record</* name of a loss */ string, TargetKind>> = {
  categoricalCrossentropy: 'categorical',
  softmaxCrossEntropy: 'categorical',
  sparseCategoricalCrossentropy: 'sparse',
  binaryCrossentropy: 'binary',
  sigmoidCrossEntropy: 'binary',
  meanSquaredError: 'value',
  meanAbsoluteError: 'value',
  meanAbsolutePercentageError: 'value',
  meanSquaredLogarithmicError: 'value',
  absoluteDifference: 'value',
  huberLoss: 'value',
  logcosh: 'value',
  poisson: 'value',
};

/** What is predicted, by the name of the loss or else by the look of the data; null when it cannot be told. */
export function taskOf(capture: Capture, batch: Batch, outputs: readonly HostTensor[]): Task | null {
  const [output] = outputs;
  if (output === undefined || outputs.length !== 1) return null;
  if (capture.layersLoss && capture.model !== null) {
    const leaf = capture.roles.findIndex((r) => r.kind === 'target');
    const loss = [compiled(capture.model).loss].flat()[0];
    const name = typeof loss === 'function' ? loss.name.replace(/_*(op)?$/, '') : loss;
    const kind = typeof name === 'string' ? lossKinds[name] : undefined;
    if (leaf >= 0 && kind !== undefined) return { kind, leaf };
  }
  // A hand-written loss: the one leaf that looks like targets for this output.
  const candidates = batch.leaves.flatMap((leaf, i): Task[] => {
    if (leaf === null || capture.roles[i]?.kind === 'input') return [];
    const kind = looksLike(leaf, output, batch.samples);
    return kind === null ? [] : [{ kind, leaf: i }];
  });
  return candidates.length === 1 ? (candidates[0] ?? null) : null;
}

function looksLike(leaf: HostTensor, output: HostTensor, samples: number): TargetKind | null {
  if (leaf.shape[0] !== samples || output.shape[0] !== samples) return null;
  const classes = output.shape[output.shape.length - 1] ?? 1;
  const whole = leaf.values.every((x) => Number.isInteger(x) && x >= 0);
  if (!whole) return null;
  if (classes > 1 && leaf.shape.join() === output.shape.join())
    return rows(leaf).every((r) => sum(r) === 1) ? 'categorical' : null;
  if (classes > 1 && leaf.values.length === samples && output.shape.length === 2) {
    return leaf.values.every((x) => x < classes) ? 'sparse' : null;
  }
  return classes === 1 && leaf.values.length === samples && leaf.values.every((x) => x <= 1)
    ? 'binary'
    : null;
}

function sum(xs: ArrayLike<number>): number {
  let s = 0;
  for (let i = 0; i < xs.length; i++) s += xs[i] ?? 0;
  return s;
}

/** The last axis as rows. */
export function rows(t: HostTensor): HostTensor['values'][] {
  const width = t.shape[t.shape.length - 1] ?? 1;
  return Array.from({ length: t.values.length / width }, (_, i) =>
    t.values.subarray(i * width, (i + 1) * width),
  );
}

export function argMax(row: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < row.length; i++) if ((row[i] ?? -Infinity) > (row[best] ?? -Infinity)) best = i;
  return best;
}

/** Whether outputs are probabilities already: softmax rows, or values between 0 and 1 for binary targets. */
export function areProbabilities(kind: TargetKind, output: HostTensor): boolean {
  const between = output.values.every((x) => x >= 0 && x <= 1.0001);
  return kind === 'binary' ? between : between && rows(output).every((r) => Math.abs(sum(r) - 1) < 1e-3);
}

/** Whether each row's exponentials sum to one: the logarithms of probabilities of several classes. */
export function areLogProbabilities(output: HostTensor): boolean {
  if ((output.shape[output.shape.length - 1] ?? 1) < 2 || !output.values.every((x) => x <= 1e-4))
    return false;
  return rows(output).every((row) => {
    let total = 0;
    for (const x of row) total += Math.exp(x);
    return Math.abs(total - 1) < 1e-3;
  });
}

/** 1 for every right answer, 0 for every wrong one (a share, where a sample has several answers); null without the notion. */
export function rightAnswers(task: Task, batch: Batch, output: HostTensor): Float64Array | null {
  const target = batch.leaves[task.leaf];
  if (target === null || target === undefined || task.kind === 'value') return null;
  const each = rows(output);
  if (task.kind === 'binary') {
    const threshold = areProbabilities('binary', output) ? 0.5 : 0;
    const right = Float64Array.from(output.values, (x, i) =>
      x > threshold === (target.values[i] ?? 0) > 0.5 ? 1 : 0,
    );
    return meanPerSample(right, batch.samples);
  }
  const targets = task.kind === 'categorical' ? rows(target) : null;
  const right = Float64Array.from(each, (row, i) => {
    const wanted = targets === null ? Math.floor(target.values[i] ?? -1) : argMax(targets[i] ?? []);
    return argMax(row) === wanted ? 1 : 0;
  });
  return meanPerSample(right, batch.samples);
}

export function meanPerSample(values: Float64Array, samples: number): Float64Array {
  const each = values.length / samples;
  return Float64Array.from(
    { length: samples },
    (_, s) => sum(values.subarray(s * each, (s + 1) * each)) / each,
  );
}

/**
 * Per-sample losses of the evaluation that runs now, as the layers model's own loss functions gave them; null for
 * hand-written losses and for loss functions that already average.
 */
export function sampleLosses(session: Session, batch: Batch): Float64Array | null {
  const { capture, lossCalls } = session;
  if (!capture.layersLoss || lossCalls.length === 0) return null;
  const total = new Float64Array(batch.samples);
  for (const { loss, output } of lossCalls) {
    if (loss.shape[0] !== batch.samples) return null;
    const weights =
      batch.leaves[capture.roles.findIndex((r) => r.kind === 'sampleWeight' && r.index === output)];
    const each = meanPerSample(Float64Array.from(loss.dataSync()), batch.samples);
    for (let i = 0; i < total.length; i++)
      total[i] = (total[i] ?? 0) + (each[i] ?? 0) * (weights?.values[i] ?? 1);
  }
  return total;
}

/** Reads the outputs of the evaluation that runs now. */
export const readPredictions = (session: Session): HostTensor[] =>
  currentPredictions(session).map(readPrediction);

/** A copy of a prediction, or of what it is made of. */
export const readPrediction = (t: Tensor): HostTensor => ({
  shape: [...t.shape],
  dtype: t.dtype,
  values: (t.dataSync() as Float32Array).slice(),
});

/** Runs `body` with the model's predictions replaced; they are the model's own where none are given. */
export function withPredictions<T>(session: Session, given: HostTensor | null, body: () => T): T {
  if (given === null) return body();
  const held = session.hold(() => ops.tensor(given.values, given.shape, given.dtype));
  session.behaviour.predictions = [held];
  try {
    return body();
  } finally {
    session.behaviour.predictions = null;
    session.free([held]);
  }
}

/**
 * Averages the outputs of several members as predictions: probabilities are averaged; logits become the log of the
 * averaged probabilities, which any loss on logits then scores as those probabilities; plain values are averaged.
 * @param combine how, where the predictions leave a choice; the mean of logits in the form that the outputs have
 * @throws BasinError `bad-input` where the predictions cannot be combined so
 */
export function averagePredictions(
  kind: TargetKind,
  members: readonly HostTensor[],
  combine?: Combination,
): HostTensor {
  const [first] = members;
  if (first === undefined) throw new BasinError('bad-input', 'An ensemble needs members.');
  if (combine !== undefined && (kind === 'value') !== (combine === 'mean')) {
    throw new BasinError(
      'bad-input',
      kind === 'value'
        ? `This model predicts values, which have no ${combine} to average.`
        : 'This model predicts classes, which have no values to average.',
      kind === 'value' ? 'Combine them by their mean.' : 'Combine them by probability or logit.',
    );
  }
  if (combine === 'logit') return meanLogits(kind, members, first);
  const n = members.length;
  const values = new Float64Array(first.values.length);
  const logits = kind !== 'value' && !members.every((m) => areProbabilities(kind, m));
  for (const member of members) {
    const p = !logits
      ? member.values
      : kind === 'binary'
        ? Float64Array.from(member.values, (x) => 1 / (1 + Math.exp(-x)))
        : softmaxRows(member);
    for (let i = 0; i < values.length; i++) values[i] = (values[i] ?? 0) + (p[i] ?? 0) / n;
  }
  if (!logits) return { ...first, values: Float32Array.from(values) };
  const logit = kind === 'binary' ? (p: number) => Math.log(p / (1 - p)) : Math.log;
  // Probabilities of exactly 0 or 1 would become infinite logits; e^−100 is below what float32 can hold.
  return { ...first, values: Float32Array.from(values, (p) => Math.max(-100, Math.min(100, logit(p)))) };
}

/** The mean of logits; of probabilities, their logarithms' mean, made probabilities again. */
function meanLogits(kind: TargetKind, members: readonly HostTensor[], first: HostTensor): HostTensor {
  const given = members.every((m) => areProbabilities(kind, m));
  // What float32 holds as 0 is below e^−100.
  const log = (p: number): number => Math.max(-100, Math.log(p));
  const toLogit = kind === 'binary' ? (p: number) => log(p) - log(1 - p) : log;
  const values = new Float64Array(first.values.length);
  for (const { values: own } of members)
    for (let i = 0; i < values.length; i++)
      values[i] = (values[i] ?? 0) + (given ? toLogit(own[i] ?? 0) : (own[i] ?? 0)) / members.length;
  if (!given) return { ...first, values: Float32Array.from(values) };
  const mean = { ...first, values: Float32Array.from(values) };
  return {
    ...first,
    values: Float32Array.from(
      kind === 'binary' ? mean.values.map((z) => 1 / (1 + Math.exp(-z))) : softmaxRows(mean),
    ),
  };
}

export function softmaxRows(t: HostTensor): Float64Array {
  const width = t.shape[t.shape.length - 1] ?? 1;
  const out = new Float64Array(t.values.length);
  rows(t).forEach((row, r) => {
    const top = row[argMax(row)] ?? 0;
    let total = 0;
    row.forEach((x, i) => (total += out[r * width + i] = Math.exp(x - top)));
    row.forEach((_, i) => (out[r * width + i] = (out[r * width + i] ?? 0) / total));
  });
  return out;
}
