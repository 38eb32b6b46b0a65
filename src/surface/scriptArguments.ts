/** The words that a script is started with: remembered for each script in the workspace's own storage, not in its files. */
import { join, split } from 'shlex';
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
 * A line as its words, as a shell parts and unquotes them. Nothing else is expanded: no shell reads it. null where a quote
 * is not closed, or nothing stands behind a backslash.
 */
export function wordsOf(line: string): string[] | null {
  try {
    return split(line);
  } catch {
    return null;
  }
}

/** Words as a line that {@link wordsOf} takes apart again. */
export function lineOf(words: readonly string[]): string {
  return join([...words]);
}
