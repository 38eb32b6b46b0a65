/** A new order of the data in every epoch, for a script whose DataLoader gives them in a fixed one. */
import type { SyntaxNode } from '@lezer/common';
import { argumentsOf, parsePython } from '../pythonTree.ts';
import { findPythonLoop } from './pythonLoop.ts';
import { insertion, type SourceEdit } from './sourceEdit.ts';

/**
 * `shuffle=True` for the loader that the training loop goes over, or for the only one there is.
 * @returns null where that loader is not found, shuffles already, or has a sampler of its own
 */
export function shuffleInPython(source: string): SourceEdit[] | null {
  const text = (node: SyntaxNode): string => source.slice(node.from, node.to);
  const loaders: { name: string | null; given: SyntaxNode }[] = [];
  parsePython(source).iterate({
    enter({ node }) {
      const callee = node.name === 'CallExpression' ? node.firstChild : null;
      const given = callee?.nextSibling;
      if (callee === null || given?.name !== 'ArgList' || !/(^|\.)DataLoader$/.test(text(callee))) return;
      const assigned = node.parent?.name === 'AssignStatement' ? node.parent.firstChild : null;
      loaders.push({ name: assigned === null ? null : text(assigned), given });
    },
  });
  const used = findPythonLoop(source)?.loader;
  const loader =
    loaders.find(({ name }) => name !== null && name === used) ??
    (loaders.length === 1 ? loaders[0] : undefined);
  if (loader === undefined) return null;
  const given = argumentsOf(loader.given, source);
  const named = (wanted: string): SyntaxNode | undefined => given.find(({ name }) => name === wanted)?.value;
  const shuffle = named('shuffle');
  const places = given.map(({ name }) => (name === null ? 1 : name.startsWith('*') ? 2 : 0));
  // What is spread fills two at least.
  const positional = places.reduce<number>((sum, n) => sum + n, 0);
  if (named('sampler') !== undefined || named('batch_sampler') !== undefined || positional > 2) return null;
  if (shuffle !== undefined)
    return text(shuffle) === 'False' ? [{ from: shuffle.from, to: shuffle.to, text: 'True' }] : null;
  // Behind the last argument, before a comma that ends the list.
  const inside = source.slice(loader.given.from + 1, loader.given.to - 1);
  const end = loader.given.from + 1 + inside.replace(/[\s,]*$/, '').length;
  return [insertion(end, `${given.length > 0 ? ', ' : ''}shuffle=True`)];
}
