// The sample's digits and network, with noise in the training labels: SEED, share of labels drawn anew, epochs, and
// `constant` or `annealed` (the rate falls on a cosine to nothing at the last step).
import { loadDigits } from '../../../media/samples/digits/digits.mjs';
import { loadTensorFlow } from '../../../media/samples/digits/backend.mjs';

const [seed, noise, epochs] = process.argv.slice(2, 5).map(Number);
const annealed = process.argv[5] === 'annealed';
const samples = 2048;
const batchSize = 64;
const rate = 0.2;

const tf = await loadTensorFlow();
const { train, heldOut } = loadDigits(seed);
const labels = train.labels.slice(0, samples * 10);
// Every n-th label becomes the sample's number modulo ten, which tells nothing: the samples are shuffled.
const every = noise > 0 ? Math.round(1 / noise) : Infinity;
for (let i = 0; i < samples; i++) {
  if (i % every !== 0) continue;
  labels.fill(0, 10 * i, 10 * i + 10);
  labels[10 * i + (Math.floor(i / every) % 10)] = 1;
}
const x = tf.tensor2d(train.images.subarray(0, samples * 784), [samples, 784]);
const y = tf.tensor2d(labels, [samples, 10]);
const validationData = [
  tf.tensor2d(heldOut.images, [heldOut.count, 784]),
  tf.tensor2d(heldOut.labels, [heldOut.count, 10]),
];
const layer = (units, activation, layerSeed, more) =>
  tf.layers.dense({
    units,
    activation,
    kernelInitializer: tf.initializers.heNormal({ seed: layerSeed }),
    ...more,
  });
const model = tf.sequential({
  layers: [
    layer(256, 'relu', seed, { inputShape: [784] }),
    layer(128, 'relu', seed + 1),
    layer(10, 'softmax', seed + 2),
  ],
});
const optimizer = tf.train.momentum(rate, 0.5);
model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
const steps = epochs * Math.ceil(samples / batchSize);
let step = 0;
await model.fit(x, y, {
  epochs,
  batchSize,
  shuffle: false,
  verbose: 0,
  validationData,
  callbacks: {
    onBatchBegin: () => {
      if (annealed) optimizer.setLearningRate((rate * (1 + Math.cos((Math.PI * step++) / (steps - 1)))) / 2);
    },
  },
});
