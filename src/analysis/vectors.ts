/** Names for the vectors that an analysis keeps inside the evaluator, freed together when it ends. */
import type { Operand } from '../protocol/evaluator.ts';
import type { Evaluator } from './evaluator.ts';

/** Analyses may share a connection, and with it one space of names. */
let scopes = 0;

export class Vectors {
  private readonly prefix = `a${++scopes}`;
  private readonly live = new Set<string>();
  private count = 0;

  constructor(readonly evaluator: Evaluator) {}

  /** A fresh name; `label` only helps whoever reads a log. */
  name(label: string): string {
    const name = `${this.prefix}.${label}.${++this.count}`;
    this.live.add(name);
    return name;
  }

  /** The operand as a named vector: itself when it is one, else its file loaded. */
  async load(operand: Operand, label: string, signal: AbortSignal): Promise<string> {
    if (typeof operand === 'string') return operand;
    const into = this.name(label);
    await this.evaluator.load({ into, from: operand }, signal);
    return into;
  }

  /** Frees some vectors of this scope, or all of them. */
  async release(names: readonly string[] = [...this.live]): Promise<void> {
    const mine = names.filter((name) => this.live.delete(name));
    if (mine.length > 0) await this.evaluator.release({ vectors: mine });
  }
}

/** Runs `work` with a scope of names and frees what it made, also after failure or cancellation. */
export async function withVectors<T>(
  evaluator: Evaluator,
  work: (vectors: Vectors) => Promise<T>,
): Promise<T> {
  const vectors = new Vectors(evaluator);
  try {
    return await work(vectors);
  } finally {
    // A peer that is gone has freed its vectors; that must not hide why `work` ended.
    await vectors.release().catch(() => undefined);
  }
}
