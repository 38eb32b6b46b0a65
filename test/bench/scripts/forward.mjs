/** Seconds of one bare forward pass and loss of a benchmark model on a number of samples, batches of 128: to stdout. */
import tf from '@tensorflow/tfjs-node';
import { makeModel } from './models.mjs';

const [kind, samplesText] = process.argv.slice(2);
const batch = 128;
const batches = Math.ceil(Number(samplesText) / batch);
const model = makeModel(kind);
const data = Array.from({ length: batches }, (_, i) => ({
  x: tf.randomUniform([batch, 784], 0, 1, 'float32', i),
  y: tf.oneHot(tf.randomUniform([batch], 0, 10, 'int32', i), 10),
}));
const pass = () => {
  for (const { x, y } of data)
    tf.tidy(() => tf.metrics.categoricalCrossentropy(y, model.apply(x)).mean().dataSync());
};
for (let i = 0; i < 5; i++) pass();
const times = [];
for (let i = 0; i < 25; i++) {
  const began = performance.now();
  pass();
  times.push((performance.now() - began) / 1000);
}
console.log(times.sort((a, b) => a - b)[12]);
