/** Loss over a plane in weight space, coarse to fine. */
import type { ContourResult } from '../protocol/results.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import type { Draft, Evaluation, Model, Snapshot } from './model.ts';

export interface ContourInput extends Evaluation {
  /** The trajectory, by step; drawn over every plane, and the source of the pca plane. */
  readonly snapshots: readonly Snapshot[];
  /** Origin of the plane; a plane through three snapshots has the first of them as its origin instead. */
  readonly at: Model;
  /** Two principal components of the trajectory, a filter-normalised random pair, or three snapshot steps. */
  readonly plane: 'pca' | 'random' | readonly [number, number, number];
  /** Points along each axis, odd, 5 to 401. */
  readonly size: number;
  /** Seed of a random plane; default 1. */
  readonly seed?: number;
  /** Half-width of a random plane in units of its directions; default 1. */
  readonly span?: number;
  /** Snapshots whose own loss is evaluated beside the grid, spread evenly over the run; default 64. */
  readonly evaluatedSnapshots?: number;
}

/**
 * Evaluates the loss over a grid that has the origin as one of its points: every 8th point along each axis first,
 * then every 4th, 2nd and all. Values that are not finite, and points not reached yet, are null.
 *
 * @param publish is given a partial result (`complete: false`) after each pass, within long passes about once a
 *   second, and a last time with everything there is when the analysis is cancelled
 * @throws BasinError `bad-input` when the snapshots span no such plane, `non-finite` when the origin's weights are
 *   NaN or infinite, `cancelled`
 */
export async function contour(
  evaluator: Evaluator,
  input: ContourInput,
  context: AnalysisContext,
  publish: (partial: Draft<ContourResult>) => void = () => undefined,
): Promise<Draft<ContourResult>> {
  void evaluator, input, context, publish;
  throw new Error('being written');
}
