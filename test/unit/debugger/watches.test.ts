/** What tells of plateaus, dead units and where NaN began, on series and gradients whose answer is known. */
import assert from 'node:assert/strict';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import type { TrainingEventId } from '../../../src/debugger/events.ts';
import { GradientWatch, whereNonFinite } from '../../../src/debugger/gradientWatch.ts';
import { NormWatch } from '../../../src/debugger/normWatch.ts';
import { plateauSentence, PlateauWatch, type Plateau } from '../../../src/debugger/plateau.ts';
import type { ParameterInfo } from '../../../src/protocol/run.ts';
import type { ParameterStatistics } from '../../../src/protocol/standing.ts';

function firstOf(losses: Iterable<number>): { at: number; plateau: Plateau } | null {
  const watch = new PlateauWatch();
  let at = 0;
  for (const loss of losses) {
    const plateau = watch.next(loss);
    if (plateau !== null) return { at, plateau };
    at++;
  }
  return null;
}
const series = (length: number, f: (step: number) => number): number[] =>
  Array.from({ length }, (_, i) => f(i));

describe('a plateau', () => {
  it('is known after a hundred steps of a loss that stands still, and told once', () => {
    const watch = new PlateauWatch();
    const told = series(500, () => 2).map((loss) => watch.next(loss));
    assert.deepEqual(
      told.flatMap((found, i) => (found === null ? [] : [i])),
      [99],
    );
    assert.deepEqual(told[99], { steps: 100, fall: 0, standardError: 0 });
    assert.match(plateauSentence(told[99]), /over the last 100 steps the loss has fallen by 0 %/);
  });

  it('is not seen in a loss that falls by more than a hundredth of itself in a hundred steps', () => {
    assert.equal(firstOf(series(2000, (k) => Math.exp(-k / 5000))), null);
    assert.equal(firstOf(series(2000, (k) => 1 / (1 + k / 100))), null);
  });

  it('is found behind a fall, and again behind the next one', () => {
    const watch = new PlateauWatch();
    const height = (k: number): number =>
      k < 300 ? 3 - k / 150 : k < 700 ? 1 : k < 900 ? 1 - (k - 700) / 400 : 0.5;
    const found = series(1400, height).flatMap((loss, k) => (watch.next(loss) === null ? [] : [k]));
    assert.equal(found.length, 2, String(found));
    assert.ok(found[0]! >= 390 && found[0]! < 700, String(found));
    assert.ok(found[1]! >= 900, String(found));
  });

  it('says of noise only what its error allows', () => {
    const random = xoroshiro128plus(5);
    const noisy = series(6400, () => 1 + 0.3 * (uniformFloat64(random) - 0.5));
    const found = firstOf(noisy);
    assert.ok(found !== null);
    const { fall, standardError } = found.plateau;
    assert.ok(fall + 1.86 * standardError < 0.01);
  });

  it('leaves out what is not finite', () => {
    assert.equal(firstOf([...series(50, () => 1), NaN, Infinity, ...series(50, () => 1)])?.at, 101);
  });
});

const parameters: ParameterInfo[] = ['first', 'second', 'third'].map((name) => ({
  name,
  shape: [4, 10],
  role: 'kernel',
  filterAxis: 1,
  layer: name,
}));
const numbers = (more: Partial<ParameterStatistics> = {}): ParameterStatistics => ({
  norm: 1,
  mean: 0,
  largest: 1,
  zeros: 0,
  nonFinite: 0,
  units: { zero: [], of: 10 },
  ...more,
});

describe('a range of a norm', () => {
  it('is where it was seen last also when another one is watched beside it', () => {
    const range = { id: 1, parameter: 'first', low: 0, high: 2, inside: false };
    const other = { id: 2, parameter: 'second', low: 0, high: 1, inside: true };
    const norms = (first: number): Map<string, number> => new Map([['first', first]]);
    const alone = new NormWatch([range]);
    assert.deepEqual(alone.left(norms(1)), [], 'it has come in');
    const both = new NormWatch([range, other], alone);
    assert.deepEqual(both.left(norms(3)), [{ range, norm: 3 }]);
    both.rewound();
    assert.deepEqual(new NormWatch([range], both).left(norms(3)), [], 'other weights are no news');
  });
});

describe('watching gradients', () => {
  const wanted = new Set<TrainingEventId>(['dead-units', 'gradient-vanished', 'gradient-exploded']);
  const weights = parameters.map(() => numbers());

  it('calls units dead that have had no gradient for twenty steps, not as many that take turns', () => {
    const same = new GradientWatch(parameters);
    const turns = new GradientWatch(parameters);
    for (let step = 0; step < 60; step++) {
      const zero = (units: number[]) => [numbers(), numbers({ units: { zero: units, of: 10 } }), numbers()];
      const events = same.next(zero([1, 4, 7]), weights, wanted);
      assert.equal(events.length, step === 19 ? 1 : 0, `step ${step}`);
      if (step === 19)
        assert.equal(events[0]!.text, '3 of the 10 units of second have had no gradient for 20 steps.');
      const shift = step % 10;
      assert.deepEqual(turns.next(zero([shift, (shift + 3) % 10, (shift + 5) % 10]), weights, wanted), []);
    }
  });

  it('tells vanishing and exploding gradients of their parameter, each once', () => {
    const watch = new GradientWatch(parameters);
    const told: string[] = [];
    const texts: string[] = [];
    for (let step = 0; step < 90; step++) {
      const gradient = parameters.map((_, i) =>
        numbers({ norm: i === 0 && step >= 30 ? 1e-9 : i === 2 && [25, 80].includes(step) ? 500 : 1 }),
      );
      for (const { id, parameter, text } of watch.next(gradient, weights, wanted)) {
        told.push(`${step} ${id} ${parameter}`);
        texts.push(text);
      }
    }
    assert.deepEqual(told, [
      '25 gradient-exploded third',
      '30 gradient-vanished first',
      '80 gradient-exploded third',
    ]);
    assert.match(texts[0] ?? '', /500 times its median of 25 steps/);
    assert.match(texts[2] ?? '', /500 times its median of 50 steps/);
  });

  it('takes a gradient that hovers about a threshold for one event, and a second one for another', () => {
    const watch = new GradientWatch(parameters);
    const told: string[] = [];
    for (let step = 0; step < 60; step++) {
      const vanishes = step < 20 || step >= 40 ? (step % 2 === 0 ? 0.9e-8 : 2e-8) : 1e-6;
      const explodes = step < 20 ? 1 : step % 2 === 0 ? 99 : 101;
      // The usual size is one all the while.
      const norms = [vanishes, step < 40 ? explodes : 1, 1];
      const gradient = parameters.map((_, i) => numbers({ norm: norms[i] ?? 1 }));
      for (const { id, parameter } of watch.next(gradient, weights, wanted))
        told.push(`${step} ${id} ${parameter}`);
    }
    assert.deepEqual(told, [
      '0 gradient-vanished first',
      '21 gradient-exploded second',
      '40 gradient-vanished first',
    ]);
  });

  it('names where NaN began: the forward pass as the probe found it, else the last parameter of the backward pass', () => {
    const broken = numbers({ nonFinite: 1 });
    const at = { step: 9, objective: 0 };
    assert.deepEqual(whereNonFinite(at, parameters, [numbers(), broken, numbers()]), {
      text: 'The gradient of second is NaN or infinite.',
      parameter: 'second',
    });
    assert.equal(whereNonFinite(at, parameters, [broken, broken, numbers()]).parameter, 'second');
    const clipped = {
      what: 'gradient',
      began: 9,
      parameters: 1,
      first: { parameter: 'first', layer: null },
      last: { parameter: 'first', layer: null },
    } as const;
    assert.deepEqual(whereNonFinite({ ...at, nonFinite: clipped }, parameters, [broken, broken, broken]), {
      text: 'The gradient of first is NaN or infinite.',
      parameter: 'first',
    });
    const nonFinite = {
      what: 'forward',
      began: 9,
      parameters: 0,
      first: { parameter: null, layer: 'second' },
      last: { parameter: null, layer: 'second' },
      operation: 'Log',
    } as const;
    assert.match(
      whereNonFinite({ ...at, nonFinite }, parameters, [broken, broken, broken]).text,
      /began in the forward pass first in layer second \(Log\)/,
    );
  });
});
