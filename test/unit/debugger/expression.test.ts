/** Expressions over a step's values: what is not known, what is asked for, and what can be read in two ways. */
import assert from 'node:assert/strict';
import { StepBreakpoint } from '../../../src/debugger/breakpoints.ts';
import { Expression, type Value } from '../../../src/debugger/expression.ts';
import { knownNames } from '../../../src/debugger/stepValues.ts';

const names = { values: ['a', 'b', 'unknown', 'dear'], functions: [] };

async function valueOf(text: string): Promise<{ value: Value; unknown: string[]; asked: number }> {
  let asked = 0;
  const unknown = new Set<string>();
  const dear = (): Promise<Value> => {
    asked++;
    return Promise.resolve(7);
  };
  const values = { a: 2, b: 0, unknown: null, dear };
  const value = await Expression.parse(text, names).evaluate({ values, functions: {} }, unknown);
  return { value, unknown: [...unknown], asked };
}

describe('expressions', () => {
  for (const [text, expected] of [
    ['unknown != 5', null],
    ['unknown == 5', null],
    ['unknown == unknown', null],
    ['!(unknown > 5)', null],
    ['unknown != 5 ? 1 : 2', null],
    ['unknown > 5 && a > 1', null],
    ['unknown > 5 && a > 5', false],
    ['!(unknown > 5 && a > 5)', true],
    ['unknown > 5 || a > 1', true],
    ['unknown > 5 || a > 5', null],
    ['a > 5 || a == 2', true],
    ['2 ** 3 ** 2', 512],
    ['2 ** -1', 0.5],
    ['(-2) ** 2', 4],
    ['((-2)) ** 2', 4],
    ['-(2 ** 2)', -4],
    ['a ** 2 - 1', 3],
    ['1 - 2 ** 2', -3],
  ] as const)
    it(`${text} is ${String(expected)}`, async () => {
      assert.equal((await valueOf(text)).value, expected);
    });

  it('names what was not known', async () => {
    assert.deepEqual((await valueOf('a > 1 && unknown > 2')).unknown, ['unknown']);
  });

  it('asks for a value only where it decides', async () => {
    assert.equal((await valueOf('b > 1 && dear > 5')).asked, 0);
    assert.equal((await valueOf('a > 1 || dear > 5')).asked, 0);
    assert.equal((await valueOf('a > 1 ? a : dear')).asked, 0);
    assert.deepEqual(await valueOf('a > 1 && dear > 5'), { value: true, unknown: [], asked: 1 });
  });

  for (const text of ['-2 ** 2', '-a ** 2', '1 + -a ** 2', '(-a ** 2)', '- -2 ** 2', '!a ** 2'])
    it(`says that ${text} can be read in two ways`, () => {
      assert.throws(() => Expression.parse(text, names), /two ways.*/);
    });
});

describe('a condition', () => {
  it('says once that it cannot be told, of the second step at which it is so', async () => {
    const point = StepBreakpoint.parse(1, { condition: 'epoch != 5' }, { values: knownNames, functions: [] });
    const told = [];
    for (let step = 0; step < 5; step++)
      told.push(await point.at({ values: { epoch: null }, functions: {} }));
    assert.deepEqual(told, [null, { kind: 'unknown', names: ['epoch'] }, null, null, null]);
    assert.deepEqual(await point.at({ values: { epoch: 3 }, functions: {} }), { kind: 'stop' });
  });

  it('knows the words of scripts for the learning rate', () => {
    for (const name of ['learning_rate', 'learningRate', 'eta'])
      StepBreakpoint.parse(1, { condition: `${name} < 1` }, { values: knownNames, functions: [] });
  });

  it('has a logpoint show in its line what cannot be calculated', async () => {
    const point = StepBreakpoint.parse(
      1,
      { logMessage: 'at {step}: {step * "x"}' },
      { values: knownNames, functions: [] },
    );
    assert.deepEqual(await point.at({ values: { step: 4 }, functions: {} }), {
      kind: 'say',
      text: 'at 4: <"x" is not a number.>',
    });
  });
});
