/** What every result carries: where it comes from, what it was computed on, and how far to trust it. */
import type { EvaluationMode } from './evaluator.ts';

/** Where a result comes from: enough to compute it again. */
export interface Provenance {
  readonly basin: string;
  readonly created: string;
  /** The request that gave it, defaults filled in. */
  readonly job: unknown;
  /** null where nothing was evaluated. */
  readonly mode: EvaluationMode | null;
  readonly refreshedStatistics: boolean;
  readonly framework: string;
  /** What computed the losses; null where nothing was evaluated. */
  readonly backend: string | null;
  readonly versions: Readonly<Record<string, string>>;
  /** The process that was asked; none for what the run's own files tell. */
  readonly evaluator: 'live' | 'held' | 'relaunched' | 'none';
  readonly seconds: number;
}

/** The samples that a result was computed on. */
export interface EvaluatedOn {
  readonly split: 'train' | 'validation';
  readonly samples: number;
  /** Where samples cannot be counted: `samples` are batches then. */
  readonly unit?: 'batches';
}

/** What every kept result has, whatever its kind; `Result<null>` is one for which nothing was evaluated. */
export interface Result<Data extends EvaluatedOn | null = EvaluatedOn> {
  /** File name under analyses/, without .json. */
  readonly id: string;
  readonly run: string;
  readonly objective: string;
  readonly data: Data;
  /** Plain sentences on how far to trust it, first the one that matters most. */
  readonly trust: readonly string[];
  readonly provenance: Provenance;
}

/** null stands for a loss that is not finite, or (while refining) not computed yet. */
export type Maybe = number | null;
