/** What makes a run stop at a step: conditions and logpoints over its values, ranges of parameters' norms. */
import { BasinError, isCancelledOrEnded, toErrorData } from '../protocol/errors.ts';
import { Expression, truth, type Names, type Scope, type Value } from './expression.ts';

const TOLD_AT = 2;

export interface BreakpointRequest {
  /** Stops where it holds; every step when absent. */
  readonly condition?: string;
  /** `n`: at the n-th time; `% n`: at every n-th. */
  readonly hitCondition?: string;
  /** Says this instead of stopping; `{loss}` puts a value in. */
  readonly logMessage?: string;
}

/** What a step is to a breakpoint. */
export type Outcome =
  | { readonly kind: 'stop' }
  | { readonly kind: 'say'; readonly text: string }
  /** Whether its condition holds cannot be told, for want of these values. */
  | { readonly kind: 'unknown'; readonly names: readonly string[] };

/** A breakpoint on the line of the training step. */
export class StepBreakpoint {
  private hits = 0;
  /** Steps in a row at which its condition could not be told. */
  private untold = 0;

  private constructor(
    readonly id: number,
    private readonly condition: Expression | null,
    private readonly isDue: (hits: number) => boolean,
    private readonly message: readonly (string | Expression)[] | null,
  ) {}

  /** @throws BasinError `bad-input` for what cannot be read, with the names there are */
  static parse(id: number, request: BreakpointRequest, names: Names): StepBreakpoint {
    const { condition, hitCondition, logMessage } = request;
    return new StepBreakpoint(
      id,
      condition === undefined || condition.trim() === '' ? null : Expression.parse(condition, names),
      parseHits(hitCondition),
      logMessage === undefined || logMessage === '' ? null : parseMessage(logMessage, names),
    );
  }

  /** Values that it needs. */
  get reads(): ReadonlySet<string> {
    const parts = [this.condition, ...(this.message ?? [])].filter((part) => part instanceof Expression);
    return new Set(parts.flatMap((part) => [...part.reads]));
  }

  /**
   * @returns null where there is nothing to do. That a condition cannot be told is said once, and not of the first step
   *   that is looked at, at which there has been no update yet.
   * @throws BasinError what its condition cannot be calculated for
   */
  async at(scope: Scope): Promise<Outcome | null> {
    if (this.condition !== null) {
      const unknown = new Set<string>();
      const value = await this.condition.evaluate(scope, unknown);
      this.untold = value === null ? this.untold + 1 : 0;
      if (value === null) return this.untold === TOLD_AT ? { kind: 'unknown', names: [...unknown] } : null;
      if (!truth(value)) return null;
    }
    if (!this.isDue(++this.hits)) return null;
    if (this.message === null) return { kind: 'stop' };
    const parts: string[] = [];
    for (const part of this.message)
      parts.push(typeof part === 'string' ? part : await shownOrWhyNot(part, scope));
    return { kind: 'say', text: parts.join('') };
  }

  get text(): string {
    return this.condition?.text ?? 'every step';
  }
}

/** A parameter whose norm is to stay within bounds. */
export interface NormRange {
  readonly id: number;
  readonly parameter: string;
  readonly low: number;
  readonly high: number;
  /** Whether the norm was within when it was set. */
  readonly inside: boolean;
}

/**
 * `0.5..2`, `< 3`, `> 0.1`; a change by more than a tenth of its present norm when empty.
 * @throws BasinError `bad-input`
 */
export function parseRange(text: string | undefined, norm: number): { low: number; high: number } {
  const words = (text ?? '').trim();
  if (words === '') return { low: 0.9 * norm, high: 1.1 * norm };
  const between = /^(\S+?)\s*\.\.\s*(\S+)$/.exec(words);
  const below = /^<=?\s*(\S+)$/.exec(words);
  const above = /^>=?\s*(\S+)$/.exec(words);
  const range =
    between !== null
      ? { low: Number(between[1]), high: Number(between[2]) }
      : below !== null
        ? { low: -Infinity, high: Number(below[1]) }
        : { low: Number(above?.[1] ?? NaN), high: Infinity };
  if (range.low <= range.high) return range;
  throw new BasinError('bad-input', `"${words}" is no range of a norm.`, 'Write 0.5..2, < 3 or > 0.1.');
}

/** A value as a line of text has it. */
export function shown(value: Value): string {
  if (typeof value !== 'number') return value === null ? 'not known' : String(value);
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
}

/** A logpoint never stops: what it cannot show it says in its line. */
async function shownOrWhyNot(part: Expression, scope: Scope): Promise<string> {
  try {
    return shown(await part.evaluate(scope));
  } catch (error) {
    if (isCancelledOrEnded(error)) throw error;
    return `<${toErrorData(error).message}>`;
  }
}

function parseHits(text: string | undefined): (hits: number) => boolean {
  const words = (text ?? '').trim();
  if (words === '') return () => true;
  const match = /^(%|>=|>|==?)?\s*(\d+)$/.exec(words);
  const n = Number(match?.[2] ?? 0);
  if (match === null || n < 1) {
    throw new BasinError('bad-input', `"${words}" is no hit count.`, 'Write 5, > 5 or % 5.');
  }
  switch (match[1]) {
    case '%':
      return (hits) => hits % n === 0;
    case '>':
      return (hits) => hits > n;
    case '>=':
      return (hits) => hits >= n;
    default:
      return (hits) => hits === n;
  }
}

function parseMessage(message: string, names: Names): (string | Expression)[] {
  return message
    .split(/(\{[^{}]*\})/)
    .filter((part) => part !== '')
    .map((part) => (/^\{.+\}$/.test(part) ? Expression.parse(part.slice(1, -1), names) : part));
}
