/** Loss spikes against planted ones and against noise that has none; NaN told once and where it began. */
import assert from 'node:assert/strict';
import { encodeNumber, type NonFinite, type StepRecord } from '../../../src/protocol/run.ts';
import { eventSentence, type LossSpike } from '../../../src/protocol/trainingEvents.ts';
import { EventFinder, trainingEvents } from '../../../src/runs/trainingEvents.ts';
import { gaussians } from '../../fixtures/gaussian.ts';

const log = (
  losses: readonly (number | null)[],
  nonFinite: Readonly<Record<number, NonFinite>> = {},
): StepRecord[] =>
  losses.map((loss, step) => ({
    step,
    objective: 0,
    epoch: null,
    loss: loss === null ? null : encodeNumber(loss),
    learningRate: 0.1,
    gradientNorm: null,
    updateNorm: null,
    distance: null,
    time: step,
    samples: null,
    ...(nonFinite[step] === undefined ? {} : { nonFinite: nonFinite[step] }),
  }));

const noises: Record<string, (next: () => number) => number> = {
  normal: (next) => 2 + 0.1 * next(),
  'Student t, 3 degrees': (next) => {
    const chi = [next(), next(), next()].reduce((s, x) => s + x * x, 0);
    return 5 + next() / Math.sqrt(chi / 3);
  },
  'Student t, 2 degrees': (next) => 5 + next() / Math.sqrt((next() ** 2 + next() ** 2) / 2),
  'lognormal, σ = 0.6': (next) => Math.exp(0.6 * next()),
  'one batch in a hundred ten times as high': (next) =>
    (1 + 0.1 * next()) * (Math.abs(next()) > 2.576 ? 10 : 1),
};

describe('loss spikes', () => {
  for (const [name, noise] of Object.entries(noises)) {
    it(`are not seen in stationary noise: ${name}`, () => {
      const next = gaussians(11);
      const losses = Array.from({ length: 20_000 }, () => noise(next));
      assert.deepEqual(trainingEvents(log(losses)), []);
    });
    it(`are found when they are there: ${name}`, () => {
      const next = gaussians(12);
      const losses = Array.from({ length: 600 }, () => noise(next));
      const sorted = [...losses].sort((a, b) => a - b);
      // 8·1.4826 MAD is the threshold: twelve are above it whatever else the noise does.
      const middle = sorted[300] as number;
      const mad = losses.map((x) => Math.abs(x - middle)).sort((a, b) => a - b)[300] as number;
      for (let step = 400; step < 410; step++) losses[step] = middle + 12 * 1.4826 * mad + Math.abs(middle);
      const [spike, ...more] = trainingEvents(log(losses)) as LossSpike[];
      assert.deepEqual(more, []);
      assert.ok(spike && spike.step >= 396 && spike.step <= 400, `${spike?.step}`);
      assert.ok(spike.confirmed <= 402 && spike.until !== null && spike.until >= 409 && spike.until <= 412);
    });
  }

  it('are not seen in a falling loss, nor where it hardly varies', () => {
    const next = gaussians(3);
    const falling = Array.from(
      { length: 5000 },
      (_, k) => 3 * Math.exp(-k / 800) * (1 + 0.2 * next()) + 0.01,
    );
    assert.deepEqual(trainingEvents(log(falling)), []);
    assert.deepEqual(trainingEvents(log(Array.from({ length: 500 }, (_, k) => 0.5 + 1e-9 * (k % 7)))), []);
  });

  it('tell step, peak and end, one at a time; a level that stays is told once', () => {
    const losses = Array.from({ length: 1000 }, (_, k) => 1 + 0.01 * Math.sin(k));
    losses.splice(300, 4, 2, 5, 4, 3);
    for (let step = 600; step < 1000; step++) losses[step] = 3 + 0.01 * Math.sin(step);
    const finder = new EventFinder();
    const told = log(losses).flatMap((record) => finder.next(record).map((e) => [record.step, e.step]));
    assert.deepEqual(told, [
      [302, 300],
      [602, 600],
    ]);
    const [first, second] = finder.events as LossSpike[];
    assert.deepEqual([first?.peak, first?.until], [{ step: 301, loss: 5 }, 304]);
    assert.equal(second?.until, null);
    assert.equal(
      eventSentence(first as LossSpike),
      'Loss spike at step 300: up to 5, the median before it was 1, back at step 304.',
    );
  });
});

describe('NaN', () => {
  const place = { parameter: 'third/kernel', layer: 'third' };
  const found: NonFinite = { what: 'weights', began: 137, parameters: 1, first: place, last: place };
  const quiet = Array.from({ length: 137 }, () => 1);

  it('is told once, with the step and the layer where it began', () => {
    const events = trainingEvents(log([...quiet, 1, NaN, NaN, NaN], { 138: found }));
    assert.deepEqual(events, [{ kind: 'non-finite', objective: 0, step: 137, seen: 138, found }]);
    assert.equal(
      eventSentence(events[0]!),
      'The update of step 137 made weights NaN or infinite, in layer third (third/kernel).',
    );
    const gradient: NonFinite = {
      ...found,
      what: 'gradient',
      parameters: 3,
      first: { ...place, layer: 'first' },
    };
    const early = trainingEvents(log([...quiet, 1, NaN, NaN], { 137: gradient }));
    assert.equal(early.length, 1);
    assert.match(eventSentence(early[0]!), /at step 137, in 3 parameters, layer first .* to layer third/);
  });

  it('is not what a loss is that is not known: only what was found in weights and gradients is told', () => {
    const unknown = quiet.map(() => null);
    assert.deepEqual(trainingEvents(log([...unknown, null])), []);
    const events = trainingEvents(log([...unknown, null, null, null, null], { 138: found, 140: found }));
    assert.deepEqual(
      events.map((e) => e.kind === 'non-finite' && e.seen),
      [138, 140],
    );
    // It says nothing of whether NaN has gone again, and is no part of what a spike is held against.
    assert.equal(trainingEvents(log([...quiet, NaN, null, NaN])).length, 1);
    const spike = trainingEvents(log([...quiet, null, 9, null, 9, 9])) as LossSpike[];
    assert.deepEqual(
      spike.map((e) => [e.kind, e.step]),
      [['spike', 138]],
    );
  });

  it('is told from the loss alone where nothing more is known, and again after it had gone', () => {
    const events = trainingEvents(log([...quiet, Infinity, NaN, 1, 1, NaN]));
    assert.deepEqual(
      events.map((e) => e.step),
      [137, 141],
    );
    assert.equal(eventSentence(events[0]!), 'The loss is NaN or infinite from step 137 on.');
    const forward: NonFinite = {
      what: 'forward',
      began: 137,
      parameters: 0,
      first: { parameter: null, layer: 'third' },
      last: null,
      operation: 'Exp',
    };
    const [event] = trainingEvents(log([...quiet, NaN], { 137: forward }));
    assert.match(eventSentence(event!), /began in the forward pass first in layer third \(Exp\)/);
    const [data] = trainingEvents(log([...quiet, NaN], { 137: { ...forward, cameIn: true } }));
    assert.match(
      eventSentence(data!),
      /the data of this step hold NaN or Infinity, met first in layer third/,
    );
  });
});
