import assert from 'node:assert/strict';
import { lineOf, ScriptArguments, wordsOf } from '../../../src/surface/scriptArguments.ts';

describe('arguments of a script', () => {
  it('are the words of a line, quoted where they hold blanks', () => {
    assert.deepEqual(wordsOf('  --rate 0.1  --name "two words" \'a "b"\'  '), [
      '--rate',
      '0.1',
      '--name',
      'two words',
      'a "b"',
    ]);
    assert.deepEqual(wordsOf(String.raw`"a\"b\\" 'C:\data' $HOME a\ b *.txt`), [
      'a"b\\',
      String.raw`C:\data`,
      '$HOME',
      'a b',
      '*.txt',
    ]);
    assert.deepEqual(wordsOf('--name=""'), ['--name=']);
    assert.deepEqual(wordsOf('""'), ['']);
    assert.deepEqual(wordsOf(' '), []);
    assert.equal(wordsOf('--name "open'), null);
    assert.equal(wordsOf('--name \\'), null);
  });

  it('come back from the line they are written as', () => {
    const words = [
      'plain',
      '',
      'two words',
      'a"b',
      "it's",
      String.raw`C:\my data`,
      '\\',
      '--x=1',
      'tab\there',
    ];
    assert.deepEqual(wordsOf(lineOf(words)), words);
  });

  it('are remembered for each script, and forgotten', async () => {
    const kept = new Map<string, unknown>();
    const storage = {
      get: (key: string) => kept.get(key),
      update: (key: string, value: unknown) => Promise.resolve(void kept.set(key, value)),
      keys: () => [...kept.keys()],
    };
    const script = (name: string) => ({ toString: () => `file:///${name}` }) as never;
    const remembered = new ScriptArguments(storage as never);
    await remembered.remember(script('a.py'), ['--rate', '0.1']);
    await remembered.remember(script('b.py'), ['x']);
    assert.deepEqual(remembered.of(script('a.py')), ['--rate', '0.1']);
    await remembered.remember(script('a.py'), []);
    const again = new ScriptArguments(storage as never);
    assert.deepEqual([again.of(script('a.py')), again.of(script('b.py'))], [[], ['x']]);
  });
});
