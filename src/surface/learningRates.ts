/**
 * Where a script gives its optimizers their learning rate: the first argument of `tf.train.sgd(…)` and its like, `lr=` or
 * the second argument of a torch optimizer. A constant's own declaration is found where a name stands there.
 */
import type { SyntaxNode } from '@lezer/common';
import { codeTokens, listItems, type CodeToken } from './fixes/javaScriptCalls.ts';
import { OPTIMIZER_CLASS } from './pythonCalls.ts';
import { argumentsOf, children, parsePython } from './pythonTree.ts';
import { MAX_LENGTH } from './trainingCalls.ts';

/** Offsets into the source, the end excluded. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface LearningRateSite extends Span {
  /** The number itself, or that of the constant that is named; null for anything else. */
  readonly literal: (Span & { readonly value: number }) | null;
}

const FACTORIES = new Set(['sgd', 'momentum', 'adagrad', 'adadelta', 'adam', 'adamax', 'rmsprop']);

/** In the order of the text. */
export function findLearningRates(source: string, language: string): LearningRateSite[] {
  if (source.length > MAX_LENGTH) return [];
  return language === 'python' ? inPython(source) : inJavaScript(source);
}

function inJavaScript(source: string): LearningRateSite[] {
  if (!/\.\s*train\s*\./.test(source)) return [];
  const code = codeTokens(source);
  const constants = once(
    code.flatMap((token, i) => {
      const [name, equals, number, end] = code.slice(i + 1, i + 5);
      const declared = ['const', 'let', 'var'].includes(token.value) && equals?.value === '=';
      // An expression goes on where the line does.
      const alone =
        end === undefined || end.value === ';' || source.slice(number?.to, end.from).includes('\n');
      return declared && name !== undefined && number?.type === 'NumericLiteral' && alone
        ? [[name.value, literal(number)] as const]
        : [];
    }),
  );
  return code.flatMap((token, i) => {
    const called = code[i - 1]?.value === '.' && code[i - 2]?.value === 'train' && code[i + 1]?.value === '(';
    if (!FACTORIES.has(token.value) || !called) return [];
    const argument = listItems(code.slice(i + 2))[0] ?? [];
    const [first] = argument;
    const last = argument.at(-1);
    if (first === undefined || last === undefined) return [];
    const alone = argument.length === 1 ? first : null;
    return [
      {
        from: first.from,
        to: last.to,
        literal:
          alone?.type === 'NumericLiteral' ? literal(alone) : (constants.get(alone?.value ?? '') ?? null),
      },
    ];
  });
}

function inPython(source: string): LearningRateSite[] {
  if (!/\boptim|SGD|Adam|RMSprop/.test(source)) return [];
  const text = (node: SyntaxNode): string => source.slice(node.from, node.to);
  const number = (node: SyntaxNode): CodeToken => ({
    type: node.name,
    value: text(node),
    from: node.from,
    to: node.to,
  });
  const declared: (readonly [string, ReturnType<typeof literal>])[] = [];
  const found: SyntaxNode[] = [];
  parsePython(source).iterate({
    enter({ node }) {
      if (node.name === 'AssignStatement') {
        const parts = children(node);
        const [name, , value] = parts;
        if (parts.length === 3 && name?.name === 'VariableName' && value?.name === 'Number')
          declared.push([text(name), literal(number(value))]);
      } else if (node.name === 'CallExpression') {
        const callee = node.firstChild;
        const given = callee?.nextSibling;
        if (callee === null || given?.name !== 'ArgList' || !OPTIMIZER_CLASS.test(text(callee))) return;
        const rate = learningRateOf(given, source);
        if (rate !== undefined) found.push(rate);
      }
    },
  });
  const constants = once(declared);
  return found.map((node) => ({
    from: node.from,
    to: node.to,
    literal: node.name === 'Number' ? literal(number(node)) : (constants.get(text(node)) ?? null),
  }));
}

/** The value of `lr=`, or of the second argument where neither of the first two has a name. */
function learningRateOf(given: SyntaxNode, source: string): SyntaxNode | undefined {
  const all = argumentsOf(given, source);
  const named = all.find(({ name }) => name === 'lr');
  if (named !== undefined) return named.value;
  return all.slice(0, 2).every(({ name }) => name === null) ? all[1]?.value : undefined;
}

function literal({ value, from, to }: CodeToken): Span & { value: number } {
  return { from, to, value: Number(value.replaceAll('_', '')) };
}

/** Names that are declared a single time: another value of the same name may be the one that counts. */
function once<V>(all: readonly (readonly [string, V])[]): Map<string, V> {
  const seen = new Map<string, V>();
  const twice = new Set<string>();
  for (const [name, value] of all) {
    if (seen.has(name)) twice.add(name);
    seen.set(name, value);
  }
  for (const name of twice) seen.delete(name);
  return seen;
}
