/** What every result carries: where it comes from, what it was computed on, and how far to trust it. */
import type { EvaluationMode } from './evaluator.ts';

/** Where a result comes from: enough to compute it again. */
export interface Provenance {
  readonly basin: string;
  readonly created: string;
  /** The request that gave it, defaults filled in. */
  readonly job: unknown;
  readonly mode: EvaluationMode;
  readonly refreshedStatistics: boolean;
  readonly framework: string;
  readonly backend: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly evaluator: 'live' | 'held' | 'relaunched';
  readonly seconds: number;
}

/** What every kept result has, whatever its kind. */
export interface Result {
  /** File name under analyses/, without .json. */
  readonly id: string;
  readonly run: string;
  readonly objective: string;
  readonly data: { readonly split: 'train' | 'validation'; readonly samples: number };
  /** Plain sentences on how far to trust it, first the one that matters most. */
  readonly trust: readonly string[];
  readonly provenance: Provenance;
}

/** null stands for a loss that is not finite, or (while refining) not computed yet. */
export type Maybe = number | null;
