/** Calls of a script in TF.js with their arguments, by tokens: also while it is being typed and does not parse. */
import jsTokens from 'js-tokens';

export interface CodeToken {
  readonly type: string;
  readonly value: string;
  readonly from: number;
  readonly to: number;
}

/** Without white space and comments. */
export function codeTokens(source: string): CodeToken[] {
  const code: CodeToken[] = [];
  let offset = 0;
  for (const { type, value } of jsTokens(source)) {
    if (type !== 'WhiteSpace' && type !== 'LineTerminatorSequence' && !type.endsWith('Comment'))
      code.push({ type, value, from: offset, to: offset + value.length });
    offset += value.length;
  }
  return code;
}

/** What stands between commas, up to the bracket that closes what is open at the beginning. */
export function listItems(tokens: readonly CodeToken[]): CodeToken[][] {
  const items: CodeToken[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    if (depth === 0 && /^[)\]}]$/.test(token.value)) break;
    if (depth === 0 && token.value === ',') items.push([]);
    else items.at(-1)?.push(token);
    if (/^[([{]$/.test(token.value)) depth++;
    if (/^[)\]}]$/.test(token.value)) depth--;
  }
  return items.filter((item) => item.length > 0);
}

export interface FitCall {
  /** What `fit` is called on, where that is a name. */
  readonly model: string | null;
  /** The brace that opens its options, and each property's value by its name. */
  readonly open: CodeToken;
  readonly properties: ReadonlyMap<string, readonly CodeToken[]>;
}

/** The first `model.fit(x, y, { … })` or `model.fitDataset(data, { … })`; null where its options are no object in place. */
export function findFit(code: readonly CodeToken[]): FitCall | null {
  for (const [i, token] of code.entries()) {
    if ((token.value !== 'fit' && token.value !== 'fitDataset') || code[i - 1]?.value !== '.') continue;
    if (code[i + 1]?.value !== '(') continue;
    const options = listItems(code.slice(i + 2))[token.value === 'fit' ? 2 : 1];
    const [open] = options ?? [];
    if (options === undefined || open?.value !== '{') continue;
    const properties = new Map(
      listItems(options.slice(1)).map(
        // Shorthand has its value for a name.
        (item) => [item[0]?.value ?? '', item.length === 1 ? item : item.slice(2)] as const,
      ),
    );
    const receiver = code[i - 2];
    const plain = receiver?.type === 'IdentifierName' && code[i - 3]?.value !== '.';
    return { model: plain ? receiver.value : null, open, properties };
  }
  return null;
}
