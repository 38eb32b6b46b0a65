/** Stochastic weight averaging (Izmailov et al. 2018) over snapshots of one run. */
import type { EvaluationMode } from '../protocol/evaluator.ts';
import type { AverageResult } from '../protocol/results.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import type { Draft, Snapshot } from './model.ts';

/** Which snapshots to average: steps from..to, every stride-th snapshot counted back from the last of them. */
export interface AverageWindow {
  /** Default: three quarters of the way to the last snapshot. */
  readonly from?: number;
  readonly to?: number;
  readonly stride?: number;
}

export interface AverageInput {
  /** All snapshots of the run, by step. */
  readonly snapshots: readonly Snapshot[];
  readonly window: AverageWindow;
  readonly mode: EvaluationMode;
  /** At most this many samples of each split for the scores; all when absent. */
  readonly samples?: number;
  /** Id of the model that is built, and the safetensors file that the evaluator writes it to. */
  readonly model: { readonly id: string; readonly file: string; readonly metadata: Record<string, string> };
}

/**
 * The members of a window.
 * @throws BasinError `bad-input` when fewer than two snapshots are in it
 */
export function chooseMembers(snapshots: readonly Snapshot[], window: AverageWindow): Snapshot[] {
  void snapshots, window;
  throw new Error('being written');
}

/**
 * Averages the members' weights with equal weight, computes batch-norm statistics anew on the train split (weighted
 * by sample), saves the model, and scores it beside the last snapshot.
 */
export async function average(
  evaluator: Evaluator,
  input: AverageInput,
  context: AnalysisContext,
): Promise<Draft<AverageResult>> {
  void evaluator, input, context;
  throw new Error('being written');
}
