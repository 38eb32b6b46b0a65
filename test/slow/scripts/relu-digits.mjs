// A ReLU network 64-32-32-10 on digits, trained by Adam as a layers model: node relu-digits.mjs [batch size]
import { loadDigits } from '../../../media/samples/digits/digits.mjs';
import { loadTensorFlow } from '../../../media/samples/digits/backend.mjs';

const tf = await loadTensorFlow();
const { train } = loadDigits(1);
const samples = 1200;

// 24 × 24 around the middle in means of 3 × 3: 64 inputs in [0, 1].
const x = tf.tidy(() => {
  const images = tf.tensor4d(train.images.subarray(0, samples * 784), [samples, 28, 28, 1]);
  const small = tf.avgPool(images.slice([0, 2, 2, 0], [samples, 24, 24, 1]), 3, 3, 'valid');
  return small.reshape([samples, 64]);
});
const y = tf.tensor2d(train.labels.subarray(0, samples * 10), [samples, 10]);
const dense = (units, seed, more) =>
  tf.layers.dense({ units, kernelInitializer: tf.initializers.glorotUniform({ seed }), ...more });
const model = tf.sequential({
  layers: [
    dense(32, 1, { activation: 'relu', inputShape: [64] }),
    dense(32, 2, { activation: 'relu' }),
    dense(10, 3, { activation: 'softmax' }),
  ],
});
model.compile({ optimizer: tf.train.adam(0.003), loss: 'categoricalCrossentropy' });
await model.fit(x, y, { epochs: 40, batchSize: Number(process.argv[2] ?? 64), shuffle: false, verbose: 0 });
