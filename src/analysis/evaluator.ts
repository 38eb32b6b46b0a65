/**
 * The interface that every analysis is written over: an evaluator (a training process that stands still)
 * as typed async calls. Clients live in src/evaluators, the reference one for tests in test/fixtures.
 */
import type { EvaluatorDescription, EvaluatorMethod, EvaluatorRequests } from '../protocol/evaluator.ts';

type Calls = {
  [M in Exclude<EvaluatorMethod, 'hello'>]: (
    params: EvaluatorRequests[M]['params'],
    signal?: AbortSignal,
  ) => Promise<EvaluatorRequests[M]['result']>;
};

/** Fails with BasinError; a call whose signal is aborted fails with code `cancelled`. */
export interface Evaluator extends Calls {
  readonly description: EvaluatorDescription;
}

/** How an analysis reports and is stopped. */
export interface AnalysisContext {
  readonly signal: AbortSignal;
  /** fraction in 0..1 */
  progress(fraction: number, message: string): void;
  /** What people should know before the answer is there, in a sentence. */
  warn?(message: string): void;
}
