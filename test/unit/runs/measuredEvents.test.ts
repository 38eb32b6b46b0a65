/** Crossings of the edge told once each, dead units when they appear and when they have doubled. */
import assert from 'node:assert/strict';
import { deadUnitEvents, edgeEvents } from '../../../src/runs/measuredEvents.ts';
import { eventSentence } from '../../../src/protocol/trainingEvents.ts';
import type { LiveSharpness, ParameterInfo } from '../../../src/protocol/run.ts';

const live = (
  values: readonly (number | 'NaN')[],
  bound: number | null = 40,
  objective = 0,
): LiveSharpness[] =>
  values.map((lambda1, k) => ({
    step: 10 * k,
    objective,
    lambda1,
    residual: 0.01,
    products: 6,
    samples: 256,
    learningRate: 0.05,
    bound,
    seconds: 0.1,
  }));

describe('events that are measured', () => {
  it('the edge of stability: each crossing from below, and not the wavering at it', () => {
    const values = [10, 39, 41, 39.5, 42, 38, 41, 30, 45, 'NaN', 50] as const;
    const events = edgeEvents(live(values));
    assert.deepEqual(
      events.map(({ step, lambda1, bound }) => [step, lambda1, bound]),
      [
        [20, 41, 40],
        [80, 45, 40],
      ],
    );
    assert.equal(
      eventSentence(events[0]!),
      'Edge of stability crossed at step 20: λ₁ 41 is above its bound 40.',
    );
    assert.deepEqual(edgeEvents(live([50, 60], null)), []);
    // Each objective for itself.
    assert.equal(edgeEvents([...live([50]), ...live([50], 40, 1)]).length, 2);
  });

  it('dead units: the first, then each doubling; only of kernels, and not before they can be known', () => {
    const info = (name: string, role: ParameterInfo['role'], filterAxis: number | null): ParameterInfo => ({
      name,
      role,
      filterAxis,
      shape: [10, 8],
      layer: name.split('/')[0] ?? null,
    });
    const parameters = [
      info('a/kernel', 'kernel', 1),
      info('a/bias', 'bias', null),
      info('b/kernel', 'kernel', 1),
    ];
    const counts = [5, 5, 5, 5, 5, 5, 5, 1, 1, 1, 2, 3, 4, 0, 8];
    const records = counts.map((dead, k) => ({
      step: 4 * k,
      value: (parameter: number) => (parameter === 0 ? dead : parameter === 1 ? 8 : NaN),
    }));
    const events = deadUnitEvents(records, parameters, 0);
    assert.deepEqual(
      events.map(({ step, units }) => [step, units]),
      [
        [28, 1],
        [40, 2],
        [48, 4],
        [56, 8],
      ],
    );
    assert.match(eventSentence(events[2]!), /^Dead units at step 48: 4 of 8 in layer a \(a\/kernel\)/);
  });
});
