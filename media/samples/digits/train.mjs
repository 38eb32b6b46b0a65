/** Trains a small digit classifier: two hidden layers, SGD with momentum. */
import { loadTensorFlow } from './backend.mjs';
import { loadDigits } from './digits.mjs';

const seed = 7;
const epochs = 10;

const tf = await loadTensorFlow();
const { train, heldOut } = loadDigits(seed);
const images = tf.tensor2d(train.images, [train.count, 784]);
const labels = tf.tensor2d(train.labels, [train.count, 10]);
const heldOutImages = tf.tensor2d(heldOut.images, [heldOut.count, 784]);
const heldOutLabels = tf.tensor2d(heldOut.labels, [heldOut.count, 10]);

const layer = (units, activation, layerSeed) =>
  tf.layers.dense({ units, activation, kernelInitializer: tf.initializers.heNormal({ seed: layerSeed }) });
const model = tf.sequential();
model.add(tf.layers.inputLayer({ inputShape: [784] }));
model.add(layer(256, 'relu', seed));
model.add(layer(128, 'relu', seed + 1));
model.add(layer(10, 'softmax', seed + 2));
model.compile({
  optimizer: tf.train.momentum(0.5, 0.5),
  loss: 'categoricalCrossentropy',
  metrics: ['accuracy'],
});

await model.fit(images, labels, {
  epochs,
  batchSize: 64,
  shuffle: false, // loadDigits has shuffled them, by a seed
  verbose: 0,
  validationData: [heldOutImages, heldOutLabels],
  callbacks: {
    onEpochEnd: (epoch, { loss, acc, val_loss, val_acc }) => {
      const numbers = [loss, acc, val_loss, val_acc].map((value) => value.toFixed(4));
      console.log(
        `epoch ${epoch + 1}/${epochs}: loss ${numbers[0]}, accuracy ${numbers[1]}, held out ${numbers[2]}, ${numbers[3]}`,
      );
    },
  },
});
const [, accuracy] = model.evaluate(heldOutImages, heldOutLabels, { verbose: 0 });
console.log(
  `accuracy on ${heldOut.count} held-out digits: ${((await accuracy.data())[0] * 100).toFixed(2)} %`,
);
