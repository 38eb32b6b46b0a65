/** One number a sample: loss, output margin, confidence, correctness, and the margin's gradient by the input. */
import type { SampleValues } from '../../protocol/evaluator.ts';
import { row, sampleOf } from './batches.ts';
import type { Batch, Capture, HostTensor } from './capture.ts';
import { belongsToLoss, onlyPrediction, watchLinks } from './links.ts';
import * as ops from './ops.ts';
import {
  areLogProbabilities,
  areProbabilities,
  argMax,
  readPrediction,
  rows,
  sampleLosses,
  taskOf,
  withPredictions,
  type Task,
} from './predictions.ts';
import type { Session } from './replay.ts';
import { differentiate } from './secondOrder.ts';
import { batchNormLayers } from './statistics.ts';
import type { Tensor } from './tf.ts';

/** The session stands at the model; batches in the order of the split. */
export interface SamplesRequest {
  readonly session: Session;
  readonly batches: readonly Batch[];
  readonly inputGradient: boolean;
  /** Throws when the request was cancelled. */
  readonly check: () => void;
}

/** Scores of the classes of each sample, up to a constant: logits where they can be had, else log-probabilities. */
export interface Classes {
  /** Samples × classes; one output for two classes stands as 0 and z. */
  readonly scores: readonly (readonly number[])[];
  readonly labels: readonly number[];
  /** Whether one output stands for two classes. */
  readonly binary: boolean;
}

const SEVERAL = 'Each sample has several answers.';
/** How far the mean of single samples' losses may be from the batch's for them to be the parts of it, in float32. */
const SAME = 1e-4;

/** @param averaged an ensemble's predictions, one for each batch, in place of the model's */
export function sampleValues(request: SamplesRequest, averaged: readonly HostTensor[] | null): SampleValues {
  const { session, batches, check } = request;
  const losses = new Column();
  const margins = new Column();
  const confidences = new Column();
  const rights = new Column();
  const gradients = new Column();
  const reasons = new Set<string>();
  batches.forEach((batch, b) => {
    check();
    const given = averaged?.[b] ?? null;
    const seen = look(session, batch, given);
    losses.add(seen.losses ?? eachAlone(request, batch, given, seen.loss, reasons));
    if (typeof seen.classes === 'string') reasons.add(seen.classes);
    const classes = typeof seen.classes === 'string' ? null : seen.classes;
    margins.add(classes?.scores.map((row, i) => marginOf(row, classes.labels[i] ?? 0)) ?? null);
    confidences.add(classes?.scores.map(confidenceOf) ?? null);
    rights.add(classes?.scores.map((row, i) => (argMax(row) === classes.labels[i] ? 1 : 0)) ?? null);
    if (request.inputGradient && classes !== null) {
      const found = inputGradientNorms(session, batch, classes, given !== null);
      if (typeof found === 'string') reasons.add(found);
      gradients.add(typeof found === 'string' ? null : found);
    } else gradients.add(null);
  });
  return {
    loss: losses.values,
    margin: margins.values,
    confidence: confidences.values,
    correct: rights.values as (0 | 1)[] | null,
    inputGradientNorm: gradients.values,
    reason: reasons.size === 0 ? null : [...reasons].join(' '),
  };
}

/** Values of all batches; null as soon as one has none. */
class Column {
  values: number[] | null = [];
  add(more: Iterable<number> | null): void {
    if (more === null) this.values = null;
    else this.values?.push(...more);
  }
}

export interface Seen {
  /** The closure's value. */
  readonly loss: number;
  readonly losses: Float64Array | null;
  /** Or why there are none. */
  readonly classes: Classes | string;
  /** The model's one output, where it has one. */
  readonly output: HostTensor | null;
  readonly task: Task | null;
}

/** @param given predictions in place of the model's */
export function look(session: Session, batch: Batch, given: HostTensor | null): Seen {
  let output: HostTensor | null = null;
  let task: Task | null = null;
  let losses: Float64Array | null = null;
  let classes: Classes | string =
    'The model cannot be told apart from its loss, so there are no predictions.';
  const loss = watchLinks(session.capture.engine, (linkOf) =>
    withPredictions(session, given, () =>
      session.loss(batch, () => {
        losses = sampleLosses(session, batch);
        const prediction = onlyPrediction(session);
        if (prediction === null && given === null) return;
        output = given ?? readPrediction(prediction as Tensor);
        task = taskOf(session.capture, batch, [output]);
        const link = prediction === null || given !== null ? null : linkOf(prediction);
        classes = classesOf(
          task,
          batch,
          output,
          link !== null && belongsToLoss(link, task?.kind ?? null) ? readPrediction(link.logits) : null,
        );
      }),
    ),
  );
  return { loss, losses, classes, output, task };
}

/** @param logits those that became the output, when known */
function classesOf(
  task: Task | null,
  batch: Batch,
  output: HostTensor,
  logits: HostTensor | null,
): Classes | string {
  if (task === null) return 'It cannot be told which of the data are the labels.';
  if (task.kind === 'value') return 'The loss has no classes.';
  const target = batch.leaves[task.leaf];
  if (target === null || target === undefined) return 'It cannot be told which of the data are the labels.';
  if (task.kind === 'binary') {
    if (output.values.length !== batch.samples) return SEVERAL;
    const zs =
      logits?.values ??
      (areProbabilities('binary', output)
        ? output.values.map((p) => Math.log(p) - Math.log1p(-p))
        : output.values);
    return {
      binary: true,
      scores: Array.from(zs, (z) => [0, z]),
      labels: Array.from(target.values, (y) => (y > 0.5 ? 1 : 0)),
    };
  }
  if (output.shape.length !== 2) return SEVERAL;
  const hot = task.kind === 'categorical' ? rows(target) : null;
  const needsLog = logits === null && !areLogProbabilities(output) && areProbabilities(task.kind, output);
  return {
    binary: false,
    scores: rows(logits ?? output).map((each) => Array.from(each, needsLog ? Math.log : (x: number) => x)),
    labels: Array.from({ length: batch.samples }, (_, i) =>
      hot === null ? Math.floor(target.values[i] ?? -1) : argMax(hot[i] ?? []),
    ),
  };
}

/** Score of the label less the largest other. */
function marginOf(scores: readonly number[], label: number): number {
  return (scores[label] ?? NaN) - (scores[rivalOf(scores, label)] ?? NaN);
}

function rivalOf(scores: readonly number[], label: number): number {
  let best = label === 0 ? 1 : 0;
  scores.forEach((score, k) => {
    if (k !== label && score > (scores[best] ?? -Infinity)) best = k;
  });
  return best;
}

/** The largest probability of a softmax over scores. */
function confidenceOf(scores: readonly number[]): number {
  const top = Math.max(...scores);
  return 1 / scores.reduce((sum, score) => sum + Math.exp(score - top), 0);
}

/** Losses of a hand-written closure: its value on each sample alone, where those are the parts of its value on all. */
function eachAlone(
  { session, check }: SamplesRequest,
  batch: Batch,
  given: HostTensor | null,
  whole: number,
  reasons: Set<string>,
): number[] | null {
  const losses: number[] = [];
  for (let i = 0; i < batch.samples; i++) {
    check();
    const alone = sampleOf(batch, i);
    losses.push(withPredictions(session, given && row(given, i), () => session.loss(alone)));
  }
  const mean = losses.reduce((a, b) => a + b, 0) / losses.length;
  if (Math.abs(mean - whole) <= SAME * Math.max(1e-6, Math.abs(whole)) || Number.isNaN(whole)) return losses;
  reasons.add('The loss is not the mean of what it is on each sample alone.');
  return null;
}

/** ‖∂margin/∂input‖ of each sample, or why it cannot be had. */
function inputGradientNorms(
  session: Session,
  batch: Batch,
  { scores, labels, binary }: Classes,
  ensemble: boolean,
): number[] | string {
  const { capture, behaviour } = session;
  if (ensemble) return "The input's gradient is that of one model, not of an ensemble.";
  if (behaviour.mode === 'as-trained' && batchNormLayers(capture).length > 0) {
    return 'Batch norm mixes the samples of a batch when it is evaluated as trained, so no input has a gradient of its own.';
  }
  const inputs = inputsOf(capture, batch);
  if (inputs.length === 0)
    return 'The input has no gradient: it is not made of real numbers, or not told apart from other data.';
  const weights = new Float32Array(binary ? scores.length : scores.reduce((n, row) => n + row.length, 0));
  scores.forEach((row, i) => {
    const label = labels[i] ?? 0;
    if (binary) weights[i] = label === 1 ? 1 : -1;
    else {
      weights[i * row.length + label] = 1;
      weights[i * row.length + rivalOf(row, label)] = -1;
    }
  });
  const squares = new Float64Array(batch.samples);
  let paths = 0;
  session.run(batch, (f) => {
    const { grads } = differentiate(
      capture.engine,
      () =>
        watchLinks(capture.engine, (linkOf) => {
          f();
          const prediction = onlyPrediction(session) as Tensor;
          const z = linkOf(prediction)?.logits ?? logitsOf(prediction, binary);
          return ops.sum(ops.mul(z, ops.tensor(weights, z.shape)));
        }),
      inputs,
    );
    for (const g of grads) {
      if (g == null) continue;
      paths++;
      const values = g.dataSync();
      const size = values.length / batch.samples;
      for (let i = 0; i < values.length; i++) {
        const sample = Math.floor(i / size);
        squares[sample] = (squares[sample] ?? 0) + (values[i] ?? 0) ** 2;
      }
    }
  });
  return paths > 0
    ? Array.from(squares, Math.sqrt)
    : 'The margin does not depend on the input by a derivative.';
}

/** What stands for logits where no last kernel shows them. */
function logitsOf(prediction: Tensor, binary: boolean): Tensor {
  const output = readPrediction(prediction);
  if (binary) {
    return areProbabilities('binary', output)
      ? ops.sub(ops.log(prediction), ops.log(ops.sub(ops.scalar(1), prediction)))
      : prediction;
  }
  return !areLogProbabilities(output) && areProbabilities('categorical', output)
    ? ops.log(prediction)
    : prediction;
}

/** The leaves that the model is applied to: real numbers with one row a sample, and not the labels. */
function inputsOf(capture: Capture, batch: Batch): Tensor[] {
  const real = capture.leaves.filter(
    (leaf, i) => leaf.dtype === 'float32' && batch.leaves[i]?.shape[0] === batch.samples,
  );
  if (capture.layersLoss)
    return real.filter((leaf) => capture.roles[capture.leaves.indexOf(leaf)]?.kind === 'input');
  return real;
}
