/** The loop in which a PyTorch script takes its steps: what quick fixes write into. */
import type { SyntaxNode } from '@lezer/common';
import { OPTIMIZER_CLASS } from '../pythonCalls.ts';
import { argumentsOf, children, parsePython } from '../pythonTree.ts';

export interface PythonLoop {
  /** The statement that is `optimizer.step()`. */
  readonly step: SyntaxNode;
  /** The loops around it in the same function, innermost first; at least one. */
  readonly loops: readonly [SyntaxNode, ...SyntaxNode[]];
  readonly outermost: SyntaxNode;
  /** What the optimizer was given the parameters of, such as `model`. */
  readonly model: string;
  /** What the innermost loop goes over, where that is a name: the data loader. */
  readonly loader: string | null;
  /** The counter of the outermost loop and its end, where it is a `for … in range(…)`. */
  readonly counter: { readonly name: string; readonly end: string } | null;
}

const NAME = /^[A-Za-z_][\w.]*$/;

/** null where there is no such loop, or its optimizer is made in another function. */
export function findPythonLoop(source: string): PythonLoop | null {
  const text = (node: SyntaxNode): string => source.slice(node.from, node.to);
  const optimizers = new Map</* variable */ string, { model: string; scope: number }>();
  let found: PythonLoop | null = null;
  parsePython(source).iterate({
    enter({ node }) {
      if (found !== null) return false;
      if (node.name === 'AssignStatement') {
        const target = node.firstChild;
        const value = node.lastChild;
        const callee = value?.name === 'CallExpression' ? value.firstChild : null;
        if (target === null || callee === null || !OPTIMIZER_CLASS.test(text(callee))) return undefined;
        const [, model] = /^\(\s*([\w.]+)\.parameters\(\)/.exec(source.slice(callee.to, value?.to)) ?? [];
        if (model !== undefined && NAME.test(model))
          optimizers.set(text(target).trim(), { model, scope: scopeOf(node) });
      } else if (node.name === 'CallExpression') {
        const callee = node.firstChild;
        const [, receiver] = /^([\w.]+)\.step$/.exec(callee === null ? '' : text(callee)) ?? [];
        const optimizer = receiver === undefined ? undefined : optimizers.get(receiver);
        const step = enclosing(node, /Statement$/);
        if (optimizer === undefined || step === null || optimizer.scope !== scopeOf(node)) return undefined;
        const [inner, ...outer] = loopsAround(step);
        if (inner === undefined) return undefined;
        const outermost = outer.at(-1) ?? inner;
        found = {
          step,
          loops: [inner, ...outer],
          outermost,
          model: optimizer.model,
          loader: iterated(inner, text),
          counter: counterOf(outermost, source),
        };
      }
      return undefined;
    },
  });
  return found;
}

function enclosing(node: SyntaxNode, name: RegExp): SyntaxNode | null {
  let at: SyntaxNode | null = node;
  while (at !== null && !name.test(at.name)) at = at.parent;
  return at;
}

/** Where the function begins that a node is in; 0 for the module. */
function scopeOf(node: SyntaxNode): number {
  return enclosing(node, /^(FunctionDefinition|LambdaExpression)$/)?.from ?? 0;
}

function loopsAround(node: SyntaxNode): SyntaxNode[] {
  const loops: SyntaxNode[] = [];
  for (let at = node.parent; at !== null && at.name !== 'FunctionDefinition'; at = at.parent)
    if (at.name === 'ForStatement' || at.name === 'WhileStatement') loops.push(at);
  return loops;
}

/** `for TARGET in ITERATED:` in its parts. */
function partsOf(loop: SyntaxNode): { target: SyntaxNode; iterated: SyntaxNode } | null {
  if (loop.name !== 'ForStatement') return null;
  const parts = children(loop);
  const word = parts.findIndex((part) => part.name === 'in');
  const [target, iterated] = [parts[word - 1], parts[word + 1]];
  return target === undefined || iterated === undefined ? null : { target, iterated };
}

function iterated(loop: SyntaxNode, text: (node: SyntaxNode) => string): string | null {
  const parts = partsOf(loop);
  if (parts === null) return null;
  const [, wrapped] = /^(?:enumerate|tqdm(?:\.tqdm)?)\(\s*([\w.]+)\s*[,)]/.exec(text(parts.iterated)) ?? [];
  const name = wrapped ?? text(parts.iterated);
  return NAME.test(name) ? name : null;
}

function counterOf(loop: SyntaxNode, source: string): PythonLoop['counter'] {
  const parts = partsOf(loop);
  if (parts === null || parts.target.name !== 'VariableName') return null;
  const text = ({ from, to }: SyntaxNode): string => source.slice(from, to);
  const { firstChild: callee, lastChild: list, name } = parts.iterated;
  if (name !== 'CallExpression' || callee === null || list === null || text(callee) !== 'range') return null;
  const given = argumentsOf(list, source);
  const end = given.length === 1 ? given[0] : given.length === 2 ? given[1] : undefined;
  return end === undefined ? null : { name: text(parts.target), end: text(end.value) };
}
