/**
 * Finds the calls that train in a PyTorch script, in a syntax tree that tolerates a file that is being typed and does
 * not parse.
 */
import type { SyntaxNode } from '@lezer/common';
import { parser } from '@lezer/python';
import { MAX_LENGTH, type TrainingCall } from './trainingCalls.ts';

/** The name under which the start of a script is found, when its training call is in a module that it imports. */
export const MAIN = '__main__';

const LIBRARIES = /^(torch|lightning|pytorch_lightning|transformers|accelerate|ignite|fastai)\b/;
/** Variables that are called so take optimizer steps; schedulers, profilers and environments have a `step` as well. */
const STEPS = /(^|_)(opt|optim|optimizer|optimiser|scaler|sgd|adam|adamw|lbfgs|accelerator)\w*$/i;
const OPTIMIZER_CLASS =
  /(^|\.)optim\.\w+$|^(SGD|Adam|AdamW|NAdam|RAdam|Adamax|Adagrad|Adadelta|RMSprop|LBFGS|Rprop|ASGD)$/;
const TRAINER = /trainer\w*$/i;

/**
 * Calls of `optimizer.step()`, of a Lightning trainer's `fit` and of a Hugging Face trainer's `train`, in the order of
 * the text; the `if __name__ == "__main__":` of a script that has none of its own. Only where the text imports torch or
 * a library built on it.
 */
export function findPythonCalls(source: string): TrainingCall[] {
  if (
    source.length > MAX_LENGTH ||
    !/\b(torch|lightning|transformers|accelerate|ignite|fastai)\b/.test(source)
  ) {
    return [];
  }
  const text = (node: SyntaxNode): string => source.slice(node.from, node.to);
  const position = positions(source);
  /** Statements that bring in such a library. */
  const imports: SyntaxNode[] = [];
  const starts: TrainingCall[] = [];
  const optimizers = new Set<string>();
  const found: { readonly receiver: SyntaxNode; readonly name: SyntaxNode }[] = [];

  parser.parse(source).iterate({
    enter({ node }) {
      if (node.name === 'ImportStatement') {
        const words = text(node).replace(/^\s*(from|import)\s+/, '');
        if (words.split(',').some((word) => LIBRARIES.test(word.trim()))) imports.push(node);
      } else if (node.name === 'AssignStatement') {
        const value = node.lastChild;
        const target = node.firstChild;
        const callee = value?.name === 'CallExpression' ? value.firstChild : null;
        if (target !== null && callee != null && OPTIMIZER_CLASS.test(text(callee))) {
          optimizers.add(lastName(text(target)));
        }
      } else if (node.name === 'CallExpression') {
        const callee = node.firstChild;
        if (callee?.name !== 'MemberExpression') return;
        const name = callee.lastChild;
        const receiver = callee.firstChild;
        if (name?.name === 'PropertyName' && receiver !== null) found.push({ receiver, name });
      } else if (node.name === 'IfStatement' && node.parent?.name === 'Script') {
        const head = source.slice(node.from, node.from + 60);
        if (/^if\s*\(?\s*__name__\s*==\s*['"]__main__['"]/.test(head)) {
          starts.push({ name: MAIN, ...position(node.from) });
        }
      }
    },
  });
  if (imports.length === 0) return [];
  const calls = found.flatMap(({ receiver, name }): TrainingCall[] => {
    const variable = lastName(text(receiver));
    const method = text(name);
    const trains =
      (method === 'step' && (STEPS.test(variable) || optimizers.has(variable))) ||
      ((method === 'fit' || method === 'train') && TRAINER.test(variable));
    return trains ? [{ name: method, ...position(name.from) }] : [];
  });
  return calls.length === 0 ? starts.slice(0, 1) : calls;
}

/** `self.optimizers[0]` and `self.optimizer` are both called optimizer-something. */
function lastName(expression: string): string {
  return (
    expression
      .replace(/[([].*$/s, '')
      .split('.')
      .at(-1)
      ?.trim() ?? ''
  );
}

/** Offsets to zero-based lines and characters. */
function positions(source: string): (offset: number) => { line: number; character: number } {
  const starts = [0];
  for (const newline of source.matchAll(/\r\n|[\n\r]/g)) starts.push(newline.index + newline[0].length);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low, character: offset - (starts[low] ?? 0) };
  };
}
