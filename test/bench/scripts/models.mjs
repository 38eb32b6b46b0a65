/** The benchmark models, seeded. */
import tf from '@tensorflow/tfjs-node';

const init = (seed) => ({ kernelInitializer: tf.initializers.heNormal({ seed }) });
const dense = (units, activation, seed) => tf.layers.dense({ units, activation, ...init(seed) });
const input = () => tf.layers.inputLayer({ inputShape: [784] });
const convolution = (filters, seed) =>
  tf.layers.conv2d({ filters, kernelSize: 3, activation: 'relu', ...init(seed) });
const pool = () => tf.layers.maxPooling2d({ poolSize: 2 });

const layers = {
  'mlp-0.5m': () => [input(), dense(512, 'relu', 1), dense(160, 'relu', 2)],
  'mlp-10m': () => [input(), dense(2560, 'relu', 1), dense(2560, 'relu', 2), dense(512, 'relu', 3)],
  cnn: () => [
    tf.layers.reshape({ inputShape: [784], targetShape: [28, 28, 1] }),
    ...[convolution(16, 1), pool(), convolution(32, 2), pool(), tf.layers.flatten()],
  ],
};

/** @param {keyof typeof layers} kind */
export function makeModel(kind) {
  const model = tf.sequential({ layers: [...layers[kind](), dense(10, 'softmax', 9)] });
  model.compile({ optimizer: tf.train.momentum(0.01, 0.9), loss: 'categoricalCrossentropy' });
  return model;
}
