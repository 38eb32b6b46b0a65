/** The largest curvature at which an optimizer's step is stable on a quadratic. */
import type { OptimizerInfo } from '../protocol/run.ts';
import type { Verdict } from '../protocol/results.ts';

export interface StabilityBound {
  /** Largest stable λ₁; null when none can be stated for the plain Hessian. */
  readonly bound: number | null;
  /** Such as "2/η"; null with the bound. */
  readonly formula: string | null;
  /** Why there is no bound, for people; null when there is one. */
  readonly reason: string | null;
}

/** The optimizer's own bound at a learning rate (the one of its configuration when null is given). */
export function stabilityBound(optimizer: OptimizerInfo | null, learningRate: number | null): StabilityBound {
  void optimizer, learningRate;
  throw new Error('being written');
}

/** Where λ₁ stands: edge is within 10 % of the bound, unknown without a bound or with a λ₁ that is not finite. */
export function verdict(lambda1: number, bound: number | null): Verdict {
  void lambda1, bound;
  throw new Error('being written');
}
