/**
 * The largest eigenvalue of P⁻¹H, with P what an adaptive optimizer divides its steps by, at the weights of this moment
 * (Cohen et al. 2022, "Adaptive gradient methods at the edge of stability"). P⁻¹H has the eigenvalues of the symmetric
 * P^(−1/2)·H·P^(−1/2), which Lanczos can be given. P comes from the optimizer's own second moments, which only the process that trains
 * or has trained has.
 */
import type { PreconditionedPoint } from '../protocol/curvature.ts';
import { BasinError } from '../protocol/errors.ts';
import type { OptimizerInfo } from '../protocol/run.ts';
import { preconditionedBound, verdictOf, type Preconditioner } from '../protocol/stability.ts';
import { Curvature } from './curvature.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { lanczos, type Product } from './lanczos.ts';
import { howToEvaluate, type Evaluation } from './model.ts';
import type { Vectors } from './vectors.ts';

export interface PreconditionedInput extends Evaluation {
  readonly optimizer: OptimizerInfo | null;
  /** Largest ‖Mv − λv‖/|λ| that counts as converged. */
  readonly tolerance: number;
  readonly maxProducts: number;
}

export interface PreconditionedAnswer {
  /** null where there is none: for an optimizer that is not adaptive, or for `reason`. */
  readonly point: PreconditionedPoint | null;
  readonly reason: string | null;
  readonly products: number;
  /** Why products are finite differences; null where they are exact, or the reason is not known. */
  readonly finiteDifference: { readonly reason: string | null } | null;
}

/** A correction closer to 1 than this is not worth a word. */
const CORRECTED = 0.95;

/**
 * Second moments are of the gradients of the loss as it was trained, so its Hessian is taken in that mode wherever there
 * is one: a bias below batch norm has no gradient there, and divided by almost nothing its curvature in inference mode
 * would be all that is seen.
 * @throws BasinError `cancelled`, `process-ended`
 */
export async function preconditionedSharpness(
  evaluator: Evaluator,
  vectors: Vectors,
  { optimizer, data, mode: usual, tolerance, maxProducts }: PreconditionedInput,
  context: AnalysisContext,
): Promise<PreconditionedAnswer> {
  const { signal } = context;
  const { framework, modes } = evaluator.description;
  const nothing = { point: null, reason: null, products: 0, finiteDifference: null };
  const before = await evaluator.status({}, signal);
  const stated = preconditionedBound(optimizer, framework, before.learningRate);
  if (stated === null) return nothing;
  if (stated.preconditioner === null || stated.bound === null || stated.formula === null) {
    return { ...nothing, reason: sentence(stated.reason ?? 'no bound is known') };
  }
  const at = vectors.name('now');
  const scale = vectors.name('preconditioner');
  const { preconditioner, bound, formula } = stated;
  let step: number;
  let apart: number;
  try {
    // Asked for together, so that a training process answers between the same two steps wherever it can.
    const [first, moments, weights, last] = await Promise.all([
      evaluator.status({}, signal),
      evaluator.load({ into: scale, from: 'second-moment' }, signal),
      evaluator.load({ into: at, from: 'current' }, signal),
      evaluator.status({}, signal),
    ]);
    step = last.step;
    apart = last.step - first.step;
    if (!Number.isFinite(moments.norm) || !Number.isFinite(weights.norm)) {
      return { ...nothing, reason: 'The weights or the second moments are NaN or infinite.' };
    }
  } catch (error) {
    if (!(error instanceof BasinError && error.code === 'unsupported')) throw error;
    return { ...nothing, reason: sentence(error.message) };
  }
  const scaled = vectors.name('scaled');
  await inverseRoot(evaluator, scale, scaled, preconditioner, signal);
  const mode = modes.includes('as-trained') ? 'as-trained' : usual;
  const how = howToEvaluate(evaluator.description, { data, mode }, false);
  const hessian = new Curvature(evaluator, { at, how, matrix: 'hessian' }, context);
  const product: Product = async (vector, into) => {
    await evaluator.elementwise({ into: scaled, function: 'product', of: [vector, scale] }, signal);
    await hessian.multiply(scaled, into);
    if (preconditioner.decay !== 0) {
      const terms = [
        { coefficient: 1, vector: into },
        { coefficient: preconditioner.decay, vector: scaled },
      ];
      await evaluator.combine({ into, terms, state: null }, signal);
    }
    return evaluator.elementwise({ into, function: 'product', of: [into, scale] }, signal);
  };
  const where = {
    step,
    mode,
    learningRate: before.learningRate,
    bound,
    formula,
    apart,
    correction: correctionOf(preconditioner, step),
  };
  let point: PreconditionedPoint;
  try {
    const options = { top: 1, maxProducts, tolerance, seed: 1, like: at };
    const found = await lanczos(evaluator, vectors, product, options, context);
    const [lambda1 = NaN] = found.values;
    const [residual = NaN] = found.residuals;
    point = {
      ...where,
      lambda1,
      residual,
      converged: found.converged,
      ratio: bound > 0 ? lambda1 / bound : null,
      verdict: verdictOf(lambda1, bound),
    };
    await vectors.release(found.vectors);
  } catch (error) {
    if (!(error instanceof BasinError && error.code === 'non-finite')) throw error;
    const broken = {
      lambda1: null,
      residual: null,
      ratio: null,
      converged: false,
      verdict: 'unknown',
    } as const;
    point = { ...where, ...broken };
  }
  await vectors.release([at, scale, scaled]);
  return {
    point,
    reason: null,
    products: hessian.products,
    finiteDifference: hessian.method === 'exact' ? null : { reason: hessian.reason },
  };
}

/** In place: squares v̂ become P^(−1/2), and 0 where P is 0, as for a parameter that has had no gradient. @param ones is overwritten */
async function inverseRoot(
  evaluator: Evaluator,
  squares: string,
  ones: string,
  { epsilon, insideRoot }: Preconditioner,
  signal: AbortSignal,
): Promise<void> {
  const apply = async (name: 'root' | 'add'): Promise<void> => {
    const request = { into: squares, function: name, of: [squares] };
    await evaluator.elementwise(name === 'add' ? { ...request, constant: epsilon } : request, signal);
  };
  for (const name of insideRoot ? (['add', 'root'] as const) : (['root', 'add'] as const)) await apply(name);
  await apply('root');
  // 1/x as (x/x)/x: there is no reciprocal on the wire.
  await evaluator.elementwise({ into: ones, function: 'quotient', of: [squares, squares] }, signal);
  await evaluator.elementwise({ into: squares, function: 'quotient', of: [ones, squares] }, signal);
}

function correctionOf({ beta1 }: Preconditioner, step: number): number | null {
  const correction = 1 - beta1 ** step;
  return correction < CORRECTED ? correction : null;
}

/** A reason as a sentence of its own. */
function sentence(reason: string): string {
  const text = reason.charAt(0).toUpperCase() + reason.slice(1);
  return text.endsWith('.') ? text : `${text}.`;
}
