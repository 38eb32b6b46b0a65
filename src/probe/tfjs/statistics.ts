/**
 * Batch-norm statistics computed anew: for each layer the sample-weighted mean, over the training batches, of the batch
 * mean and batch variance that the framework itself would feed to its moving averages (biased variance, as tf.moments
 * gives it). One training-mode pass a batch serves all layers, as in torch.optim.swa_utils.update_bn; there the mean is
 * taken over batches, so results agree where batches are equally large.
 */
import type { Batch, Capture } from './capture.ts';
import { isBatchNorm, type BatchNormLayer, type LayerVariable } from './layers.ts';
import type { Session } from './replay.ts';
import type { Tensor, Variable } from './tf.ts';

export function batchNormLayers(capture: Capture): BatchNormLayer[] {
  const state = new Set(capture.state);
  return capture.layers.filter(isBatchNorm).filter((l) => state.has(l.movingMean.read()));
}

class Average {
  readonly sum: Float64Array;
  weight = 0;
  constructor(readonly variable: Variable) {
    this.sum = new Float64Array(variable.size);
  }
  add(values: Float32Array, weight: number): void {
    for (let i = 0; i < values.length; i++) this.sum[i] = (this.sum[i] ?? 0) + weight * (values[i] ?? 0);
    this.weight += weight;
  }
}

/**
 * Leaves the session evaluating with the new statistics, at its present weights.
 * @returns the variables that got new values, with those; layers that the pass did not train keep what they have
 */
export function refreshStatistics(
  session: Session,
  batches: readonly Batch[],
  isCancelled: () => void,
): Map<Variable, Float32Array> {
  const layers = batchNormLayers(session.capture);
  const { mode } = session.behaviour;
  const averages: Average[] = [];
  const undo: (() => void)[] = [];
  let samples = 0;
  for (const layer of layers) {
    const { momentum } = layer;
    layer.momentum = 0;
    undo.push(() => (layer.momentum = momentum));
    for (const moving of [layer.movingMean, layer.movingVariance]) {
      const average = new Average(moving.read());
      averages.push(average);
      // With a momentum of zero and a present value of zero the layer writes just the batch's own statistic.
      session.setVariable(average.variable, new Float32Array(average.variable.size));
      undo.push(
        intercept(moving, (value) => {
          average.add(value.dataSync() as Float32Array, samples);
        }),
      );
    }
  }
  session.behaviour.mode = 'as-trained';
  try {
    for (const batch of batches) {
      isCancelled();
      samples = batch.samples;
      session.loss(batch);
    }
  } finally {
    session.behaviour.mode = mode;
    for (const u of undo) u();
  }
  const refreshed = new Map<Variable, Float32Array>();
  for (const { variable, sum, weight } of averages) {
    if (weight > 0)
      refreshed.set(
        variable,
        Float32Array.from(sum, (s) => s / weight),
      );
  }
  for (const [variable, values] of refreshed) session.setVariable(variable, values);
  return refreshed;
}

/** Sees what a layer writes to one of its variables, and keeps it from being written. */
function intercept(variable: LayerVariable, see: (value: Tensor) => void): () => void {
  variable.write = (value) => {
    see(value);
    return variable;
  };
  return () => {
    delete (variable as Partial<LayerVariable>).write;
  };
}
