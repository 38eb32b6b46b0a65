/** What jobs have in common: the run, the model and the samples they ask about. */
import type { EvaluationMode } from './evaluator.ts';

/** A snapshot's step, 'last', 'first', or the id of a built model. */
export type ModelReference = number | string;

/** `RUN:MODEL` in its parts; `run` is null for a model of the run that is asked itself. */
export function partsOfReference(reference: ModelReference): {
  readonly run: string | null;
  readonly model: string;
} {
  const [, run = null, model = String(reference)] = /^([^:]+):(.+)$/.exec(String(reference)) ?? [];
  return { run, model };
}

/** What every analysis job takes. */
export interface RunOptions {
  readonly run: string;
  /** Name or index; the first by default. */
  readonly objective?: number | string;
}

/** What every job takes that evaluates. */
export interface EvaluationOptions extends RunOptions {
  readonly split?: 'train' | 'validation';
  /** Default: the evaluator's own (inference for layers models, as trained otherwise). */
  readonly mode?: EvaluationMode;
}
