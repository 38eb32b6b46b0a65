/** The words that a script is started with: remembered for each script in the workspace's own storage, not in its files. */
import type * as vscode from 'vscode';

const KEY = 'scriptArguments';

type Remembered = Readonly<Record</* script, as a URI */ string, readonly string[]>>;

export class ScriptArguments {
  constructor(private readonly storage: vscode.Memento) {}

  /** Those of the script's last training; none where none were given. */
  of(script: vscode.Uri): readonly string[] {
    return this.#all()[script.toString()] ?? [];
  }

  /** @param words none to forget what was remembered */
  async remember(script: vscode.Uri, words: readonly string[]): Promise<void> {
    const { [script.toString()]: _, ...others } = this.#all();
    const all: Remembered = words.length === 0 ? others : { ...others, [script.toString()]: [...words] };
    await this.storage.update(KEY, all);
  }

  #all(): Remembered {
    return this.storage.get<Remembered>(KEY) ?? {};
  }
}

/**
 * A line as its words: parted by blanks, with single and double quotes around words that have some, and a backslash
 * before a quote or a backslash in double quotes. Nothing else is expanded: no shell reads it. null for a quote that is not closed.
 */
export function wordsOf(line: string): string[] | null {
  const words: string[] = [];
  let word: string | null = null;
  let quote = '';
  for (let i = 0; i < line.length; i++) {
    const letter = line.charAt(i);
    if (quote === '"' && letter === '\\' && /["\\]/.test(line.charAt(i + 1)))
      word = `${word ?? ''}${line.charAt(++i)}`;
    else if (quote !== '') {
      if (letter === quote) quote = '';
      else word = `${word ?? ''}${letter}`;
    } else if (letter === '"' || letter === "'") {
      quote = letter;
      word ??= '';
    } else if (/\s/.test(letter)) {
      if (word !== null) words.push(word);
      word = null;
    } else word = `${word ?? ''}${letter}`;
  }
  if (quote !== '') return null;
  if (word !== null) words.push(word);
  return words;
}

/** Words as a line that {@link wordsOf} takes apart again. */
export function lineOf(words: readonly string[]): string {
  return words
    .map((word) => (word !== '' && !/[\s"']/.test(word) ? word : `"${word.replace(/["\\]/g, '\\$&')}"`))
    .join(' ');
}
