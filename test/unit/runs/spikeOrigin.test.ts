/** Origins of spikes in records that are made: the layer that jumps first, quiet where none does or none is near. */
import assert from 'node:assert/strict';
import type { ParameterInfo } from '../../../src/protocol/run.ts';
import { eventSentence, type LossSpike } from '../../../src/protocol/trainingEvents.ts';
import type { LayerRecord } from '../../../src/runs/layersFile.ts';
import { withOrigin } from '../../../src/runs/spikeOrigin.ts';
import { gaussians } from '../../fixtures/gaussian.ts';

const parameters = ['a', 'b', 'c'].map((layer): ParameterInfo => ({
  name: `${layer}/kernel`,
  layer,
  role: 'kernel',
  shape: [4, 4],
  filterAxis: 1,
}));
const spike: LossSpike = {
  kind: 'spike',
  objective: 0,
  step: 200,
  confirmed: 203,
  median: 1,
  threshold: 2,
  peak: { step: 201, loss: 9 },
  until: 210,
};
type Planted = (step: number, parameter: number) => { gradient?: number; update?: number };

/** Norms of batches that differ by a quarter, and what is planted over it. */
function records(every: number, planted: Planted = () => ({}), until = 230): LayerRecord[] {
  const next = gaussians(4);
  return Array.from({ length: Math.ceil(until / every) }, (_, k) => {
    const step = every * k;
    const values = parameters.map((_, i) => {
      const noise = (): number => Math.exp(0.25 * next());
      const { gradient = 1, update = 1 } = planted(step, i);
      return { gradientNorm: gradient * noise(), updateNorm: 0.01 * update * noise(), weightNorm: 2 };
    });
    return {
      step,
      value: (i, field) => (values[i] as Record<string, number> | undefined)?.[field] ?? NaN,
    };
  });
}
const originOf = (all: readonly LayerRecord[]): NonNullable<LossSpike['origin']> | null =>
  withOrigin(spike, all, parameters).origin ?? null;

describe('where a loss spike began', () => {
  it('is the layer whose update jumped, though it raised the gradients of others more', () => {
    const told = originOf(
      records(1, (step, i) => {
        if (step === 199 && i === 1) return { update: 50 };
        return step >= 199 ? { gradient: i === 2 ? 900 : 90 } : {};
      }),
    );
    assert.deepEqual(
      [told?.first?.parameter, told?.first?.what, told?.first?.step],
      ['b/kernel', 'update', 199],
    );
    assert.ok(told!.first!.times! > 20 && told!.first!.times! < 120, `${told?.first?.times}`);
    assert.match(
      eventSentence({ ...spike, origin: told }),
      / It began in layer b \(b\/kernel\): its update was the first out of its range, [\d.]+ times its median at step 199\.$/,
    );
  });

  it('is found with every fourth step read, by the first record after it', () => {
    const told = originOf(records(4, (step, i) => (step >= 198 && i === 0 ? { gradient: 30 } : {})));
    assert.deepEqual([told?.first?.layer, told?.first?.what, told?.first?.step], ['a', 'gradient', 200]);
  });

  it('is not claimed by a record after its first loss', () => {
    const told = originOf(records(3, (step, i) => (step >= 200 && i === 1 ? { update: 40 } : {})));
    assert.deepEqual([told?.first?.layer, told?.first?.step], ['b', 201]);
    assert.match(
      eventSentence({ ...spike, origin: told }),
      / Where it began was not recorded; at step 201 the update of layer b \(b\/kernel\) was furthest out/,
    );
  });

  it('is not told where no layer left its range, whatever the batches do', () => {
    const told = originOf(records(4));
    assert.deepEqual(told, { from: 184, to: 200, first: null });
    assert.match(
      eventSentence({ ...spike, origin: told }),
      / No layer's gradient or update was out of its range in the records of steps 184 to 200\.$/,
    );
  });

  it('is not told where the records lie too far away, or are too few', () => {
    const jump: Planted = (step) => (step >= 150 ? { gradient: 99 } : {});
    assert.equal(originOf(records(1, jump, 180)), null);
    assert.equal(originOf(records(60, jump)), null);
    assert.equal(originOf([]), null);
    assert.match(eventSentence({ ...spike, origin: null }), /too few records of the layers lie near it\.$/);
  });

  it('is a layer that had no gradient before, where nothing else rose', () => {
    const all = records(1, (step, i) => (i === 2 ? { gradient: step < 200 ? 0 : 1, update: 0 } : {}));
    assert.deepEqual(originOf(all)?.first, {
      parameter: 'c/kernel',
      layer: 'c',
      what: 'gradient',
      step: 200,
      times: null,
    });
  });
});
