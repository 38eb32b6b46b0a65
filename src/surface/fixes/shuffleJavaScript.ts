/** A new order of the data in every epoch, for a TF.js script that gives them in a fixed one. */
import { codeTokens, findFit } from './javaScriptCalls.ts';
import { insertion, type SourceEdit } from './sourceEdit.ts';

/** Samples among which a data set chooses the next one. */
const BUFFER = 1024;

/**
 * `shuffle: true` in the options of `fit` that say false, else a `shuffle` before the first `batch` of a data set.
 * @returns null where neither is found
 */
export function shuffleInJavaScript(source: string): SourceEdit[] | null {
  const code = codeTokens(source);
  const [said, ...more] = findFit(code)?.properties.get('shuffle') ?? [];
  if (said?.value === 'false' && more.length === 0) return [{ from: said.from, to: said.to, text: 'true' }];
  if (said !== undefined) return null;
  for (const [i, token] of code.entries()) {
    const dot = code[i - 1];
    if (token.value !== 'batch' || dot?.value !== '.' || code[i + 1]?.value !== '(') continue;
    if (chainBefore(code.slice(0, i)).includes('shuffle')) return null;
    return [insertion(dot.from, `.shuffle(${BUFFER})`)];
  }
  return null;
}

/** The words of a statement so far. */
function chainBefore(code: readonly { readonly value: string }[]): string[] {
  const words = code.map(({ value }) => value);
  return words.slice(Math.max(words.lastIndexOf(';'), words.lastIndexOf('=')) + 1);
}
