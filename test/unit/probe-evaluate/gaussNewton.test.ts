import assert from 'node:assert/strict';
import { join } from 'node:path';
import type * as tfjs from '@tensorflow/tfjs';
import { saveVector } from '../../../src/probe/tfjs/vectorFile.ts';
import { needs } from '../../harness/requires.ts';
import {
  load,
  numbers,
  relative,
  type Client,
  type Tf,
  asTrained,
  inference,
  recordAndServe,
  scratchDirectory,
  setWeights,
} from './recording.ts';

type How = typeof asTrained | typeof inference;

const directory = scratchDirectory();

/** A product with values of the test's own; asserts by which method it came. */
function product(
  client: Client,
  v: Float32Array,
  matrix: 'hessian' | 'gauss-newton',
  how: How = asTrained,
  method: 'exact' | 'finite-difference' = 'exact',
): Float32Array {
  const file = join(directory(), 'v.safetensors');
  const { objective } = client.ask('hello', { token: '', protocol: 2, objective: 0 });
  saveVector(file, objective, { values: v, state: null }, {});
  client.ask('load', { into: 'θ', from: 'current' });
  client.ask('load', { into: 'v', from: { file } });
  const answer = client.ask('hvp', { at: 'θ', vector: 'v', into: 'Mv', how, method, matrix });
  assert.equal(answer.method, method);
  return client.values('Mv');
}

const N = 21;
const CLASSES = 3;
const label = (i: number): number => (i * 5 + (i >> 2)) % CLASSES;

for (const backend of ['tensorflow', 'wasm', 'cpu'] as const) {
  describe(`Gauss–Newton products (${backend})`, function () {
    this.timeout(60_000);
    let tf: Tf;
    before(async function () {
      if (backend === 'tensorflow') needs(this, 'tfjs-node');
      tf = await load(backend);
    });

    const inputs = (): tfjs.Tensor2D =>
      tf.tensor2d(
        numbers(N * 4, 3).map((q) => 3 * q),
        [N, 4],
      );
    const hot = (): tfjs.Tensor2D =>
      tf
        .oneHot(
          tf.tensor1d(
            Array.from({ length: N }, (_, i) => label(i)),
            'int32',
          ),
          CLASSES,
        )
        .toFloat() as tfjs.Tensor2D;
    const recorded = (script: () => unknown): Promise<Client> => recordAndServe(script, directory());
    const fit = async (
      layers: tfjs.layers.Layer[],
      loss: string,
      y: tfjs.Tensor,
      x: tfjs.Tensor = inputs(),
    ): Promise<Client> => {
      const model = tf.sequential({ layers });
      setWeights(tf, model);
      model.compile({ optimizer: tf.train.sgd(0), loss });
      return recorded(() => model.fit(x, y, { epochs: 1, batchSize: 8, shuffle: false, verbose: 0 }));
    };

    it('are the Hessian’s where the prediction is linear in the weights', async () => {
      const dense = (activation: 'softmax' | 'sigmoid' | 'linear', units = CLASSES): tfjs.layers.Layer[] => [
        tf.layers.dense({ units, activation, inputShape: [4] }),
      ];
      const sparse = tf.tensor1d(Array.from({ length: N }, (_, i) => label(i)));
      const cases: [string, () => Promise<Client>][] = [
        [
          'least squares',
          () => fit(dense('linear', 2), 'meanSquaredError', tf.tensor2d(numbers(2 * N, 5), [N, 2])),
        ],
        ['softmax', () => fit(dense('softmax'), 'categoricalCrossentropy', hot())],
        ['softmax, class numbers', () => fit(dense('softmax'), 'sparseCategoricalCrossentropy', sparse)],
        ['sigmoid', () => fit(dense('sigmoid', 1), 'binaryCrossentropy', sparse.minimum(1).reshape([N, 1]))],
      ];
      for (const [name, opening] of cases) {
        const client = await opening();
        const { objective } = client.ask('hello', { token: '', protocol: 2, objective: 0 });
        const v = numbers(objective.parameterCount, 7);
        for (const how of [asTrained, inference]) {
          const error = relative(product(client, v, 'gauss-newton', how), product(client, v, 'hessian', how));
          assert.ok(error < 1e-5, `${name}: ${error}`);
        }
        const rough = relative(
          product(client, v, 'gauss-newton', asTrained, 'finite-difference'),
          product(client, v, 'gauss-newton'),
        );
        assert.ok(rough < 5e-3 && rough > 0, `${name} by differences: ${rough}`);
      }
    });

    for (const name of ['logits', 'log-probabilities', 'probabilities']) {
      it(`are the Hessian’s of softmax regression through a hand-written loss on ${name}`, async () => {
        const model = tf.sequential({
          layers: [
            tf.layers.dense({
              units: CLASSES,
              inputShape: [4],
              activation:
                name === 'logits'
                  ? 'linear'
                  : name === 'probabilities'
                    ? 'softmax'
                    : ('logSoftmax' as 'linear'),
            }),
          ],
        });
        const [x, y] = [inputs(), hot()];
        const client = await recorded(() =>
          tf.train.sgd(0).minimize(() => {
            const z = model.apply(x) as tfjs.Tensor2D;
            return name === 'logits'
              ? tf.losses.softmaxCrossEntropy(y, z)
              : y
                  .mul(name === 'probabilities' ? z.log() : z)
                  .sum(1)
                  .mean()
                  .neg()
                  .asScalar();
          }),
        );
        const v = numbers(15, 8);
        const [gaussNewton, hessian] = [product(client, v, 'gauss-newton'), product(client, v, 'hessian')];
        assert.ok(Math.hypot(...hessian) > 1e-2);
        assert.ok(relative(gaussNewton, hessian) < 1e-5, `${relative(gaussNewton, hessian)}`);
      });
    }

    it('of a net with squared errors are (2/N)·JᵀJ·v, and not the Hessian’s', async () => {
      const units = 5;
      const outputs = 2;
      const build = (penalty: boolean): Promise<Client> =>
        fit(
          [
            tf.layers.dense({
              units,
              activation: 'tanh',
              inputShape: [4],
              ...(penalty ? { kernelRegularizer: tf.regularizers.l2({ l2: 0.5 }) } : {}),
            }),
            tf.layers.dense({ units: outputs }),
          ],
          'meanSquaredError',
          tf.tensor2d(numbers(outputs * N, 5), [N, outputs]),
        );
      const client = await build(false);
      client.ask('load', { into: 'θ', from: 'current' });
      const w = client.values('θ');
      const x = inputs().arraySync();
      // Parameters lie as kernel, bias, kernel, bias.
      const [b1, k2, b2] = [4 * units, 5 * units, 5 * units + units * outputs];
      const rows = x.flatMap((row) => {
        const h = Array.from({ length: units }, (_, j) =>
          Math.tanh(row.reduce((s, q, i) => s + q * w[i * units + j]!, w[b1 + j]!)),
        );
        return Array.from({ length: outputs }, (_, o) => {
          const d = new Float64Array(w.length);
          h.forEach((hj, j) => {
            const back = w[k2 + j * outputs + o]! * (1 - hj * hj);
            row.forEach((q, i) => (d[i * units + j] = q * back));
            d[b1 + j] = back;
            d[k2 + j * outputs + o] = hj;
          });
          d[b2 + o] = 1;
          return d;
        });
      });
      const v = numbers(w.length, 9);
      const wanted = new Float64Array(w.length);
      for (const d of rows) {
        const along = d.reduce((s, q, i) => s + q * v[i]!, 0);
        // The loss is the mean over samples and outputs.
        d.forEach((q, i) => (wanted[i]! += (2 / (N * outputs)) * q * along));
      }
      assert.ok(relative(product(client, v, 'gauss-newton'), wanted) < 1e-5);
      assert.ok(relative(product(client, v, 'hessian'), wanted) > 1e-2);
      // The weight penalty is no part of it.
      assert.ok(relative(product(await build(true), v, 'gauss-newton'), wanted) < 1e-5);
    });

    it('agree with differences through convolution, batch norm and dropout, and are positive semi-definite', async () => {
      const L = tf.layers;
      const client = await fit(
        [
          L.conv2d({ inputShape: [6, 6, 2], filters: 3, kernelSize: 3, activation: 'tanh', padding: 'same' }),
          L.batchNormalization(),
          L.averagePooling2d({ poolSize: 2 }),
          L.flatten(),
          L.dropout({ rate: 0.3 }),
          L.dense({ units: CLASSES, activation: 'softmax' }),
        ],
        'categoricalCrossentropy',
        hot(),
        tf.tensor4d(numbers(N * 72, 2), [N, 6, 6, 2]),
      );
      const { objective } = client.ask('hello', { token: '', protocol: 2, objective: 0 });
      for (const how of [asTrained, inference]) {
        const v = numbers(objective.parameterCount, 12);
        const exact = product(client, v, 'gauss-newton', how);
        const rough = product(client, v, 'gauss-newton', how, 'finite-difference');
        assert.ok(relative(rough, exact) < 2e-2, `${how.mode}: ${relative(rough, exact)}`);
        assert.ok(exact.reduce((s, q, i) => s + q * v[i]!, 0) > 0);
        assert.ok(relative(product(client, v, 'hessian', how), exact) > 1e-3, 'it is another matrix');
      }
    });

    it('are refused where there are no predictions, with the reason', async () => {
      const w = tf.variable(tf.tensor1d(numbers(6, 31)));
      const client = await recorded(() =>
        tf.train.sgd(0).minimize(() => w.square().sum().asScalar(), false, [w]),
      );
      assert.throws(() => product(client, numbers(6, 1), 'gauss-newton'), {
        code: 'unsupported',
        message: /no Gauss–Newton matrix/,
      });
      w.dispose();
    });
  });
}
