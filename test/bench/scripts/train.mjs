/**
 * Trains one of the benchmark models for a number of steps on random data and writes, to the file that BENCH_RESULT
 * names, the CPU and wall time of the steps after a warm-up. Knows nothing of Basin.
 *
 *   node train.mjs mlp-0.5m | mlp-10m | cnn  STEPS
 */
import { writeFileSync } from 'node:fs';
import tf from '@tensorflow/tfjs-node';
import { makeModel } from './models.mjs';

const [kind, stepsText] = process.argv.slice(2);
const steps = Number(stepsText);
const warmUp = Math.ceil(steps / 4);
const batch = 128;

const model = makeModel(kind);
const count = batch * 16;
const images = tf.randomUniform([count, 784], 0, 1, 'float32', 5);
const labels = tf.oneHot(tf.randomUniform([count], 0, 10, 'int32', 6), 10);

let done = 0;
let start = null;
await model.fit(images, labels, {
  epochs: Math.ceil(steps / 16),
  batchSize: batch,
  shuffle: false,
  verbose: 0,
  callbacks: {
    onBatchEnd: () => {
      if (++done === warmUp) start = { cpu: process.cpuUsage(), wall: performance.now() };
    },
  },
});
const { user, system } = process.cpuUsage(start.cpu);
writeFileSync(
  process.env.BENCH_RESULT,
  JSON.stringify({
    parameters: model.countParams(),
    cpuMs: (user + system) / 1000,
    wallMs: performance.now() - start.wall,
    steps: done - warmUp,
  }),
);
