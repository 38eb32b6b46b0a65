/** The Hessian's largest eigenvalues at a model, beside what its optimizer can stand. */
import type { OptimizerInfo } from '../protocol/run.ts';
import type { SharpnessResult } from '../protocol/results.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import type { Draft, Evaluation, Model } from './model.ts';

export interface SharpnessInput extends Evaluation {
  readonly at: Model;
  /** How many eigenvalues, from the largest down; 1 to 20. */
  readonly top: number;
  readonly optimizer: OptimizerInfo | null;
  /** Learning rate in force at that model; null when unknown. */
  readonly learningRate: number | null;
  /** Largest ‖Hv − λv‖/|λ| that counts as converged; default 1e-3. */
  readonly tolerance?: number;
  /** Most Hessian-vector products; default 30 + 20·top. */
  readonly maxProducts?: number;
  /** Seed of the start vector; default 1. */
  readonly seed?: number;
}

/**
 * Largest eigenvalues of the loss Hessian by Lanczos with full reorthogonalisation; the standard error of λ₁ from
 * the Rayleigh quotients of its eigenvector on parts of the evaluation set (first-order perturbation:
 * λ₁(H + δH) = λ₁ + v₁ᵀδHv₁).
 * @throws BasinError `bad-input`, `non-finite`, `unsupported`, `cancelled`
 */
export async function sharpness(
  evaluator: Evaluator,
  input: SharpnessInput,
  context: AnalysisContext,
): Promise<Draft<SharpnessResult>> {
  void evaluator, input, context;
  throw new Error('being written');
}
