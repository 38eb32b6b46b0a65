import assert from 'node:assert/strict';
import * as v from 'valibot';
import { BasinError, cancelled, isCancelled, toErrorData } from '../../../src/protocol/errors.ts';
import { evaluationSetFile } from '../../../src/protocol/evaluationSet.ts';
import { parseStartTime } from '../../../src/protocol/processIdentity.ts';
import {
  decodeNumber,
  encodeNumber,
  parseSnapshotFile,
  snapshotFile,
  stepSchema,
} from '../../../src/protocol/run.ts';
import { encodeSketchHeader, parseSketchHeader, SKETCH_MAX_DIMENSION } from '../../../src/protocol/sketch.ts';
import { decodeWireJson, encodeWireJson } from '../../../src/protocol/wireJson.ts';

describe('numbers in JSON', () => {
  it('keeps every number, finite or not', () => {
    for (const x of [0, -1.5, 1e300, NaN, Infinity, -Infinity]) {
      assert.equal(
        decodeNumber(JSON.parse(JSON.stringify(encodeNumber(x))) as ReturnType<typeof encodeNumber>),
        x,
      );
    }
  });

  it('lets a step have a loss that is not finite, and no other text', () => {
    const step = {
      step: 1,
      objective: 0,
      epoch: null,
      loss: 'NaN',
      learningRate: 0.1,
      gradientNorm: null,
      updateNorm: null,
      distance: 'Infinity',
      time: 0.5,
      samples: null,
    };
    assert.ok(v.is(stepSchema, step));
    assert.ok(!v.is(stepSchema, { ...step, loss: 'high' }));
    assert.ok(!v.is(stepSchema, { ...step, step: -1 }));
  });

  it('carries them over the wire without taking text for a number', () => {
    const message = { loss: [NaN, 1, -Infinity], name: 'NaN', nested: { worst: Infinity, none: null } };
    assert.deepEqual(decodeWireJson(encodeWireJson(message)), message);
    assert.doesNotThrow(() => void JSON.parse(encodeWireJson(message)));
  });
});

describe('file names', () => {
  it('order snapshots by step and read back', () => {
    const steps = [0, 9, 10, 99_999_999, 100_000_000];
    for (const step of steps)
      assert.deepEqual(parseSnapshotFile(snapshotFile(step, 0)), { step, objective: 0 });
    const padded = steps.slice(0, 4).map((s) => snapshotFile(s, 0));
    assert.deepEqual([...padded].sort(), padded);
    assert.deepEqual(parseSnapshotFile(snapshotFile(7, 2)), { step: 7, objective: 2 });
  });

  it('are not read from others', () => {
    for (const name of [
      'step-5.safetensors',
      'step-00000005.safetensors.12.tmp',
      'step-0000000x.safetensors',
      '',
    ]) {
      assert.equal(parseSnapshotFile(name), null);
    }
    assert.equal(evaluationSetFile('train', 0), 'train.safetensors');
    assert.equal(evaluationSetFile('validation', 1), 'validation.1.safetensors');
  });
});

describe('sketch header', () => {
  const header = { dimension: 16, objective: 1, scale: 2.5 };

  it('reads back what it wrote', () => {
    assert.deepEqual(parseSketchHeader(encodeSketchHeader(header)), header);
  });

  it('refuses other bytes', () => {
    assert.equal(parseSketchHeader(new Uint8Array(31)), null);
    assert.equal(parseSketchHeader(new Uint8Array(32)), null);
    for (const wrong of [
      { ...header, dimension: 0 },
      { ...header, dimension: SKETCH_MAX_DIMENSION + 1 },
      { ...header, scale: NaN },
      { ...header, scale: -1 },
    ]) {
      assert.equal(parseSketchHeader(encodeSketchHeader(wrong)), null);
    }
  });
});

describe('errors', () => {
  it('keep code, cure and detail over a wire', () => {
    const error = new BasinError('timeout', 'Too slow.', 'Wait.', { detail: 'log' });
    const back = BasinError.fromData(
      JSON.parse(JSON.stringify(toErrorData(error))) as ReturnType<typeof toErrorData>,
    );
    assert.deepEqual(back.toData(), error.toData());
    assert.ok(isCancelled(BasinError.fromData(cancelled().toData())));
  });

  it('give a foreign error the code internal and its stack as detail', () => {
    const data = toErrorData(new TypeError('x is not a function'));
    assert.equal(data.code, 'internal');
    assert.match(data.detail ?? '', /codecs\.test/);
    assert.equal(toErrorData('text').message, 'text');
  });
});

describe('process start time', () => {
  it('is counted behind a command that holds spaces and parentheses', () => {
    const rest = ['S', ...Array.from({ length: 49 }, (_, i) => String(i + 4))];
    assert.equal(parseStartTime(`4242 (a) b (c)) ${rest.join(' ')}`), '22');
  });
  it('is null for anything else', () => {
    for (const text of ['', '12 (node', '12 (node) S 1 2']) assert.equal(parseStartTime(text), null);
  });
});
