/** Ensembles of snapshots (Huang et al. 2017): the mean of their predicted probabilities. */
import type { EvaluationMode } from '../protocol/evaluator.ts';
import type { EnsembleResult } from '../protocol/results.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import type { Draft, Snapshot } from './model.ts';

export interface EnsembleInput {
  /** All snapshots of the run, by step. */
  readonly snapshots: readonly Snapshot[];
  /** Steps of the members; when absent the `last` snapshots, 5 by default. */
  readonly members?: readonly number[];
  readonly last?: number;
  readonly mode: EvaluationMode;
  readonly samples?: number;
  /** Id under which the engine keeps the built ensemble. */
  readonly model: string;
}

/**
 * Scores the ensemble, each member by itself, and the last snapshot.
 * @throws BasinError `unsupported` where predictions cannot be told apart from the loss, `bad-input`, `not-found`
 */
export async function ensemble(
  evaluator: Evaluator,
  input: EnsembleInput,
  context: AnalysisContext,
): Promise<Draft<EnsembleResult>> {
  void evaluator, input, context;
  throw new Error('being written');
}
