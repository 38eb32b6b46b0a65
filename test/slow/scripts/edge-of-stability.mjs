// Full-batch gradient descent at the edge of stability: node edge-of-stability.mjs <learning rate> <steps>
import { loadDigits } from '../../../media/samples/digits/digits.mjs';
import { loadTensorFlow } from '../../../media/samples/digits/backend.mjs';

const [rate, steps] = process.argv.slice(2).map(Number);
const tf = await loadTensorFlow();
const { train } = loadDigits(1);
const samples = 500;

// 24 × 24 around the middle in means of 3 × 3: 64 inputs in [0, 1].
const x = tf.tidy(() => {
  const images = tf.tensor4d(train.images.subarray(0, samples * 784), [samples, 28, 28, 1]);
  const small = tf.avgPool(images.slice([0, 2, 2, 0], [samples, 24, 24, 1]), 3, 3, 'valid');
  return small.reshape([samples, 64]);
});
const y = tf.tensor2d(train.labels.subarray(0, samples * 10), [samples, 10]);

const sizes = [64, 40, 40, 10];
const weights = sizes
  .slice(1)
  .flatMap((to, i) => [
    tf.variable(tf.randomNormal([sizes[i], to], 0, 1 / Math.sqrt(sizes[i]), 'float32', i + 1), true, `w${i}`),
    tf.variable(tf.zeros([to]), true, `b${i}`),
  ]);
const predict = () => {
  let h = x;
  for (let i = 0; i < 3; i++) {
    h = h.matMul(weights[2 * i]).add(weights[2 * i + 1]);
    if (i < 2) h = h.tanh();
  }
  return h;
};
const optimizer = tf.train.sgd(rate);
for (let step = 0; step < steps; step++) {
  optimizer.minimize(() => predict().sub(y).square().sum(1).mean().mul(0.5));
}
console.log(predict().sub(y).square().sum(1).mean().mul(0.5).dataSync()[0]);
