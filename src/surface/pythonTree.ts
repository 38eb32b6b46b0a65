/** What the finders and quick fixes ask of a Python syntax tree. */
import type { SyntaxNode, Tree } from '@lezer/common';
import { parser } from '@lezer/python';

/** The latest text and its tree: a light bulb has half a dozen finders look at the same text, one after the other. */
let latest: { readonly source: string; readonly tree: Tree } | null = null;

/** The tree of a text; of the same text again it is the same one. */
export function parsePython(source: string): Tree {
  if (latest?.source !== source) latest = { source, tree: parser.parse(source) };
  return latest.tree;
}

export function children(node: SyntaxNode): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  for (let child = node.firstChild; child !== null; child = child.nextSibling) found.push(child);
  return found;
}

export interface Argument {
  /** null of a positional one, `*` or `**` of one that is spread. */
  readonly name: string | null;
  readonly value: SyntaxNode;
}

/** Arguments of a call in their order. @param list the call's ArgList */
export function argumentsOf(list: SyntaxNode, source: string): Argument[] {
  const groups: SyntaxNode[][] = [[]];
  for (const node of children(list)) {
    if (node.name === ',') groups.push([]);
    else if (node.name !== '(' && node.name !== ')') groups.at(-1)?.push(node);
  }
  return groups.flatMap(([first, second, third]): Argument[] => {
    if (first === undefined) return [];
    const text = source.slice(first.from, first.to);
    if (second?.name === 'AssignOp') return third === undefined ? [] : [{ name: text, value: third }];
    return second !== undefined && /^\*{1,2}$/.test(text)
      ? [{ name: text, value: second }]
      : [{ name: null, value: first }];
  });
}
