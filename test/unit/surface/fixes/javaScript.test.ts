/** What is written into TF.js scripts: the text, and that a script then averages what it says. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { averageInJavaScript } from '../../../../src/surface/fixes/averageJavaScript.ts';
import { shuffleInJavaScript } from '../../../../src/surface/fixes/shuffleJavaScript.ts';
import { applyEdits, type SourceEdit } from '../../../../src/surface/fixes/sourceEdit.ts';

const script = `import * as tf from '@tensorflow/tfjs';

const EPOCHS = 8; // model.fit(a, b, { epochs: 1 })
const model = tf.sequential();
model.add(tf.layers.dense({ units: 1, inputShape: [2], kernelInitializer: tf.initializers.glorotNormal({ seed: 1 }) }));
model.compile({ optimizer: tf.train.sgd(0.1), loss: 'meanSquaredError' });
await model.fit(tf.randomNormal([32, 2], 0, 1, 'float32', 2), tf.randomNormal([32, 1], 0, 1, 'float32', 3), {
  epochs: EPOCHS,
  batchSize: 8,
  shuffle: false,
});
console.log(JSON.stringify(model.getWeights().map((w) => [...w.dataSync()])), tf.memory().numTensors);
`;
const average = (source: string, typed = false): SourceEdit[] | null => averageInJavaScript(source, typed);

describe('averaging, written into a TF.js script', function () {
  this.timeout(60_000);

  it('is a callback of fit, whose function stands at the end', () => {
    const after = applyEdits(script, average(script)!);
    assert.match(
      after,
      /'float32', 3\), \{ callbacks: averageWeights\(model, 0\.75 \* \(EPOCHS\)\),\n {2}epochs: EPOCHS/,
    );
    assert.ok(after.startsWith(script.slice(0, script.indexOf('await model.fit'))));
    assert.match(after, /numTensors\);\n\n\/\*\*\n \* Stochastic weight averaging/);
    assert.equal(average(after), null, 'it is offered once');
    const counted = script.replace('epochs: EPOCHS', 'epochs: 20');
    assert.match(applyEdits(counted, average(counted)!), /averageWeights\(model, 15\)/);
  });

  it('stands beside callbacks that are there already', () => {
    const source = `const tf = await load();\nconst model = tf.sequential();\nmodel.fit(x, y, { epochs, callbacks: { onEpochEnd: (e) => log(e) }, verbose: 0 });\n`;
    assert.match(
      applyEdits(source, average(source)!),
      /epochs, callbacks: \[averageWeights\(model, 0\.75 \* \(epochs\)\), \{ onEpochEnd: \(e\) => log\(e\) \}\], verbose: 0/,
    );
  });

  it('has types in TypeScript', () => {
    assert.match(
      applyEdits(script, average(script, true)!),
      /function averageWeights\(model: tf\.LayersModel, first: number\) \{\n {2}let mean: tf\.Tensor\[\] \| null = null;/,
    );
  });

  it('is not offered where it would take the place of something, or is not understood', () => {
    assert.equal(average(script.replace('shuffle: false', 'callbacks: mine')), null);
    assert.equal(average(script.replace('shuffle: false', 'callbacks: [{ a }]')), null);
    assert.equal(average(script.replace('epochs: EPOCHS,', '')), null);
    assert.equal(average(script.replace(', {\n  epochs', ', given, {\n  epochs')), null);
    assert.equal(average("import { model } from './m.mjs';\nmodel.fit(x, y, { epochs: 2 });"), null);
    assert.equal(average('model.fit(x, y, options)'), null);
  });

  it('leaves the mean of the last epochs’ weights in the model, and no tensor behind', async () => {
    // Beside the packages that it imports.
    const out = fileURLToPath(new URL('../../../../out', import.meta.url));
    await mkdir(out, { recursive: true });
    const folder = await mkdtemp(path.join(out, 'fixes-'));
    try {
      const run = async (name: string, source: string): Promise<{ weights: number[][]; tensors: number }> => {
        const file = path.join(folder, name);
        await writeFile(file, source);
        const { stdout } = await promisify(execFile)(process.execPath, [file]);
        const [weights = '', tensors] = stdout.trim().split('\n').at(-1)!.split(' ');
        return { weights: JSON.parse(weights) as number[][], tensors: Number(tensors) };
      };
      const plain = await run('plain.mjs', script);
      const until = async (epochs: number): Promise<number[][]> =>
        (await run('until.mjs', script.replace('EPOCHS = 8', `EPOCHS = ${epochs}`))).weights;
      const [seventh, eighth] = [await until(7), plain.weights];
      const averaged = await run('averaged.mjs', applyEdits(script, average(script)!));
      averaged.weights.forEach((tensor, i) =>
        tensor.forEach((value, k) => {
          const mean = (seventh[i]![k]! + eighth[i]![k]!) / 2;
          assert.ok(Math.abs(value - mean) < 1e-6, `${value} is not ${mean}`);
        }),
      );
      const beside = script.replace(
        'shuffle: false',
        "callbacks: { onEpochEnd: () => console.log('own') }, shuffle: false",
      );
      assert.deepEqual(await run('beside.mjs', applyEdits(beside, average(beside)!)), averaged);
      assert.notDeepEqual(averaged.weights, eighth);
      assert.equal(averaged.tensors, plain.tensors);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe('shuffling, written into a TF.js script', () => {
  const fixed = (source: string): string | null => {
    const edits = shuffleInJavaScript(source);
    return edits === null ? null : applyEdits(source, edits);
  };

  it('is asked of fit where it says not to', () => {
    assert.match(fixed(script) ?? '', /batchSize: 8,\n {2}shuffle: true,/);
    assert.equal(fixed(script.replace('shuffle: false', 'shuffle: true')), null);
    assert.equal(fixed(script.replace('shuffle: false', 'shuffle: wanted')), null);
  });

  it('stands before the batches of a data set', () => {
    const source = `const d = tf.data.array(rows).map(f).batch(32);\nawait model.fitDataset(d, { epochs: 3 });\n`;
    assert.match(fixed(source) ?? '', /\.map\(f\)\.shuffle\(1024\)\.batch\(32\)/);
    assert.equal(fixed(source.replace('.map(f)', '.shuffle(9)')), null);
    assert.equal(fixed('const x = 1;'), null);
  });
});
