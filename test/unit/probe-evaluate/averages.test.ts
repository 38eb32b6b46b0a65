/**
 * Averages of TF.js models of every kind, written as model.json and loaded again: their weights against the mean of the
 * members' own, batch-norm statistics against moments of what reaches the layer (test/torch/test_averages.py holds the same
 * kinds of PyTorch model against torch.optim.swa_utils).
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type * as tfjs from '@tensorflow/tfjs';
import { installKernels } from '../../../src/probe/tfjs/kernels/install.ts';
import { engine, load, numbers, record, scratchDirectory, serve, type Tf } from './recording.ts';

const samples = 96;
const batchSize = 24;
const train = { split: 'train' as const };

/** Whatever makes a case odd stands beside a batch norm, so that there are statistics as well. */
type Build = (tf: Tf, x: tfjs.SymbolicTensor) => tfjs.SymbolicTensor | tfjs.SymbolicTensor[];
let seed = 0;
const dense = (tf: Tf, units: number, more: object = {}): tfjs.layers.Layer =>
  tf.layers.dense({ units, kernelInitializer: tf.initializers.glorotNormal({ seed: ++seed }), ...more });
const norm = (tf: Tf): tfjs.layers.Layer => tf.layers.batchNormalization();
const relu = (tf: Tf): tfjs.layers.Layer => tf.layers.reLU();
const through = (x: tfjs.SymbolicTensor, layers: tfjs.layers.Layer[]): tfjs.SymbolicTensor =>
  layers.reduce((h, layer) => layer.apply(h) as tfjs.SymbolicTensor, x);

const kinds: Record<string, Build> = {
  'batch norm': (tf, x) => through(x, [dense(tf, 12), norm(tf), relu(tf), dense(tf, 3)]),
  'layer norm': (tf, x) => {
    const inner = through(x, [dense(tf, 12), tf.layers.layerNormalization(), relu(tf)]);
    return through(inner, [dense(tf, 12), norm(tf), relu(tf), dense(tf, 3)]);
  },
  // Dropout after the batch norm: before it, the statistics themselves would be drawn by chance.
  dropout: (tf, x) => {
    const drop = tf.layers.dropout({ rate: 0.5, seed: 9 });
    return through(x, [dense(tf, 12), norm(tf), relu(tf), drop, dense(tf, 3)]);
  },
  'tied weights': (tf, x) => {
    const twice = dense(tf, 12, { activation: 'relu' });
    return through(x, [dense(tf, 12), twice, norm(tf), twice, dense(tf, 3)]);
  },
  'frozen layers': (tf, x) =>
    through(x, [dense(tf, 12, { trainable: false }), norm(tf), relu(tf), dense(tf, 3)]),
  'several outputs': (tf, x) => {
    const inner = through(x, [dense(tf, 12), norm(tf), relu(tf)]);
    return [through(inner, [dense(tf, 3)]), through(inner, [dense(tf, 2)])];
  },
};

describe('averages of layers models', function () {
  this.timeout(60_000);
  const directory = scratchDirectory();
  let tf: Tf;
  before(async () => {
    tf = await load('cpu');
  });

  for (const [kind, build] of Object.entries(kinds)) {
    it(`${kind}: weights and statistics are those computed directly`, async () => {
      seed = 0;
      const input = tf.input({ shape: [6] });
      const outputs = build(tf, input);
      const model = tf.model({ inputs: input, outputs });
      const several = Array.isArray(outputs);
      const ofClasses = (y: tfjs.Tensor, p: tfjs.Tensor): tfjs.Tensor =>
        tf.losses.softmaxCrossEntropy(y, p, undefined, undefined, tf.Reduction.NONE);
      model.compile({
        optimizer: tf.train.sgd(0.3),
        loss: several ? [ofClasses, tf.metrics.meanSquaredError] : ofClasses,
      });
      const x = tf.tensor2d(numbers(samples * 6, 3), [samples, 6]);
      const y = tf.oneHot(x.slice([0, 0], [samples, 3]).argMax(1), 3).toFloat();
      const targets = several ? [y, x.slice([0, 3], [samples, 2])] : y;

      const members: Float32Array[][] = [];
      const read = (): Float32Array[] => model.weights.map((w) => Float32Array.from(w.read().dataSync()));
      const undo = installKernels(engine());
      const recording = await record(() =>
        model.fit(x, targets, {
          epochs: 3,
          batchSize,
          shuffle: false,
          verbose: 0,
          callbacks: { onBatchEnd: () => void members.push(read()) },
        }),
      ).finally(undo);
      // The batches of the first epoch are each sample once.
      const client = serve(
        { ...recording, train: recording.train.slice(0, samples / batchSize) },
        directory(),
      );
      const late = members.slice(-5);
      assert.equal(late.length, 5);
      const put = (values: readonly ArrayLike<number>[]): void =>
        model.weights.forEach((w, i) => w.write(tf.tensor([...Array.from(values[i]!)], w.shape as number[])));
      late.forEach((weights, i) => {
        put(weights);
        client.ask('load', { into: `m${i}`, from: 'current' });
      });
      client.ask('combine', {
        into: 'average',
        terms: late.map((_, i) => ({ coefficient: 1 / late.length, vector: `m${i}` })),
        state: 'm0',
      });
      const told = client.ask('refreshStatistics', { vector: 'average', data: train });
      assert.deepEqual([told.tensors, told.samples], [2, samples]);
      const to = path.join(directory(), kind);
      client.ask('exportModel', { vector: 'average', directory: to, format: 'tfjs' });
      client.dispose();

      const exported = await weightsOf(tf, to);
      assert.deepEqual([...exported.keys()].sort(), model.weights.map((w) => w.originalName).sort());
      const trained = new Set<object>(recording.capture.variables);
      const means = model.weights.map((_, i) =>
        Float64Array.from(late[0]![i]!, (_, j) => late.reduce((sum, w) => sum + w[i]![j]! / late.length, 0)),
      );
      let moved = 0;
      model.weights.forEach((w, i) => {
        if (/moving/.test(w.originalName)) return;
        const own = exported.get(w.originalName)!;
        if (trained.has(w.read())) {
          close(own, means[i]!, w.originalName);
          if (late[0]![i]!.some((v, j) => v !== late.at(-1)![i]![j])) moved++;
        } else {
          assert.equal(kind, 'frozen layers');
          assert.deepEqual(own, late[0]![i], w.originalName);
        }
      });
      assert.ok(moved > 0);

      put(means);
      const layer = model.layers.find((l) => l.getClassName() === 'BatchNormalization')!;
      const below = tf.model({ inputs: input, outputs: layer.input });
      const parts = tf
        .split(x, samples / batchSize)
        .map((part) => tf.moments(below.predict(part) as tfjs.Tensor, 0));
      const mean = (of: tfjs.Tensor[]): Float32Array => tf.mean(tf.stack(of), 0).dataSync() as Float32Array;
      const [, , movingMean, movingVariance] = layer.weights.map((w) => exported.get(w.originalName)!);
      close(movingMean!, mean(parts.map((p) => p.mean)), 'moving mean');
      close(movingVariance!, mean(parts.map((p) => p.variance)), 'moving variance');
      const i = model.weights.indexOf(layer.weights[2]!);
      assert.notDeepEqual(movingMean, late.at(-1)![i], 'statistics of their own');
    });
  }
});

/** To 1e-6, of what is larger than 1 relatively. */
function close(found: ArrayLike<number>, wanted: ArrayLike<number>, what: string): void {
  assert.equal(found.length, wanted.length, what);
  Array.from(wanted).forEach((value, i) => {
    const off = Math.abs(found[i]! - value);
    assert.ok(off <= 1e-6 * (1 + Math.abs(value)), `${what}[${i}]: ${found[i]} for ${value}`);
  });
}

/** By name, as tf.loadLayersModel makes the model. */
async function weightsOf(tf: Tf, folder: string): Promise<Map</* name */ string, Float32Array>> {
  const { modelTopology, weightsManifest } = JSON.parse(
    await readFile(path.join(folder, 'model.json'), 'utf8'),
  ) as { modelTopology: object; weightsManifest: { weights: tfjs.io.WeightsManifestEntry[] }[] };
  const weightData = new Uint8Array(await readFile(path.join(folder, 'weights.bin'))).buffer;
  const loaded = await tf.loadLayersModel(
    tf.io.fromMemory({
      modelTopology,
      weightSpecs: weightsManifest.flatMap((group) => group.weights),
      weightData,
    }),
  );
  return new Map(loaded.weights.map((w) => [w.originalName, w.read().dataSync() as Float32Array]));
}
