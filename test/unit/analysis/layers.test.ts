/** A table of layers from records that are known, and what its sentences make of them. */
import assert from 'node:assert/strict';
import { layers } from '../../../src/analysis/layers.ts';
import type { LayerField } from '../../../src/protocol/layerStatistics.ts';
import type { LiveNoiseScale, ParameterInfo } from '../../../src/protocol/run.ts';

const parameter = (name: string, role: 'kernel' | 'bias'): ParameterInfo => ({
  name,
  shape: role === 'kernel' ? [4, 6] : [6],
  role,
  filterAxis: role === 'kernel' ? 1 : null,
  layer: name.split('/')[0] ?? null,
});
const parameters = [
  parameter('a/kernel', 'kernel'),
  parameter('a/bias', 'bias'),
  parameter('b/kernel', 'kernel'),
];

/** Parameter p at step k has an update of (p + 1)·10⁻³ of its norm, but b moves by 10⁻⁷ and has two dead units. */
const records = Array.from({ length: 10 }, (_, k) => ({
  step: 4 * k,
  value: (p: number, field: LayerField): number =>
    ({
      gradientNorm: p + 1 + k,
      updateNorm: k === 0 ? NaN : p === 2 ? 1e-7 * 5 : (p + 1) * 1e-3 * 5,
      weightNorm: 5,
      alignment: k === 0 ? NaN : p === 2 ? 0 : 1,
      dead: p === 1 ? NaN : p === 2 && k > 6 ? 2 : 0,
    })[field],
}));
const place = { parameter: 'b/kernel', layer: 'b' };
const input = {
  records,
  parameters,
  events: [
    {
      kind: 'non-finite',
      objective: 0,
      step: 30,
      seen: 31,
      found: { what: 'weights', began: 30, parameters: 1, first: place, last: place },
    },
  ],
  noiseScale: null,
  from: 0,
  to: null,
} as const;

describe('layers', () => {
  it('have their ratios, norms and dead units, at the last record and in the median', () => {
    const result = layers(input);
    assert.deepEqual([result.from, result.to, result.records, result.every], [0, 36, 10, 4]);
    const [a, bias, b] = result.parameters;
    assert.ok(Math.abs((a?.updateRatio.median ?? NaN) - 1e-3) < 1e-12);
    assert.equal(a?.updateRatio.count, 9);
    assert.deepEqual([a?.gradientNorm.last, a?.gradientNorm.median], [10, 5.5]);
    assert.deepEqual([a?.size, bias?.size, bias?.dead], [24, 6, null]);
    assert.deepEqual(b?.dead, { units: 2, of: 6, most: 2 });
    assert.deepEqual(b?.nonFinite, { step: 30, what: 'weights' });
    assert.equal(a?.nonFinite, null);
    // Weighed by ‖g‖²: at the last record 10², 11² and 12², of which the last are orthogonal.
    assert.ok(Math.abs((result.alignment.last ?? NaN) - 221 / 365) < 1e-12);
    assert.match(result.trust[0] ?? '', /^The update of step 30 made weights NaN or infinite, in layer b/);
    const all = result.trust.join('\n');
    assert.match(all, /Hardly moves .*: b\./);
    assert.match(all, /Dead units: 2 of 6 in b\./);
    assert.doesNotMatch(all, /noise scale/);
  });

  it('are those of the steps that were asked for', () => {
    const result = layers({ ...input, from: 5, to: 20 });
    assert.deepEqual([result.from, result.to, result.records], [8, 20, 4]);
    assert.equal(result.parameters[2]?.dead, null, 'after six records nothing is known of dead units');
    assert.throws(() => layers({ ...input, from: 100 }), { code: 'no-steps' });
    assert.throws(() => layers({ ...input, records: [] }), { code: 'no-steps' });
  });

  it('say what the noise scale means for the batches', () => {
    const noise: LiveNoiseScale = {
      step: 36,
      objective: 0,
      signal: 1,
      signalStandardError: 0.1,
      noise: 400,
      noiseStandardError: 10,
      value: 400,
      standardError: 40,
      interval: [320, 520],
      batches: 8,
      samples: 256,
      batchSize: 32,
      seconds: 0.1,
    };
    const sentence = (n: LiveNoiseScale): string => layers({ ...input, noiseScale: n }).trust.join('\n');
    assert.match(sentence(noise), /noise scale at step 36: 400, 320 to 520 samples .* are smaller/);
    assert.match(sentence({ ...noise, batchSize: 1024 }), /are larger/);
    assert.match(sentence({ ...noise, batchSize: 400 }), /are about that/);
    assert.match(
      sentence({ ...noise, value: null, standardError: null, interval: [90, 'Infinity'] }),
      /at step 36: at least 90 samples/,
    );
  });
});
