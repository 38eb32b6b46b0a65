import assert from 'node:assert/strict';
import type * as tfjs from '@tensorflow/tfjs';
import { secondMoment } from '../../../src/probe/tfjs/secondMoment.ts';
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

const directory = scratchDirectory();

const N = 21;
const CLASSES = 3;
const labels = Array.from({ length: N }, (_, i) => (i * 5 + (i >> 2)) % CLASSES);
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const near = (a: number, b: number, tolerance: number, what = ''): void => {
  assert.ok(Math.abs(a - b) <= tolerance * (1 + Math.abs(b)), `${what}: ${a} and ${b}`);
};

for (const backend of ['tensorflow', 'wasm'] as const) {
  describe(`Samples (${backend})`, () => {
    let tf: Tf;
    before(async function () {
      if (backend === 'tensorflow') needs(this, 'tfjs-node');
      tf = await load(backend);
    });
    const inputs = (scale = 3): tfjs.Tensor2D =>
      tf.tensor2d(
        numbers(N * 4, 3).map((q) => scale * q),
        [N, 4],
      );
    const hot = (): tfjs.Tensor2D =>
      tf.oneHot(tf.tensor1d(labels, 'int32'), CLASSES).toFloat() as tfjs.Tensor2D;
    const recorded = (script: () => unknown): Promise<Client> => recordAndServe(script, directory());
    const set = (model: tfjs.Sequential): tfjs.Sequential => {
      setWeights(tf, model, 2);
      return model;
    };
    const fit = async (
      layers: tfjs.layers.Layer[],
      loss: string,
      y: tfjs.Tensor,
      x: tfjs.Tensor = inputs(),
    ): Promise<[Client, tfjs.Sequential]> => {
      const model = set(tf.sequential({ layers }));
      model.compile({ optimizer: tf.train.sgd(0), loss });
      const client = await recorded(() =>
        model.fit(x, y, { epochs: 1, batchSize: 8, shuffle: false, verbose: 0 }),
      );
      client.ask('load', { into: 'θ', from: 'current' });
      return [client, model];
    };
    const net = (): tfjs.layers.Layer[] => [
      tf.layers.dense({ units: 6, activation: 'tanh', inputShape: [4] }),
      tf.layers.dense({ units: CLASSES, activation: 'softmax' }),
    ];
    /** Logits of the two dense layers of `net`, in double precision. */
    const logits = (w: Float32Array, row: readonly number[]): number[] => {
      const h = Array.from({ length: 6 }, (_, j) =>
        Math.tanh(row.reduce((s, q, i) => s + q * w[i * 6 + j]!, w[24 + j]!)),
      );
      return Array.from({ length: CLASSES }, (_, o) =>
        h.reduce((s, q, j) => s + q * w[30 + j * CLASSES + o]!, w[48 + o]!),
      );
    };
    const margin = (z: readonly number[], label: number): number =>
      z[label]! - Math.max(...z.filter((_, k) => k !== label));

    for (const kind of ['one-hot', 'class numbers'] as const) {
      it(`of a classifier are its losses, margins, confidences and answers (${kind})`, async () => {
        const [client] = await fit(
          net(),
          kind === 'one-hot' ? 'categoricalCrossentropy' : 'sparseCategoricalCrossentropy',
          kind === 'one-hot' ? hot() : tf.tensor1d(labels),
        );
        const w = client.values('θ');
        const found = client.ask('samples', { members: ['θ'], how: inference, inputGradient: true });
        assert.equal(found.reason, null);
        const x = inputs().arraySync();
        const at = (row: readonly number[], i: number): number => margin(logits(w, row), labels[i]!);
        x.forEach((row, i) => {
          const z = logits(w, row);
          const total = z.reduce((s, q) => s + Math.exp(q), 0);
          near(found.loss![i]!, Math.log(total) - z[labels[i]!]!, 1e-5, `loss ${i}`);
          near(found.margin![i]!, at(row, i), 1e-5, `margin ${i}`);
          near(found.confidence![i]!, Math.max(...z.map(Math.exp)) / total, 1e-5);
          assert.equal(found.correct![i], at(row, i) > 0 ? 1 : 0);
          const slopes = row.map((_, j) => {
            const moved = (h: number): number =>
              at(
                row.map((q, k) => (k === j ? q + h : q)),
                i,
              );
            return (moved(1e-5) - moved(-1e-5)) / 2e-5;
          });
          near(found.inputGradientNorm![i]!, Math.hypot(...slopes), 1e-4, `gradient ${i}`);
        });
        const score = client.ask('score', { members: ['θ'], how: inference });
        near(mean(found.loss!), score.loss, 1e-6);
        near(mean(found.correct!), score.accuracy!, 1e-6);
      });
    }

    it('are those of a range of batches, in order; ranges that are not there are refused', async () => {
      const [client] = await fit(net(), 'categoricalCrossentropy', hot());
      const ask = (batches?: [number, number]) =>
        client.ask('samples', {
          members: ['θ'],
          how: {
            ...inference,
            data: batches === undefined ? asTrained.data : { split: 'train', batches, samples: 1 },
          },
          inputGradient: false,
        });
      const all = ask();
      assert.equal(all.inputGradientNorm, null);
      assert.deepEqual(ask([1, 3]).margin, all.margin!.slice(8));
      assert.deepEqual(ask([0, 1]).loss, all.loss!.slice(0, 8));
      for (const wrong of [
        [0, 4],
        [1, 1],
        [-1, 1],
        [0.5, 2],
      ] as [number, number][]) {
        assert.throws(() => ask(wrong), { code: 'bad-input' });
      }
      const gradients = [0, 1, 2].map((b) => {
        const how = { ...asTrained, data: { split: 'train' as const, batches: [b, b + 1] as const } };
        client.ask('gradient', { at: 'θ', into: 'g', how });
        return client.values('g');
      });
      client.ask('gradient', { at: 'θ', into: 'g', how: asTrained });
      const whole = client.values('g');
      const sum = whole.map((_, i) => gradients.reduce((s, g, b) => s + (g[i]! * (b < 2 ? 8 : 5)) / N, 0));
      assert.ok(relative(sum, whole) < 1e-6);
    });

    it('of ranges share the batch-norm statistics that were refreshed from all batches', async () => {
      const [client] = await fit(
        [
          tf.layers.dense({ units: 4, inputShape: [4] }),
          tf.layers.batchNormalization(),
          tf.layers.dense({ units: CLASSES, activation: 'softmax' }),
        ],
        'categoricalCrossentropy',
        hot(),
      );
      const ask = (batches?: [number, number]): readonly number[] =>
        client.ask('samples', {
          members: ['θ'],
          how: { ...inference, refresh: true, data: { split: 'train', ...(batches && { batches }) } },
          inputGradient: false,
        }).loss!;
      const parts = [0, 1, 2].flatMap((b) => ask([b, b + 1]));
      assert.ok(relative(parts, ask()) < 1e-6);
      const data = { split: 'train', batches: [1, 3] } as const;
      assert.equal(client.ask('refreshStatistics', { vector: 'θ', data }).samples, 13);
    });

    it('keep their margin where probabilities have rounded to 0 and 1', async () => {
      const far = (units: number, activation: 'softmax' | 'sigmoid'): tfjs.layers.Layer[] => [
        tf.layers.dense({ units, activation, inputShape: [4], useBias: false }),
      ];
      const x = inputs(300);
      const cases = [
        [far(CLASSES, 'softmax'), 'categoricalCrossentropy', hot()],
        [
          far(1, 'sigmoid'),
          'binaryCrossentropy',
          tf.tensor2d(
            labels.map((l) => Math.min(1, l)),
            [N, 1],
          ),
        ],
      ] as const;
      for (const [layers, loss, y] of cases) {
        const [client] = await fit([...layers], loss, y, x);
        const w = client.values('θ');
        const found = client.ask('samples', { members: ['θ'], how: inference, inputGradient: true });
        const units = w.length / 4;
        x.arraySync().forEach((row, i) => {
          const z = Array.from({ length: units }, (_, o) =>
            row.reduce((s, q, j) => s + q * w[j * units + o]!, 0),
          );
          const rows = units === 1 ? [0, z[0]!] : z;
          const label = units === 1 ? Math.min(1, labels[i]!) : labels[i]!;
          near(found.margin![i]!, margin(rows, label), 1e-4, loss);
          const rival = rows.indexOf(Math.max(...rows.filter((_, k) => k !== label)));
          const slope = [0, 1, 2, 3].map((j) =>
            units === 1 ? w[j]! : w[j * units + label]! - w[j * units + rival]!,
          );
          near(found.inputGradientNorm![i]!, Math.hypot(...slope), 1e-4, loss);
        });
        assert.ok(found.margin!.some((m) => Math.abs(m) > 100));
      }
    });

    it('of an ensemble come from the mean probabilities', async () => {
      const [client] = await fit(net(), 'categoricalCrossentropy', hot());
      client.ask('combine', { into: 'other', terms: [{ coefficient: -0.7, vector: 'θ' }], state: 'θ' });
      const members = ['θ', 'other'];
      const found = client.ask('samples', { members, how: inference, inputGradient: true });
      const weights = members.map((m) => client.values(m));
      inputs()
        .arraySync()
        .forEach((row, i) => {
          const p = weights
            .map((w) => logits(w, row).map(Math.exp))
            .map((e) => e.map((q) => q / e.reduce((a, b) => a + b, 0)))
            .reduce((a, b) => a.map((q, k) => (q + b[k]!) / 2));
          near(found.loss![i]!, -Math.log(p[labels[i]!]!), 1e-5);
          near(found.margin![i]!, margin(p.map(Math.log), labels[i]!), 1e-4);
          near(found.confidence![i]!, Math.max(...p), 1e-5);
        });
      assert.equal(found.inputGradientNorm, null);
      assert.match(found.reason ?? '', /ensemble/);
      near(mean(found.loss!), client.ask('score', { members, how: inference }).loss, 1e-6);
    });

    it('of a dense output have no rows, and yet it is known what it gives', async () => {
      for (const [activation, form] of [
        ['sigmoid', 'binary-probabilities'],
        ['linear', 'values'],
      ] as const) {
        const layers = [
          tf.layers.dense({ units: 6, inputShape: [4] }),
          tf.layers.reshape({ targetShape: [3, 2] }),
          tf.layers.dense({ units: 1, activation }),
        ];
        const x = inputs();
        const y = tf.tile(x.slice([0, 0], [N, 1]).greater(0).toFloat(), [1, 3]).reshape([N, 3, 1]);
        const loss = form === 'values' ? 'meanSquaredError' : 'binaryCrossentropy';
        const [client] = await fit(layers, loss, y, x);
        const told = client.ask('predictions', { vector: 'θ', how: inference });
        assert.equal(told.form, form);
        assert.equal(told.kind, form === 'values' ? 'values' : null);
      }
    });

    it('of predictions are log-probabilities and labels, values and targets', async () => {
      const [client] = await fit(net(), 'categoricalCrossentropy', hot());
      const found = client.ask('predictions', { vector: 'θ', how: inference });
      assert.deepEqual([found.kind, found.samples, found.width, found.reason], ['classes', N, CLASSES, null]);
      assert.deepEqual(found.targets, labels);
      const w = client.values('θ');
      inputs()
        .arraySync()
        .forEach((row, i) => {
          const z = logits(w, row);
          const total = Math.log(z.reduce((s, q) => s + Math.exp(q), 0));
          z.forEach((q, k) => near(found.values[i * CLASSES + k]!, q - total, 1e-5));
        });

      const binary = await fit(
        [tf.layers.dense({ units: 1, activation: 'sigmoid', inputShape: [4] })],
        'binaryCrossentropy',
        tf.tensor2d(labels.map((l) => [l === 0 ? 1 : 0])),
      );
      const two = binary[0].ask('predictions', { vector: 'θ', how: inference });
      assert.deepEqual([two.kind, two.width], ['classes', 2]);
      const ones = (binary[1].predict(inputs()) as tfjs.Tensor).dataSync();
      ones.forEach((p, i) => near(Math.exp(two.values[2 * i + 1]!), p, 1e-5));

      const y = numbers(2 * N, 5);
      const [regression, model] = await fit(
        [tf.layers.dense({ units: 2, inputShape: [4] })],
        'meanSquaredError',
        tf.tensor2d(y, [N, 2]),
      );
      const values = regression.ask('predictions', { vector: 'θ', how: inference });
      assert.deepEqual([values.kind, values.width, values.samples], ['values', 2, N]);
      values.targets.forEach((t, i) => near(t, y[i]!, 1e-6));
      (model.predict(inputs()) as tfjs.Tensor).dataSync().forEach((p, i) => near(values.values[i]!, p, 1e-5));
    });

    it('of an ensemble by logits come from the mean logits; values have only their mean', async () => {
      const [client] = await fit(net(), 'categoricalCrossentropy', hot());
      client.ask('combine', { into: 'other', terms: [{ coefficient: -0.7, vector: 'θ' }], state: 'θ' });
      const members = ['θ', 'other'];
      const ask = { members, how: inference, inputGradient: false, combine: 'logit' } as const;
      const found = client.ask('samples', ask);
      const weights = members.map((m) => client.values(m));
      inputs()
        .arraySync()
        .forEach((row, i) => {
          const [a, b] = weights.map((w) => logits(w, row).map((q, _, z) => q - z[0]!));
          const z = a!.map((q, k) => (q + b![k]!) / 2);
          const total = z.reduce((s, q) => s + Math.exp(q), 0);
          near(found.loss![i]!, Math.log(total) - z[labels[i]!]!, 1e-4);
          near(found.confidence![i]!, Math.max(...z.map(Math.exp)) / total, 1e-5);
        });
      const score = client.ask('score', { members, how: inference, combine: 'logit' });
      near(mean(found.loss!), score.loss, 1e-6);
      assert.throws(() => client.ask('score', { members, how: inference, combine: 'mean' }), {
        code: 'bad-input',
      });

      const y = tf.tensor2d(numbers(2 * N, 5), [N, 2]);
      const [regression] = await fit([tf.layers.dense({ units: 2, inputShape: [4] })], 'meanSquaredError', y);
      regression.ask('combine', { into: 'other', terms: [{ coefficient: -0.7, vector: 'θ' }], state: 'θ' });
      const plain = regression.ask('score', { members, how: inference });
      assert.equal(regression.ask('score', { members, how: inference, combine: 'mean' }).loss, plain.loss);
      assert.throws(() => regression.ask('score', { members, how: inference, combine: 'logit' }), {
        code: 'bad-input',
      });
    });

    it('of a hand-written loss are its values on each sample alone, or there are none', async () => {
      const [x, y] = [inputs(), hot()];
      for (const reduction of ['mean', 'sum'] as const) {
        const model = set(
          tf.sequential({
            layers: [tf.layers.dense({ units: CLASSES, inputShape: [4], name: `h${reduction}${backend}` })],
          }),
        );
        const client = await recorded(() =>
          tf.train.sgd(0).minimize(() => {
            const how = reduction === 'mean' ? tf.Reduction.MEAN : tf.Reduction.SUM;
            const z = model.apply(x) as tfjs.Tensor2D;
            return tf.losses.softmaxCrossEntropy(y, z, undefined, undefined, how);
          }),
        );
        client.ask('load', { into: 'θ', from: 'current' });
        const found = client.ask('samples', { members: ['θ'], how: asTrained, inputGradient: true });
        const z = (model.predict(x) as tfjs.Tensor2D).arraySync();
        z.forEach((row, i) => near(found.margin![i]!, margin(row, labels[i]!), 1e-5));
        const w = client.values('θ');
        const rival = (row: number[], l: number): number =>
          row.indexOf(Math.max(...row.filter((_, k) => k !== l)));
        near(
          found.inputGradientNorm![0]!,
          Math.hypot(
            ...[0, 1, 2, 3].map((j) => w[3 * j + labels[0]!]! - w[3 * j + rival(z[0]!, labels[0]!)]!),
          ),
          1e-5,
        );
        if (reduction === 'sum') {
          assert.equal(found.loss, null);
          assert.match(found.reason ?? '', /not the mean/);
        } else {
          z.forEach((row, i) =>
            near(
              found.loss![i]!,
              Math.log(row.reduce((s, q) => s + Math.exp(q), 0)) - row[labels[i]!]!,
              1e-5,
            ),
          );
        }
      }
    });

    it('say why there are none', async () => {
      const y = tf.tensor2d(numbers(2 * N, 5), [N, 2]);
      const [regression] = await fit([tf.layers.dense({ units: 2, inputShape: [4] })], 'meanSquaredError', y);
      const found = regression.ask('samples', { members: ['θ'], how: inference, inputGradient: true });
      assert.equal(found.loss?.length, N);
      assert.deepEqual([found.margin, found.confidence, found.correct], [null, null, null]);
      assert.match(found.reason ?? '', /no classes/);

      const [normed] = await fit(
        [
          tf.layers.dense({ units: 4, inputShape: [4] }),
          tf.layers.batchNormalization(),
          tf.layers.dense({ units: CLASSES, activation: 'softmax' }),
        ],
        'categoricalCrossentropy',
        hot(),
      );
      const mixed = normed.ask('samples', { members: ['θ'], how: asTrained, inputGradient: true });
      assert.equal(mixed.inputGradientNorm, null);
      assert.match(mixed.reason ?? '', /Batch norm mixes/);
      assert.equal(mixed.margin?.length, N);
      const alone = normed.ask('samples', { members: ['θ'], how: inference, inputGradient: true });
      assert.equal(alone.inputGradientNorm?.length, N);
    });

    it('second moments are the optimizer’s own, corrected as it corrects them', () => {
      const target = tf.tensor1d([1, -2, 3]);
      const steps = 4;
      const cases: [string, () => tfjs.Optimizer, (squares: number[], gradients: number[]) => number][] = [
        [
          'Adam',
          () => tf.train.adam(0.1, 0.9, 0.99),
          (g2) => g2.reduce((v, q) => 0.99 * v + 0.01 * q, 0) / (1 - 0.99 ** steps),
        ],
        ['RMSProp', () => tf.train.rmsprop(0.1, 0.8), (g2) => g2.reduce((v, q) => 0.8 * v + 0.2 * q, 0)],
        [
          'RMSProp, centred',
          () => tf.train.rmsprop(0.1, 0.8, 0, 1e-7, true),
          (g2, g) =>
            g2.reduce((v, q) => 0.8 * v + 0.2 * q, 0) - g.reduce((m, q) => 0.8 * m + 0.2 * q, 0) ** 2,
        ],
        ['Adagrad', () => tf.train.adagrad(0.1, 0.2), (g2) => g2.reduce((v, q) => v + q, 0.2)],
      ];
      for (const [name, make, truth] of cases) {
        const w = tf.variable(tf.tensor1d([0, 0.5, 1]));
        const optimizer = make();
        const gradients: number[][] = [];
        assert.throws(() => secondMoment(optimizer, [w]), { code: 'unsupported' }, name);
        for (let step = 0; step < steps; step++) {
          const before = w.arraySync();
          // The centred one of the library takes the root of a negative number at first: its squares are right all the same.
          gradients.push(before.map((q, i) => 2 * (q - [1, -2, 3][i]!)));
          optimizer.minimize(() => w.sub(target).square().sum().asScalar(), false, [w]);
          if (name.includes('centred')) w.assign(tf.tensor1d([step, 0.3 * step, -step]));
        }
        const found = secondMoment(optimizer, [w]);
        found.forEach((value, i) => {
          const g = gradients.map((row) => row[i]!);
          near(
            value,
            truth(
              g.map((q) => q * q),
              g,
            ),
            1e-4,
            name,
          );
        });
        w.dispose();
      }
      assert.throws(() => secondMoment(tf.train.sgd(0.1), []), { code: 'unsupported', message: /SGD/ });
      assert.throws(() => secondMoment(null, []), { code: 'unsupported' });
    });
  });
}
