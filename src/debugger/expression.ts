/**
 * Expressions over a step's values: conditions of breakpoints, watches, the debug console. Parsed by jsep and walked here;
 * nothing is ever handed to JavaScript to run.
 */
import jsep from 'jsep';
import { BasinError } from '../protocol/errors.ts';

/** null: not known at this step. */
export type Value = number | boolean | string | null;

export interface Scope {
  /** A function is asked only where the expression comes to need it. */
  readonly values: Readonly<Record<string, Value | (() => Promise<Value>)>>;
  readonly functions: Readonly<Record<string, (...given: Value[]) => Value | Promise<Value>>>;
}

/** Names that an expression may use. */
export interface Names {
  readonly values: readonly string[];
  readonly functions: readonly string[];
}

const arithmetic: Readonly<Record<string, (a: number, b: number) => Value>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
  '**': (a, b) => a ** b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};
const comparisons: Readonly<Record<string, (a: Value, b: Value) => boolean>> = {
  '==': (a, b) => a === b,
  '===': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '!==': (a, b) => a !== b,
};
const unary: Readonly<Record<string, (a: Value) => Value>> = {
  '-': (a) => -numeric(a),
  '+': (a) => numeric(a),
  '!': (a) => !truth(a),
};
const mathematics: Readonly<Record<string, (...given: number[]) => number>> = {
  abs: Math.abs,
  log: Math.log,
  log10: Math.log10,
  exp: Math.exp,
  sqrt: Math.sqrt,
  min: Math.min,
  max: Math.max,
  floor: Math.floor,
};
const tests: Readonly<Record<string, (x: number) => boolean>> = {
  isFinite: Number.isFinite,
  isNaN: Number.isNaN,
};
const constants: Readonly<Record<string, Value>> = { NaN, Infinity, pi: Math.PI };

/**
 * Signs that no bracket closes off from what follows: jsep gives −2 ** 2 and (−2) ** 2 the same tree. It shows each node to this
 * hook when it has read it, and once more for every bracket around it.
 */
const unbracketed = new WeakSet<object>();
const readOnce = new WeakSet<object>();
jsep.hooks.add('after-token', ({ node }) => {
  if (!node || node.type !== 'UnaryExpression') return;
  if (readOnce.has(node)) unbracketed.delete(node);
  else unbracketed.add(node);
  readOnce.add(node);
});

export class Expression {
  /** Names of values, functions left out, that it reads. */
  readonly reads: ReadonlySet<string>;
  readonly calls: ReadonlySet<string>;

  private constructor(
    readonly text: string,
    private readonly root: jsep.Expression,
    used: Used,
  ) {
    this.reads = used.values;
    this.calls = used.functions;
  }

  /** @throws BasinError `bad-input` for what is no expression, and for names that there are none of */
  static parse(text: string, known: Names): Expression {
    let root: jsep.Expression;
    try {
      root = jsep(text);
    } catch (cause) {
      throw refused(`"${text}" is not an expression: ${(cause as Error).message}.`, known);
    }
    const used: Used = { values: new Set(), functions: new Set() };
    check(root, text, known, used);
    return new Expression(text, root, used);
  }

  /**
   * A comparison or calculation with something that is not known is not known either (null): neither it nor its negation
   * holds. && and || follow Kleene: known where the other side decides alone.
   * @param unknown is given the names of the values that were not known
   * @throws BasinError as the functions do; `bad-input` for arithmetic on words
   */
  evaluate(scope: Scope, unknown = new Set<string>()): Promise<Value> {
    return walk(this.root, scope, unknown);
  }
}

/** Whether a condition holds. */
export function truth(value: Value): boolean {
  return value !== null && value !== false && value !== 0 && value !== '' && !Number.isNaN(value);
}

interface Used {
  readonly values: Set<string>;
  readonly functions: Set<string>;
}

const own = (table: object, name: string): boolean => Object.hasOwn(table, name);

function check(node: jsep.Expression, text: string, known: Names, used: Used): void {
  const inside = (child: unknown): void => check(child as jsep.Expression, text, known, used);
  switch (node.type) {
    case 'Literal':
      return;
    case 'Identifier': {
      const { name } = node as jsep.Identifier;
      if (own(constants, name)) return;
      if (!known.values.includes(name)) throw refused(`"${text}": there is no value ${name}.`, known);
      used.values.add(name);
      return;
    }
    case 'UnaryExpression': {
      const { operator, argument } = node as jsep.UnaryExpression;
      if (!own(unary, operator))
        throw refused(`"${text}" uses ${operator}, which Basin does not know.`, known);
      return inside(argument);
    }
    case 'BinaryExpression': {
      const { operator, left, right } = node as jsep.BinaryExpression;
      if (![...Object.keys(arithmetic), ...Object.keys(comparisons), '&&', '||'].includes(operator))
        throw refused(`"${text}" uses ${operator}, which Basin does not know.`, known);
      if (operator === '**' && unbracketed.has(left))
        throw refused(
          `"${text}": a sign before ** can be read in two ways.`,
          known,
          '(-x) ** 2 or -(x ** 2)',
        );
      inside(left);
      return inside(right);
    }
    case 'ConditionalExpression': {
      const { test, consequent, alternate } = node as jsep.ConditionalExpression;
      return [test, consequent, alternate].forEach(inside);
    }
    case 'CallExpression': {
      const { callee, arguments: given } = node as jsep.CallExpression;
      const name = callee.type === 'Identifier' ? (callee as jsep.Identifier).name : null;
      if (name === null || !(known.functions.includes(name) || own(mathematics, name) || own(tests, name)))
        throw refused(`"${text}": there is no such function.`, known);
      if (known.functions.includes(name)) used.functions.add(name);
      return given.forEach(inside);
    }
    default:
      throw refused(`"${text}" is more than a calculation with a step's values.`, known);
  }
}

async function walk(node: jsep.Expression, scope: Scope, unknown: Set<string>): Promise<Value> {
  const inside = (child: jsep.Expression): Promise<Value> => walk(child, scope, unknown);
  switch (node.type) {
    case 'Literal':
      return (node as jsep.Literal).value as Value;
    case 'Identifier': {
      const { name } = node as jsep.Identifier;
      if (own(constants, name)) return constants[name] ?? null;
      const found = scope.values[name] ?? null;
      const value = typeof found === 'function' ? await found() : found;
      if (value === null) unknown.add(name);
      return value;
    }
    case 'UnaryExpression': {
      const { operator, argument } = node as jsep.UnaryExpression;
      const value = await inside(argument);
      return value === null ? null : (unary[operator]?.(value) ?? null);
    }
    case 'BinaryExpression': {
      const { operator, left, right } = node as jsep.BinaryExpression;
      const a = await inside(left);
      if (operator === '&&' || operator === '||') {
        // The side that decides alone: a false one, or a true one.
        const decides = (value: Value): boolean => value !== null && truth(value) === (operator === '||');
        if (decides(a)) return a;
        const b = await inside(right);
        return a !== null || decides(b) ? b : null;
      }
      const b = await inside(right);
      if (a === null || b === null) return null;
      if (own(comparisons, operator)) return comparisons[operator]?.(a, b) ?? null;
      if (operator === '+' && (typeof a === 'string' || typeof b === 'string')) return String(a) + String(b);
      return arithmetic[operator]?.(numeric(a), numeric(b)) ?? null;
    }
    case 'ConditionalExpression': {
      const { test, consequent, alternate } = node as jsep.ConditionalExpression;
      const decision = await inside(test);
      return decision === null ? null : inside(truth(decision) ? consequent : alternate);
    }
    case 'CallExpression': {
      const { callee, arguments: nodes } = node as jsep.CallExpression;
      const { name } = callee as jsep.Identifier;
      const given: Value[] = [];
      for (const one of nodes) given.push(await inside(one));
      const offered = own(scope.functions, name) ? scope.functions[name] : undefined;
      if (offered !== undefined) return offered(...given);
      if (given.includes(null)) return null;
      const test = own(tests, name) ? tests[name] : undefined;
      if (test !== undefined) return test(numeric(given[0] ?? NaN));
      return mathematics[name]?.(...given.map(numeric)) ?? null;
    }
    default:
      return null;
  }
}

function numeric(value: Value): number {
  if (typeof value === 'number' || typeof value === 'boolean') return Number(value);
  throw new BasinError('bad-input', `${JSON.stringify(value)} is not a number.`);
}

function refused(message: string, { values, functions }: Names, instead?: string): BasinError {
  if (instead !== undefined) return new BasinError('bad-input', message, `Write ${instead}.`);
  const calls = functions.length === 0 ? '' : `; functions: ${functions.map((f) => `${f}()`).join(', ')}`;
  return new BasinError('bad-input', message, `There are ${values.join(', ')}${calls}.`);
}
