/**
 * Finds the calls that train in a PyTorch script, in a syntax tree that tolerates a file that is being typed and does
 * not parse.
 */
import type { SyntaxNode } from '@lezer/common';
import { children, parsePython } from './pythonTree.ts';
import { MAX_LENGTH, type TrainingCall } from './trainingCalls.ts';

/** The name under which the start of a script is found, when its training call is in a module that it imports. */
export const MAIN = '__main__';

const LIBRARIES = /^(torch|lightning|pytorch_lightning|transformers|accelerate|ignite|fastai)\b/;
/** A variable with one of these words in its name takes optimizer steps. */
const STEPPING = new Set([
  ...['opt', 'opts', 'optim', 'optims', 'optimizer', 'optimizers', 'optimiser', 'optimisers'],
  ...['scaler', 'sgd', 'adam', 'adamw', 'lbfgs', 'accelerator'],
]);
/** Unless it has one of these: a scheduler has a `step` as well, and may be called after its optimizer. */
const NOT_STEPPING = new Set(['sched', 'scheduler', 'schedulers', 'schedule', 'lr', 'warmup']);
/** The class of an optimizer as it is called: `torch.optim.SGD`, `optim.AdamW`, `Adam`. */
export const OPTIMIZER_CLASS =
  /(^|\.)optim\.\w+$|^(SGD|Adam|AdamW|NAdam|RAdam|Adamax|Adagrad|Adadelta|RMSprop|LBFGS|Rprop|ASGD)$/;
const TRAINER = /trainer\w*$/i;
/** What has a trainer whose `train` is the training; elsewhere `trainer.train()` is some class of the script's own. */
const TRAINER_LIBRARIES = /^(transformers|trl|sentence_transformers|setfit)\b/;

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
  let hasTrainers = false;
  const starts: TrainingCall[] = [];
  const optimizers = new Set<string>();
  const found: { readonly receiver: SyntaxNode; readonly name: SyntaxNode }[] = [];

  parsePython(source).iterate({
    enter({ node }) {
      if (node.name === 'ImportStatement') {
        const words = text(node).replace(/^\s*(from|import)\s+/, '');
        const brought = words.split(',').map((word) => word.trim());
        if (brought.some((word) => LIBRARIES.test(word))) imports.push(node);
        hasTrainers ||= brought.some((word) => TRAINER_LIBRARIES.test(word));
      } else if (node.name === 'AssignStatement') {
        const [targets, values] = sides(node);
        values.forEach((value, i) => {
          const callee = value.name === 'CallExpression' ? value.firstChild : null;
          const target = targets[i];
          if (target !== undefined && callee !== null && OPTIMIZER_CLASS.test(text(callee))) {
            optimizers.add(lastName(text(target)));
          }
        });
      } else if (node.name === 'CallExpression') {
        const callee = node.firstChild;
        if (callee?.name !== 'MemberExpression') return;
        const name = callee.lastChild;
        const receiver = callee.firstChild;
        if (name?.name === 'PropertyName' && receiver !== null) found.push({ receiver, name });
      } else if (node.name === 'IfStatement' && node.parent?.name === 'Script') {
        const head = source.slice(node.from, node.from + 60);
        if (/^if\s*\(?\s*(__name__\s*==\s*['"]__main__['"]|['"]__main__['"]\s*==\s*__name__)/.test(head)) {
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
      (method === 'step' && (optimizers.has(variable) || takesSteps(variable))) ||
      ((method === 'fit' || (method === 'train' && hasTrainers)) && TRAINER.test(variable));
    return trains ? [{ name: method, ...position(name.from) }] : [];
  });
  return calls.length === 0 ? starts.slice(0, 1) : calls;
}

/** By the words in a name: `optimizer_d`, `optimizerD`, `opt2`; not `options`, not `optimizer_scheduler`. */
function takesSteps(variable: string): boolean {
  const words = [...variable.matchAll(/[A-Z]?[a-z]+|[A-Z]+(?![a-z])/g)].map(([word]) => word.toLowerCase());
  return words.some((word) => STEPPING.has(word)) && !words.some((word) => NOT_STEPPING.has(word));
}

/** The expressions left and right of an assignment, of a tuple each of its own: `a, b = SGD(…), Adam(…)`. */
function sides(assignment: SyntaxNode): [targets: SyntaxNode[], values: SyntaxNode[]] {
  const all: [SyntaxNode[], SyntaxNode[]] = [[], []];
  let side = 0;
  const add = (node: SyntaxNode): void => {
    if (node.name === 'AssignOp') side = 1;
    else if (node.name === 'TupleExpression') children(node).forEach(add);
    else if (!['(', ')', ',', 'TypeDef'].includes(node.name)) all[side === 0 ? 0 : 1].push(node);
  };
  children(assignment).forEach(add);
  return all;
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
