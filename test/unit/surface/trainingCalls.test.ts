import assert from 'node:assert/strict';
import { findTrainingCalls, nearestCall } from '../../../src/surface/trainingCalls.ts';

const found = (source: string) => findTrainingCalls(source).map((c) => `${c.name}@${c.line}:${c.character}`);
const esm = "import * as tf from '@tensorflow/tfjs';\n";

describe('training calls', () => {
  it('finds every way to train, with the place of its name', () => {
    assert.deepEqual(
      found(`${esm}await model.fit(x, y);\n  model.fitDataset(d, {})\nawait m.trainOnBatch(a, b)`),
      ['fit@1:12', 'fitDataset@2:8', 'trainOnBatch@3:8'],
    );
    assert.deepEqual(found(`${esm}opt.minimize(() => loss());\nconst { grads } = tf.variableGrads(f);`), [
      'minimize@1:4',
      'variableGrads@2:21',
    ]);
  });

  it('knows the package by import, require and dynamic import, in all its editions', () => {
    for (const head of [
      "import '@tensorflow/tfjs-node';",
      "import { x } from '@tensorflow/tfjs-layers';",
      'const tf = require("@tensorflow/tfjs-node-gpu");',
      "const tf = await import('@tensorflow/tfjs');",
      "import '@tensorflow/tfjs-backend-wasm/dist/index.js';",
      'const tf = require(`@tensorflow/tfjs`);',
    ]) {
      assert.deepEqual(found(`${head}\nm.fit(x)`), ['fit@1:2'], head);
    }
  });

  it('knows the library by its use where a module of the script hands it over', () => {
    const source =
      "import { load } from './backend.mjs';\nconst tf = await load();\nconst m = tf.sequential();\nm.fit(x)";
    assert.deepEqual(found(source), ['fit@3:2']);
    assert.deepEqual(found('const tf = other();\ntf.start();\nm.fit(x)'), []);
    assert.deepEqual(found('a.fit(x); // tf.sequential()'), []);
  });

  it('finds nothing in a file that only speaks of the package', () => {
    assert.deepEqual(found("scaler.fit(x); // see '@tensorflow/tfjs'"), []);
    assert.deepEqual(found("console.log('@tensorflow/tfjs'); scaler.fit(x)"), []);
    assert.deepEqual(found("import x from '@tensorflow/tfjsx'; m.fit(x)"), []);
    assert.deepEqual(found('const s = "from \'@tensorflow/tfjs\'"; m.fit(x)'), []);
  });

  it('is not fooled by comments, strings, templates and regular expressions', () => {
    assert.deepEqual(
      found(
        `${esm}// m.fit(x)\n/* m.fit(x)\n m.fit(y) */ 'm.fit(x)'; \`m.fit(x) \${m.fit(z)}\`; /m.fit(x)/.test(s)`,
      ),
      ['fit@3:39'],
    );
  });

  it('sees calls over several lines, optional calls and type arguments', () => {
    assert.deepEqual(found(`${esm}model\n  .fit /* all */\n  (x, y)`), ['fit@2:3']);
    assert.deepEqual(found(`${esm}model?.fit?.(x)`), ['fit@1:7']);
    assert.deepEqual(found(`${esm}opt.minimize<Array<number>>(f, true)`), ['minimize@1:4']);
  });

  it('takes declarations, references and comparisons for what they are', () => {
    assert.deepEqual(
      found(`${esm}class A { async fit(x) {} }\nfunction variableGrads(f) {}\nconst f = m.fit;`),
      [],
    );
    assert.deepEqual(found(`${esm}if (a.fit < b) { c(d) > (e) }`), []);
    assert.deepEqual(found(`${esm}a.fit = b; (c)`), []);
  });

  it('reads TypeScript and text that does not parse yet', () => {
    const source = `${esm}const f = (m: tf.LayersModel): Promise<void> => m.fit(x as tf.Tensor, y!)\nmodel.fit({ a: [1,`;
    assert.deepEqual(found(source), ['fit@1:50', 'fit@2:6']);
  });

  it('counts lines with every kind of line break, also inside tokens', () => {
    assert.deepEqual(found(`${esm}\`a\r\nb\`;\r\n/* c\n\n */ m.fit(x)`), ['fit@5:6']);
  });

  it('follows a call that edits have moved', () => {
    const calls = findTrainingCalls(`${esm}\n\n\nm.fit(x)\n\n\n\n\nm.fit(y)`);
    assert.equal(nearestCall(calls, 3), 4);
    assert.equal(nearestCall(calls, 8), 9);
    assert.equal(nearestCall([], 8), 8);
    // Of two optimizers by hand, the first one's step is nearer to the second one's gradients than to its own.
    const gan =
      'const a = tf.variableGrads(() =>\n  f());\nd.applyGradients(a);\nconst b = tf.variableGrads(g);\n';
    assert.equal(nearestCall(findTrainingCalls(esm + gan), 3), 3);
  });

  it('finds the call behind 10,000 lines', () => {
    const source = esm + 'const a = { b: [1, 2, 3], c: `x${y}` }; // note\n'.repeat(10_000) + 'm.fit(x)';
    assert.deepEqual(found(source), ['fit@10001:2']);
  });
});
