import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type * as tfjs from '@tensorflow/tfjs';
import { installKernels } from '../../../src/probe/tfjs/kernels/install.ts';
import { needs } from '../../harness/requires.ts';
import {
  engine,
  load,
  numbers,
  record,
  relative,
  serve,
  type BackendName,
  type Client,
  type Recording,
  type Tf,
  asTrained,
  inference,
  scratchDirectory,
  setWeights,
} from './recording.ts';

const train = { split: 'train' as const };

const directory = scratchDirectory();

type Model = tfjs.Sequential;

/** A model that is trained by one call of fit with a learning rate of zero: its weights stay, its data are recorded. */
async function recordFit(
  tf: Tf,
  model: Model,
  x: tfjs.Tensor,
  y: tfjs.Tensor,
  batchSize: number,
  loss = 'categoricalCrossentropy',
): Promise<Recording> {
  model.compile({ optimizer: tf.train.sgd(0), loss });
  const undo = installKernels(engine());
  try {
    return await record(() => model.fit(x, y, { epochs: 1, batchSize, shuffle: false, verbose: 0 }));
  } finally {
    undo();
  }
}

const oneHot = (tf: Tf, n: number, k: number): tfjs.Tensor2D =>
  tf
    .oneHot(
      tf.tensor1d(
        Array.from({ length: n }, (_, i) => (i * 5 + (i >> 2)) % k),
        'int32',
      ),
      k,
    )
    .toFloat() as tfjs.Tensor2D;

/** Largest eigenvalue by magnitude, by power iteration on Hessian products of the evaluator. */
function largestEigenvalue(
  client: Client,
  method: 'exact' | 'finite-difference',
  iterations: number,
): number {
  client.ask('load', { into: 'θ', from: 'current' });
  client.ask('random', {
    into: 'v',
    seed: 3,
    like: 'θ',
    normalisation: 'none',
    include: { bias: true, norm: true },
  });
  let length = Math.sqrt(client.ask('dots', { pairs: [['v', 'v']] }).values[0]!);
  let eigenvalue = NaN;
  for (let i = 0; i < iterations; i++) {
    client.ask('combine', { into: 'v', terms: [{ coefficient: 1 / length, vector: 'v' }], state: null });
    assert.equal(
      client.ask('hvp', { at: 'θ', vector: 'v', into: 'Hv', how: asTrained, method }).method,
      method,
    );
    eigenvalue = client.ask('dots', { pairs: [['v', 'Hv']] }).values[0]!;
    client.ask('combine', { into: 'v', terms: [{ coefficient: 1, vector: 'Hv' }], state: null });
    length = Math.sqrt(client.ask('dots', { pairs: [['v', 'v']] }).values[0]!);
  }
  return eigenvalue;
}

async function sharpness(
  backend: BackendName,
  smooth: boolean,
  method: 'exact' | 'finite-difference',
): Promise<number> {
  const tf = await load(backend);
  const activation = smooth ? 'softplus' : 'relu';
  const pool = { poolSize: 2 };
  const model = tf.sequential({
    layers: [
      tf.layers.conv2d({ inputShape: [8, 8, 2], filters: 4, kernelSize: 3, padding: 'same', activation }),
      tf.layers.batchNormalization(),
      smooth ? tf.layers.averagePooling2d(pool) : tf.layers.maxPooling2d(pool),
      tf.layers.flatten(),
      tf.layers.dense({ units: 3, activation: 'softmax' }),
    ],
  });
  setWeights(tf, model);
  const recording = await recordFit(
    tf,
    model,
    tf.tensor4d(numbers(20 * 128, 2), [20, 8, 8, 2]),
    oneHot(tf, 20, 3),
    10,
  );
  return largestEigenvalue(serve(recording, directory()), method, 25);
}

describe('Sharpness of a net with convolution, batch norm and max-pooling', function () {
  this.timeout(240_000);

  it('is the same on wasm, which trains no convolutions by itself, as on cpu', async () => {
    const [cpu, wasm] = [await sharpness('cpu', false, 'exact'), await sharpness('wasm', false, 'exact')];
    assert.ok(Math.abs(cpu - wasm) < 1e-4 * Math.abs(cpu), `${cpu} ${wasm}`);
  });
  it('is the same on tfjs-node', async function () {
    needs(this, 'tfjs-node');
    const [node, wasm] = [
      await sharpness('tensorflow', false, 'exact'),
      await sharpness('wasm', false, 'exact'),
    ];
    assert.ok(Math.abs(node - wasm) < 1e-4 * Math.abs(node), `${node} ${wasm}`);
  });
  for (const backend of ['tensorflow', 'wasm'] as const) {
    it(`agrees with differences of the gradient in a smooth twin (${backend})`, async function () {
      if (backend === 'tensorflow') needs(this, 'tfjs-node');
      const [exact, differences] = [
        await sharpness(backend, true, 'exact'),
        await sharpness(backend, true, 'finite-difference'),
      ];
      assert.ok(Math.abs(exact - differences) < 1e-2 * Math.abs(exact), `${exact} ${differences}`);
    });
  }
});

for (const backend of ['tensorflow', 'wasm'] as const) {
  describe(`Evaluating models (${backend})`, () => {
    let tf: Tf;
    before(async function () {
      if (backend === 'tensorflow') needs(this, 'tfjs-node');
      tf = await load(backend);
    });

    it('gives the same slice for a ReLU net and its rescaled twin when directions are filter-normalised', async () => {
      const x = tf.tensor2d(numbers(24 * 5, 3), [24, 5]);
      const y = oneHot(tf, 24, 3);
      const slice = async (factor: number, normalisation: 'filter' | 'none'): Promise<number[]> => {
        const model = tf.sequential({
          layers: [
            tf.layers.dense({
              units: 16,
              inputShape: [5],
              activation: 'relu',
              useBias: false,
              name: `a${normalisation}${factor}${backend}`,
            }),
            tf.layers.dense({
              units: 3,
              activation: 'softmax',
              useBias: false,
              name: `b${normalisation}${factor}${backend}`,
            }),
          ],
        });
        setWeights(tf, model, 2);
        const [a, b] = model.getWeights() as [tfjs.Tensor, tfjs.Tensor];
        model.setWeights([a.mul(factor), b.div(factor)]);
        const recording = await recordFit(tf, model, x, y, 8);
        const client = serve(recording, directory());
        client.ask('load', { into: 'θ', from: 'current' });
        // The same noise for both: names differ between models, so it is drawn by a model of fixed names.
        const { objective } = client.ask('hello', { token: '', protocol: 2, objective: 0 });
        (objective.parameters as unknown as { name: string }[]).forEach((p, i) => (p.name = `p${i}`));
        client.ask('random', {
          into: 'd',
          seed: 9,
          like: 'θ',
          normalisation,
          include: { bias: false, norm: false },
        });
        const coefficients = Array.from({ length: 9 }, (_, i) => [(i - 4) / 4]);
        return client
          .ask('loss', { origin: 'θ', directions: ['d'], coefficients, how: inference })
          .points.map((p) => p.loss);
      };
      assert.ok(relative(await slice(10, 'filter'), await slice(1, 'filter')) < 1e-5);
      assert.ok(
        relative(await slice(10, 'none'), await slice(1, 'none')) > 1e-2,
        'without normalisation they differ',
      );
    });

    describe('batch-norm statistics', () => {
      /** Two stacked batch norms, the second fed by the first; batches of 8, 8 and 5. */
      const stacked = async (): Promise<{
        model: Model;
        recording: Recording;
        batches: [tfjs.Tensor2D, number][];
      }> => {
        const x = tf.tensor2d(
          numbers(21 * 4, 5).map((v) => 3 * v + 1),
          [21, 4],
        );
        const model = tf.sequential({
          layers: [
            tf.layers.dense({ units: 6, inputShape: [4] }),
            tf.layers.batchNormalization({ momentum: 0.9 }),
            tf.layers.dense({ units: 5, activation: 'tanh' }),
            tf.layers.batchNormalization(),
            tf.layers.dense({ units: 3, activation: 'softmax' }),
          ],
        });
        setWeights(tf, model);
        const recording = await recordFit(tf, model, x, oneHot(tf, 21, 3), 8);
        const batches = [
          [0, 8],
          [8, 8],
          [16, 5],
        ].map(([from, n]): [tfjs.Tensor2D, number] => [x.slice<tfjs.Tensor2D>(from!, n), n!]);
        return { model, recording, batches };
      };

      /** The definition itself: sample-weighted means of each batch's mean and biased variance, computed layer by layer. */
      const direct = (model: Model, batches: [tfjs.Tensor2D, number][]): Float64Array[] => {
        const out: Float64Array[] = [];
        const add = (i: number, t: tfjs.Tensor, weight: number): void => {
          const values = t.dataSync();
          out[i] ??= new Float64Array(values.length);
          values.forEach((v, j) => (out[i]![j]! += weight * v));
        };
        const total = batches.reduce((n, [, k]) => n + k, 0);
        for (const [x, n] of batches) {
          let h: tfjs.Tensor = x;
          let index = 0;
          for (const layer of model.layers) {
            if (layer.getClassName() === 'BatchNormalization') {
              const { mean, variance } = tf.moments(h, 0);
              add(index++, mean, n / total);
              add(index++, variance, n / total);
              const [gamma, beta] = layer.getWeights();
              h = h.sub(mean).div(variance.add(1e-3).sqrt()).mul(gamma!).add(beta!);
            } else h = layer.apply(h) as tfjs.Tensor;
          }
        }
        return out;
      };

      it('are the sample-weighted means of what each batch feeds to the moving averages', async () => {
        const { model, recording, batches } = await stacked();
        const client = serve(recording, directory());
        client.ask('load', { into: 'θ', from: 'current' });
        const { tensors, samples } = client.ask('refreshStatistics', { vector: 'θ', data: train });
        assert.deepEqual([tensors, samples], [4, 21]);
        const file = join(directory(), 'refreshed.safetensors');
        client.ask('save', { vector: 'θ', file, metadata: {} });
        const { VectorFile } = await import('../../../src/probe/tfjs/vectorFile.ts');
        const { objective } = client.ask('hello', { token: '', protocol: 2, objective: 0 });
        const state = VectorFile.open(file, objective).state()!;
        direct(model, batches).forEach((expected, i) =>
          assert.ok(relative(state[i]!, expected) < 1e-5, objective.state[i]?.name),
        );
      });

      it('are computed anew at every point when asked for', async () => {
        const { model, recording, batches } = await stacked();
        const client = serve(recording, directory());
        client.ask('load', { into: 'θ', from: 'current' });
        client.ask('random', {
          into: 'd',
          seed: 1,
          like: 'θ',
          normalisation: 'filter',
          include: { bias: false, norm: false },
        });
        const how = { ...inference, refresh: true };
        const { points } = client.ask('loss', {
          origin: 'θ',
          directions: ['d'],
          coefficients: [[0], [0.5]],
          how,
        });
        client.ask('combine', {
          into: 'moved',
          terms: [
            { coefficient: 1, vector: 'θ' },
            { coefficient: 0.5, vector: 'd' },
          ],
          state: 'θ',
        });
        const stale = client.ask('score', { members: ['moved'], how: inference }).loss;
        client.ask('refreshStatistics', { vector: 'moved', data: train });
        const fresh = client.ask('score', { members: ['moved'], how: inference }).loss;
        assert.ok(Math.abs(points[1]!.loss - fresh) < 1e-5 * fresh);
        assert.ok(Math.abs(stale - fresh) > 1e-3, 'stored statistics belong to other weights');
        // and by hand at the origin
        const state = direct(model, batches);
        const norms = model.layers.filter((l) => l.getClassName() === 'BatchNormalization');
        norms.forEach((l, i) => {
          const [gamma, beta] = l.getWeights();
          l.setWeights([gamma!, beta!, tf.tensor1d([...state[2 * i]!]), tf.tensor1d([...state[2 * i + 1]!])]);
        });
        const x = tf.concat(batches.map(([b]) => b));
        const loss = model.evaluate(x, oneHot(tf, 21, 3), { batchSize: 21 }) as tfjs.Scalar;
        assert.ok(Math.abs(points[0]!.loss - loss.dataSync()[0]!) < 1e-5);
      });
    });

    describe('ensembles', () => {
      const classifier = (
        loss: string,
        units: number,
        activation: 'softmax' | 'sigmoid' | 'linear',
      ): [Model, string] => [
        tf.sequential({
          layers: [
            tf.layers.dense({
              units: 8,
              inputShape: [4],
              activation: 'tanh',
              kernelRegularizer: tf.regularizers.l2({ l2: 0.02 }),
            }),
            tf.layers.dense({ units, activation }),
          ],
        }),
        loss,
      ];
      const x = (): tfjs.Tensor2D =>
        tf.tensor2d(
          numbers(19 * 4, 6).map((v) => 4 * v),
          [19, 4],
        );

      /** Two members: the model's weights, and others; with the predictions that the model itself gives for each. */
      const members = (client: Client, model: Model): tfjs.Tensor[] => {
        client.ask('load', { into: 'a', from: 'current' });
        const first = model.predict(x()) as tfjs.Tensor;
        const kept = model.getWeights().map((w) => w.clone());
        model.setWeights(kept.map((w) => w.mul(-0.7).add(0.2)));
        client.ask('load', { into: 'b', from: 'current' });
        const second = model.predict(x()) as tfjs.Tensor;
        model.setWeights(kept);
        return [first, second];
      };

      for (const [loss, kind] of [
        ['categoricalCrossentropy', 'one-hot'],
        ['sparseCategoricalCrossentropy', 'class numbers'],
      ] as const) {
        it(`average softmax probabilities and are scored by the script's loss (${kind})`, async () => {
          const [model] = classifier(loss, 3, 'softmax');
          setWeights(tf, model, 3);
          const hot = oneHot(tf, 19, 3);
          const labels = hot.argMax(1);
          const recording = await recordFit(
            tf,
            model,
            x(),
            kind === 'one-hot' ? hot : labels.toFloat(),
            8,
            loss,
          );
          const client = serve(recording, directory());
          const mean = tf.addN(members(client, model)).div(2);
          const norms = ['a', 'b'].map((m) => {
            const w = client.values(m).subarray(0, 32);
            return w.reduce((s, q) => s + 0.02 * q * q, 0);
          });
          const each = Array.from(hot.mul(mean.log()).sum(1).neg().dataSync());
          const expected = each.reduce((s, l) => s + l, 0) / 19 + (norms[0]! + norms[1]!) / 2;
          const score = client.ask('score', { members: ['a', 'b'], how: inference });
          assert.ok(Math.abs(score.loss - expected) < 1e-5 * expected, `${score.loss} ${expected}`);
          const right = mean.argMax(1).equal(labels).toFloat().mean().dataSync()[0]!;
          assert.ok(Math.abs(score.accuracy! - right) < 1e-6);
          assert.equal(score.samples, 19);
          assert.equal(score.standardErrorFrom, 'samples');
          const m = each.reduce((s, l) => s + l, 0) / 19;
          const error = Math.sqrt(each.reduce((s, l) => s + (l - m) ** 2, 0) / 18 / 19);
          assert.ok(Math.abs(score.standardError! - error) < 1e-4 * error);
        });
      }

      it('average sigmoid probabilities', async () => {
        const [model, loss] = classifier('binaryCrossentropy', 1, 'sigmoid');
        setWeights(tf, model, 3);
        const y = tf.tensor2d(
          Array.from({ length: 19 }, (_, i) => (i * 3) % 2),
          [19, 1],
        );
        const client = serve(await recordFit(tf, model, x(), y, 8, loss), directory());
        const mean = tf.addN(members(client, model)).div(2);
        const score = client.ask('score', { members: ['a', 'b'], how: inference });
        const right = mean.greater(0.5).equal(y.greater(0.5)).toFloat().mean().dataSync()[0]!;
        assert.ok(Math.abs(score.accuracy! - right) < 1e-6);
      });

      it('work through a hand-written loss on logits', async () => {
        const [model] = classifier('', 3, 'linear');
        setWeights(tf, model, 3);
        const y = oneHot(tf, 19, 3);
        const xs = x();
        const recording = await record(() =>
          tf.train
            .sgd(0)
            .minimize(() => tf.losses.softmaxCrossEntropy(y, model.apply(xs) as tfjs.Tensor).asScalar()),
        );
        const client = serve(recording, directory());
        const mean = tf.addN(members(client, model).map((m) => m.softmax())).div(2);
        const expected = y.mul(mean.log()).sum(1).neg().mean().dataSync()[0]!;
        const score = client.ask('score', { members: ['a', 'b'], how: inference });
        assert.ok(Math.abs(score.loss - expected) < 1e-5 * expected);
        const right = mean.argMax(1).equal(y.argMax(1)).toFloat().mean().dataSync()[0]!;
        assert.ok(Math.abs(score.accuracy! - right) < 1e-6);
      });

      it('are refused, with a reason, where no single model makes the predictions', async () => {
        const w = tf.variable(tf.tensor1d([1, 2, 3]));
        const client = serve(
          await record(() => tf.train.sgd(0).minimize(() => w.square().sum().asScalar(), false, [w])),
          directory(),
        );
        client.ask('load', { into: 'a', from: 'current' });
        assert.throws(() => client.ask('score', { members: ['a', 'a'], how: asTrained }), {
          code: 'unsupported',
        });
        assert.throws(() => client.ask('score', { members: ['a'], how: inference }), { code: 'unsupported' });
        w.dispose();
      });
    });

    it('writes a model that tf.loadLayersModel loads, with the vector’s weights and statistics', async () => {
      const model = tf.sequential({
        layers: [
          tf.layers.dense({ units: 4, inputShape: [3], activation: 'relu' }),
          tf.layers.batchNormalization(),
          tf.layers.dense({ units: 2, activation: 'softmax' }),
        ],
      });
      setWeights(tf, model);
      const x = tf.tensor2d(numbers(30, 8), [10, 3]);
      const client = serve(await recordFit(tf, model, x, oneHot(tf, 10, 2), 5), directory());
      client.ask('load', { into: 'θ', from: 'current' });
      client.ask('combine', { into: 'half', terms: [{ coefficient: 0.5, vector: 'θ' }], state: 'combine' });
      const to = join(directory(), `model-${backend}`);
      assert.deepEqual(client.ask('exportModel', { vector: 'half', directory: to, format: 'tfjs' }).files, [
        'model.json',
        'weights.bin',
      ]);
      const json = JSON.parse(readFileSync(join(to, 'model.json'), 'utf8')) as {
        modelTopology: object;
        weightsManifest: { weights: [] }[];
      };
      const bytes = readFileSync(join(to, 'weights.bin'));
      const loaded = await tf.loadLayersModel(
        tf.io.fromMemory({
          modelTopology: json.modelTopology,
          weightSpecs: json.weightsManifest[0]!.weights,
          weightData: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
        }),
      );
      if (backend === 'tensorflow') assert.ok(await tf.loadLayersModel(`file://${to}/model.json`));
      model.setWeights(model.getWeights().map((w) => w.mul(0.5)));
      const [a, b] = [loaded.predict(x) as tfjs.Tensor, model.predict(x) as tfjs.Tensor];
      assert.ok(relative(a.dataSync(), b.dataSync()) < 1e-6);
    });
  });
}
