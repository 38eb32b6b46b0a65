/** A curvature matrix at one model, or the diagonal block of some of its parameters, as products inside the evaluator. */
import type { CurvatureMatrix } from '../protocol/curvature.ts';
import { BasinError } from '../protocol/errors.ts';
import type { HowToEvaluate } from '../protocol/evaluator.ts';
import { elementCount } from '../protocol/safetensors.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { curvatureNotFinite, type Product, type Subspace } from './lanczos.ts';
import { notFinite } from './model.ts';
import type { Vectors } from './vectors.ts';

export interface CurvatureAt {
  /** Named vector of the weights. */
  readonly at: string;
  readonly how: HowToEvaluate;
  readonly matrix: CurvatureMatrix;
}

/** Products with a curvature matrix and what became of them. */
export class Curvature {
  products = 0;
  /** finite-difference as soon as one product was. */
  method: 'exact' | 'finite-difference' = 'exact';
  reason: string | null = null;

  constructor(
    readonly evaluator: Evaluator,
    readonly place: CurvatureAt,
    readonly context: AnalysisContext,
  ) {}

  /** into ← M·vector; its norm. @throws BasinError `unsupported` where the loss has no Gauss–Newton matrix */
  readonly multiply: Product = (vector, into) => this.on(this.place.how, vector, into);

  /** The product with the matrix of another selection of samples. */
  async on(how: HowToEvaluate, vector: string, into: string): Promise<{ readonly norm: number }> {
    const { at, matrix } = this.place;
    const answer = await this.evaluator.hvp(
      { at, vector, into, how, method: 'auto', matrix },
      this.context.signal,
    );
    this.products++;
    if (answer.method === 'finite-difference') {
      this.method = answer.method;
      this.reason ??= answer.reason;
    }
    return answer;
  }
}

/** The diagonal block of some parameters: P·M·P with P the projection to them. */
export interface Block {
  readonly name: string;
  readonly parameters: readonly string[];
  readonly dimension: number;
  /** null for all parameters. */
  readonly subspace: Subspace | null;
  readonly multiply: Product;
}

/**
 * The block of the parameters named; the whole matrix where none are.
 * @throws BasinError `bad-input` for a name that the objective does not have, or for none at all
 */
export function blockOf(
  curvature: Curvature,
  name: string,
  parameters: readonly string[] | undefined,
): Block {
  const { evaluator, context } = curvature;
  const { objective } = evaluator.description;
  const all = objective.parameters;
  if (parameters === undefined) {
    return {
      name,
      parameters: all.map((p) => p.name),
      dimension: objective.parameterCount,
      subspace: null,
      multiply: curvature.multiply,
    };
  }
  const chosen = new Set(parameters);
  const unknown = [...chosen].find((one) => !all.some((p) => p.name === one));
  if (unknown !== undefined || chosen.size === 0) {
    throw new BasinError(
      'bad-input',
      unknown === undefined ? 'No parameters were chosen.' : `The objective has no parameter ${unknown}.`,
      `It has ${all.map((p) => p.name).join(', ')}.`,
    );
  }
  const kept = all.filter((p) => chosen.has(p.name));
  const subspace: Subspace = {
    dimension: kept.reduce((s, p) => s + elementCount(p.shape), 0),
    project: (vector, into) => evaluator.restrict({ vector, into, parameters: [...chosen] }, context.signal),
  };
  return {
    name,
    parameters: kept.map((p) => p.name),
    dimension: subspace.dimension,
    subspace,
    // What is multiplied lies in the subspace already: every vector is drawn in it or made from such.
    multiply: async (vector, into) => {
      await curvature.multiply(vector, into);
      return subspace.project(into, into);
    },
  };
}

/** −M: its largest eigenvalues are the smallest of M, with the sign turned. */
export function negated(block: Block, { evaluator, context }: Curvature): Product {
  return async (vector, into) => {
    await block.multiply(vector, into);
    return evaluator.combine(
      { into, terms: [{ coefficient: -1, vector: into }], state: null },
      context.signal,
    );
  };
}

/** A standard normal vector in the block's parameters; its norm. */
export async function gaussianIn(
  block: Block,
  { evaluator, place, context }: Curvature,
  into: string,
  seed: number,
): Promise<{ readonly norm: number }> {
  const drawn = await evaluator.random(
    { into, seed, like: place.at, normalisation: 'none', include: { bias: true, norm: true } },
    context.signal,
  );
  return block.subspace === null ? drawn : block.subspace.project(into, into);
}

/**
 * Refuses weights that are NaN or infinite: a Hessian that does not depend on the weights (least squares) hides them.
 * @param id what the result calls the model
 * @throws BasinError `non-finite`
 */
export async function requireFiniteWeights(
  evaluator: Evaluator,
  at: string,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  const [squared = NaN] = (await evaluator.dots({ pairs: [[at, at]] }, signal)).values;
  if (Number.isFinite(squared)) return;
  throw notFinite(`Model ${id} has weights that are NaN or infinite.`);
}

/** Multiplies a vector in place. */
export async function scaleVector(
  { evaluator, context }: Curvature,
  vector: string,
  factor: number,
): Promise<void> {
  await evaluator.combine(
    { into: vector, terms: [{ coefficient: factor, vector }], state: null },
    context.signal,
  );
}

/** Drawn, or a product: kept by the caller under a name of `vectors`. */
export async function quadraticForm(
  curvature: Curvature,
  block: Block,
  vectors: Vectors,
  vector: string,
): Promise<number> {
  const into = vectors.name('product');
  await block.multiply(vector, into);
  const { values } = await curvature.evaluator.dots({ pairs: [[vector, into]] }, curvature.context.signal);
  await vectors.release([into]);
  const [value = NaN] = values;
  if (!Number.isFinite(value)) throw curvatureNotFinite();
  return value;
}
