import assert from 'node:assert/strict';
import { needs } from '../../harness/requires.ts';
import { replay, withSession } from '../../../src/probe/tfjs/replay.ts';
import {
  load,
  numbers,
  record,
  serve,
  engine,
  type BackendName,
  type Recording,
  type Tf,
  asTrained,
  inference,
} from './recording.ts';

function network(tf: Tf): ReturnType<Tf['sequential']> {
  const model = tf.sequential();
  model.add(tf.layers.dense({ units: 12, inputShape: [6], activation: 'tanh' }));
  model.add(tf.layers.batchNormalization());
  model.add(tf.layers.dropout({ rate: 0.4 }));
  model.add(tf.layers.gaussianNoise({ stddev: 0.1 }));
  model.add(
    tf.layers.dense({ units: 3, activation: 'softmax', kernelRegularizer: tf.regularizers.l2({ l2: 0.01 }) }),
  );
  return model;
}

/** 20 samples in three classes, the last batch of 8 being smaller. */
function data(tf: Tf): { x: ReturnType<Tf['tensor2d']>; y: ReturnType<Tf['tensor2d']> } {
  const x = tf.tensor2d(numbers(20 * 6), [20, 6]);
  const y = tf
    .oneHot(
      tf.tensor1d(
        Array.from({ length: 20 }, (_, i) => i % 3),
        'int32',
      ),
      3,
    )
    .toFloat() as ReturnType<Tf['tensor2d']>;
  return { x, y };
}

const scripts: Record<string, (tf: Tf) => Promise<unknown>> = {
  fit: async (tf) => {
    const model = network(tf);
    model.compile({ optimizer: tf.train.sgd(0.1), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
    const { x, y } = data(tf);
    await model.fit(x, y, { epochs: 1, batchSize: 8, verbose: 0 });
  },
  fitDataset: async (tf) => {
    const model = network(tf);
    model.compile({
      optimizer: tf.train.momentum(0.1, 0.9),
      loss: 'categoricalCrossentropy',
      metrics: ['accuracy'],
    });
    const { x, y } = data(tf);
    const dataset = tf.data
      .zip({ xs: tf.data.array(x.arraySync()), ys: tf.data.array(y.arraySync()) })
      .batch(8) as Parameters<typeof model.fitDataset>[0];
    await model.fitDataset(dataset, { epochs: 1, verbose: 0 });
  },
  'a loop with minimize': async (tf) => {
    const model = network(tf);
    const optimizer = tf.train.adam(0.01);
    const { x, y } = data(tf);
    for (const [from, size] of [
      [0, 8],
      [8, 8],
      [16, 4],
    ] as const) {
      tf.tidy(() => {
        const xs = x.slice(from, size);
        const ys = y.slice(from, size);
        optimizer.minimize(() =>
          tf.losses
            .softmaxCrossEntropy(ys, model.apply(xs, { training: true }) as typeof y)
            .mul(0.7)
            .asScalar(),
        );
      });
    }
    await Promise.resolve();
  },
};

for (const backend of ['tensorflow', 'wasm', 'cpu'] as const satisfies readonly BackendName[]) {
  describe(`Replaying recorded steps (${backend})`, () => {
    let tf: Tf;
    before(async function () {
      if (backend === 'tensorflow') needs(this, 'tfjs-node');
      tf = await load(backend);
    });

    for (const [name, script] of Object.entries(scripts)) {
      it(`gives the recorded loss again with dropout, noise and batch norm in ${name}`, async () => {
        // The first step, before weights move: the capture replays at the present weights inside of the gradient call,
        // so here the weights of each step are kept and loaded again.
        const recording = await recordWithWeights(tf, () => script(tf));
        assert.equal(recording.train.length, 3);
        assert.deepEqual(
          recording.train.map((b) => b.samples),
          [8, 8, 4],
        );
        assert.ok(
          recording.train.every((b) => b.draws.length > 0),
          'noise draws seeds',
        );
        withSession(recording.capture, (session) => {
          recording.train.forEach((batch, i) => {
            session.setParameters(session.parameters(recording.weights[i] ?? new Float32Array()));
            const replayed = session.loss(batch);
            assert.ok(
              Math.abs(replayed - (batch.loss ?? NaN)) <= 1e-5 * Math.abs(batch.loss ?? NaN),
              `${replayed} ${batch.loss}`,
            );
            // and once more: nothing was left behind by the first time
            assert.equal(session.loss(batch), replayed);
          });
        });
      });
    }

    it('leaves no trace: weights, state, random stream, memory and output', async () => {
      const recording = await record(() => scripts.fit?.(tf));
      const { capture, train } = recording;
      const snapshot = () => [...capture.variables, ...capture.state].map((v) => [...v.dataSync()]);
      const client = serve(recording);
      const weights = snapshot();
      const ids = [...capture.variables, ...capture.state].map((v) => v.dataId);
      const before = tf.memory();
      const kernels = new Map(
        (globalThis as unknown as { _tfGlobals: Map<string, Map<string, unknown>> })._tfGlobals.get(
          'kernelRegistry',
        ),
      );
      let draws = 0;
      const random = Math.random;
      const counting = (): number => (draws++, random());
      Math.random = counting;
      try {
        client.ask('load', { into: 'θ', from: 'current' });
        client.ask('random', {
          into: 'd',
          seed: 1,
          like: 'θ',
          normalisation: 'filter',
          include: { bias: true, norm: true },
        });
        for (const how of [inference, asTrained, { ...inference, refresh: true }]) {
          client.ask('loss', { origin: 'θ', directions: ['d'], coefficients: [[0], [1]], how });
          client.ask('score', { members: ['θ', 'θ'], how });
          client.ask('gradient', { at: 'θ', into: 'g', how });
          client.ask('hvp', { at: 'θ', vector: 'd', into: 'h', how, method: 'auto' });
          client.ask('hvp', { at: 'θ', vector: 'd', into: 'h', how, method: 'finite-difference' });
        }
        client.ask('refreshStatistics', { vector: 'θ', data: { split: 'train' } });
        client.ask('verify', { vector: 'θ', batch: 0 });
        assert.equal(Math.random, counting);
      } finally {
        Math.random = random;
      }
      assert.equal(draws, 0);
      assert.deepEqual(snapshot(), weights);
      assert.deepEqual(
        [...capture.variables, ...capture.state].map((v) => v.dataId),
        ids,
      );
      const after = tf.memory();
      for (const key of ['numTensors', 'numBytes', 'numDataBuffers'] as const)
        assert.equal(after[key], before[key], key);
      assert.deepEqual(
        (globalThis as unknown as { _tfGlobals: Map<string, Map<string, unknown>> })._tfGlobals.get(
          'kernelRegistry',
        ),
        kernels,
      );
      assert.ok(
        !Object.hasOwn(engine(), 'keep') &&
          !Object.hasOwn(engine(), 'customGrad') &&
          !Object.hasOwn(engine(), 'addTapeNode'),
      );
      assert.ok(train.length > 0);
    });

    it('replays recurrent dropout, and leaves masks and states of recurrent layers as training has them', async () => {
      const model = tf.sequential({
        layers: [
          tf.layers.lstm({
            units: 4,
            batchInputShape: [5, 3, 2],
            dropout: 0.3,
            recurrentDropout: 0.2,
            returnSequences: true,
          }),
          tf.layers.gru({ units: 3, stateful: true }),
          tf.layers.dense({ units: 2 }),
        ],
      });
      model.compile({ optimizer: tf.train.sgd(0), loss: 'meanSquaredError' });
      const x = tf.tensor3d(numbers(30), [5, 3, 2]);
      const recording = await record(() => model.trainOnBatch(x, tf.zeros([5, 2])));
      const rnn = model.layers[1] as unknown as { states_: { dataSync(): Float32Array }[] };
      const states = rnn.states_.map((t) => [...t.dataSync()]);
      const before = tf.memory();
      const client = serve(recording);
      client.ask('load', { into: 'θ', from: 'current' });
      client.ask('loss', { origin: 'θ', directions: [], coefficients: [[], []], how: inference });
      client.ask('gradient', { at: 'θ', into: 'g', how: asTrained });
      const after = tf.memory();
      for (const key of ['numTensors', 'numBytes', 'numDataBuffers'] as const)
        assert.equal(after[key], before[key], key);
      assert.deepEqual(
        rnn.states_.map((t) => [...t.dataSync()]),
        states,
      );
      // Training goes on.
      await model.trainOnBatch(x, tf.zeros([5, 2]));
      const plain = tf.sequential({
        layers: [tf.layers.gru({ units: 4, inputShape: [3, 2], dropout: 0.4, recurrentDropout: 0.4 })],
      });
      plain.compile({ optimizer: tf.train.sgd(0), loss: 'meanSquaredError' });
      const again = await record(() => plain.trainOnBatch(x, tf.zeros([5, 4])));
      assert.ok(Math.abs(replay(again.capture, again.train[0]!) - again.train[0]!.loss!) < 1e-6);
    });

    it('leaves no trace when an evaluation fails or is cancelled', async () => {
      const recording = await record(() => scripts.fit?.(tf));
      let asked = 0;
      const client = serve(recording, undefined, () => ++asked > 2);
      const ids = [...recording.capture.variables, ...recording.capture.state].map((v) => v.dataId);
      const before = tf.memory();
      client.ask('load', { into: 'θ', from: 'current' });
      const grid = Array.from({ length: 50 }, () => []);
      assert.throws(
        () => client.ask('loss', { origin: 'θ', directions: [], coefficients: grid, how: asTrained }),
        { code: 'cancelled' },
      );
      const broken: Recording = {
        ...recording,
        train: [
          {
            ...recording.train[0]!,
            leaves: recording.train[0]!.leaves.map(() => ({
              shape: [3, 3],
              dtype: 'float32',
              values: new Float32Array(9),
            })),
          },
        ],
      };
      const other = serve(broken);
      other.ask('load', { into: 'θ', from: 'current' });
      assert.throws(() =>
        other.ask('loss', { origin: 'θ', directions: [], coefficients: [[]], how: asTrained }),
      );
      assert.throws(() => other.ask('gradient', { at: 'θ', into: 'g', how: asTrained }));
      assert.deepEqual(
        [...recording.capture.variables, ...recording.capture.state].map((v) => v.dataId),
        ids,
      );
      const after = tf.memory();
      for (const key of ['numTensors', 'numBytes', 'numDataBuffers'] as const)
        assert.equal(after[key], before[key], key);
    });

    it('leaks nothing over a thousand evaluations', async () => {
      const recording = await record(() => scripts.fit?.(tf));
      const client = serve(recording);
      client.ask('load', { into: 'θ', from: 'current' });
      const run = (n: number): void => {
        client.ask('loss', {
          origin: 'θ',
          directions: [],
          coefficients: Array.from({ length: n }, () => []),
          how: asTrained,
        });
      };
      run(1);
      const ids = (tf.backend() as unknown as { numDataIds(): number }).numDataIds();
      const before = tf.memory();
      run(340); // three batches a point
      for (const key of ['numTensors', 'numBytes', 'numDataBuffers'] as const)
        assert.equal(tf.memory()[key], before[key], key);
      assert.equal((tf.backend() as unknown as { numDataIds(): number }).numDataIds(), ids);
    });

    it('turns dropout and noise off in inference mode, and merges batches without changing the loss', async () => {
      const recording = await record(() => scripts.fit?.(tf));
      const { capture, train } = recording;
      const model = capture.model as ReturnType<Tf['sequential']>;
      const whole = data(tf);
      const [loss] = [model.evaluate(whole.x, whole.y, { batchSize: 20 })].flat();
      const client = serve(recording);
      client.ask('load', { into: 'θ', from: 'current' });
      const { points } = client.ask('loss', {
        origin: 'θ',
        directions: [],
        coefficients: [[], []],
        how: inference,
      });
      for (const p of points) {
        // evaluate() leaves regularisers out; add them
        const penalty = Array.from(capture.variables.at(-2)!.dataSync(), (w) => 0.01 * w * w).reduce(
          (a, b) => a + b,
        );
        assert.ok(Math.abs(p.loss - ((loss as ReturnType<Tf['scalar']>).dataSync()[0]! + penalty)) < 1e-5);
        assert.equal(p.samples, 20);
        assert.equal(p.standardErrorFrom, 'samples');
      }
      assert.equal(train.length, 3);
    });
  });
}

/** Records a script together with the weights at each of its steps. */
async function recordWithWeights(
  tf: Tf,
  script: () => Promise<unknown>,
): Promise<Recording & { weights: Float32Array[] }> {
  const weights: Float32Array[] = [];
  const e = engine();
  const outer = e.gradients;
  const read = new Map<number, Float32Array[]>();
  e.gradients = function (f, xs, dy, allowNoGradients) {
    if (allowNoGradients)
      read.set(
        weights.length,
        xs.map((x) => x.dataSync().slice() as Float32Array),
      );
    const result = outer.call(e, f, xs, dy, allowNoGradients);
    if (allowNoGradients) {
      const kept = read.get(weights.length)?.filter((_, i) => result.grads[i] != null) ?? [];
      weights.push(Float32Array.from(kept.flatMap((k) => [...k])));
    }
    return result;
  };
  try {
    const recording = await record(script);
    assert.ok(tf.memory().numTensors > 0);
    return { ...recording, weights };
  } finally {
    delete (e as Partial<typeof e>).gradients;
  }
}

describe('replay()', () => {
  it('evaluates at the present weights', async () => {
    const tf = await load('cpu');
    const w = tf.variable(tf.tensor1d([1, 2]));
    const x = tf.tensor1d([3, 4]);
    const recording = await record(() =>
      tf.train.sgd(0).minimize(() => w.mul(x).sum().asScalar(), false, [w]),
    );
    assert.equal(replay(recording.capture, recording.train[0]!), 11);
    w.assign(tf.tensor1d([0, 1]));
    assert.equal(replay(recording.capture, recording.train[0]!), 4);
  });
});
