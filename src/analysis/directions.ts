/** Two directions that span a plane, and random ones that are comparable between models: filter normalisation (Li et al. 2018, section 4). */
import { BasinError } from '../protocol/errors.ts';
import type { EvaluatorRequests, Normalisation } from '../protocol/evaluator.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import type { Vectors } from './vectors.ts';

export interface DirectionOptions {
  /** Named vector whose units give the directions their scale. */
  readonly like: string;
  readonly seed: number;
  readonly normalisation: Normalisation;
  /** Biases and norm parameters take part; default false, unless a model has nothing else. */
  readonly includeBiases?: boolean;
  /**
   * Make the second direction orthogonal to the first, after normalising. Its units then no longer have the norms
   * of the model's, so a rescaling that leaves the function alone changes the picture: off by default.
   */
  readonly orthogonalise?: boolean;
}

/** One of the two directions of a plane. */
export interface SpanningDirection {
  /** Vector inside the evaluator. */
  readonly vector: string;
  readonly norm: number;
  /** Made to have length 1, rather than lengths that come from the model. */
  readonly unit: boolean;
}

export interface RandomDirection extends SpanningDirection {
  readonly seed: number;
  /** Biases and norm parameters take part. */
  readonly included: boolean;
}

/** What making the second direction orthogonal to the first has cost. */
export interface Orthogonalised {
  /** Angle that it turned by, 0 to 90. */
  readonly degrees: number;
  /** Share of its length that was left. */
  readonly kept: number;
}

export interface Span<D extends SpanningDirection = SpanningDirection> {
  readonly directions: readonly [D, D];
  /** Cosine between the pair as made; what orthogonalising removed. */
  readonly cosineBefore: number;
  /** Cosine between the pair as returned: 0 when orthogonalised. */
  readonly cosine: number;
  /** null where it was not done. */
  readonly orthogonalised: Orthogonalised | null;
}

/**
 * Two Gaussian directions, each output unit scaled to the norm of the same unit in `like` where so normalised.
 * @throws BasinError `unsupported` for a model whose weights are all zero or span no plane
 */
export async function randomPair(
  evaluator: Evaluator,
  vectors: Vectors,
  options: DirectionOptions,
  context: AnalysisContext,
): Promise<Span<RandomDirection>> {
  const { like, normalisation, includeBiases = false, orthogonalise = false } = options;
  const draw = (k: number): Promise<RandomDirection> => {
    const request = { into: vectors.name('random'), seed: derivedSeed(options.seed, k), like, normalisation };
    return drawRandom(evaluator, request, includeBiases, context);
  };
  const pair = [await draw(0), await draw(1)] as const;
  return spanOf(evaluator, vectors, pair, { orthogonalise, keepLength: false }, context);
}

/** A random direction that has a length. @throws BasinError `unsupported` where every weight that it is scaled to is zero */
export async function drawRandom(
  evaluator: Evaluator,
  request: Omit<EvaluatorRequests['random']['params'], 'include'>,
  includeBiases: boolean,
  context: AnalysisContext,
): Promise<RandomDirection> {
  const { norm, included } = await drawDirection(evaluator, request, includeBiases, context);
  if (norm > 0) return { vector: request.into, seed: request.seed, norm, included, unit: false };
  throw new BasinError(
    'unsupported',
    `A ${request.normalisation}-normalised direction has no length here: every weight it is scaled to is zero.`,
    'Choose another snapshot as the centre, or the plane of the trajectory.',
  );
}

/**
 * What two directions span. The second is made orthogonal to the first in place where that is asked for, and given its
 * length back where `keepLength`.
 * @throws BasinError `unsupported` for directions that coincide
 */
export async function spanOf<D extends SpanningDirection>(
  evaluator: Evaluator,
  vectors: Vectors,
  pair: readonly [D, D],
  how: { readonly orthogonalise: boolean; readonly keepLength: boolean },
  context: AnalysisContext,
): Promise<Span<D>> {
  const [first, second] = pair;
  const { values } = await evaluator.dots({ pairs: [[first.vector, second.vector]] }, context.signal);
  const cosineBefore = (values[0] ?? NaN) / (first.norm * second.norm);
  if (!(Math.abs(cosineBefore) < 0.9999)) {
    throw new BasinError(
      'unsupported',
      'The two directions coincide, so they span no plane: they are the same, or the objective has too few free parameters.',
      'Ask for other directions, or look at the line between two snapshots instead.',
    );
  }
  if (!how.orthogonalise) {
    return { directions: [first, second], cosineBefore, cosine: cosineBefore, orthogonalised: null };
  }
  let { norm } = await orthogonaliseAgainst(evaluator, vectors, second.vector, first, context);
  const orthogonalised = {
    degrees: (180 / Math.PI) * Math.asin(Math.min(1, Math.abs(cosineBefore))),
    kept: norm / second.norm,
  };
  if (how.keepLength) {
    const terms = [{ coefficient: second.norm / norm, vector: second.vector }];
    ({ norm } = await evaluator.combine({ into: second.vector, terms, state: null }, context.signal));
  }
  return { directions: [first, { ...second, norm }], cosineBefore, cosine: 0, orthogonalised };
}

/**
 * A Gaussian direction without biases and norm parameters, unless they are `included` or a model has nothing else.
 * @returns its norm, which is 0 where everything that it is scaled to is
 */
export async function drawDirection(
  evaluator: Evaluator,
  request: Omit<EvaluatorRequests['random']['params'], 'include'>,
  included: boolean,
  { signal }: AnalysisContext,
): Promise<{ readonly norm: number; readonly included: boolean }> {
  const ask = (include: boolean) =>
    evaluator.random({ ...request, include: { bias: include, norm: include } }, signal);
  const { norm } = await ask(included);
  if (norm !== 0 || included) return { norm, included };
  return { norm: (await ask(true)).norm, included: true };
}

async function orthogonaliseAgainst(
  evaluator: Evaluator,
  vectors: Vectors,
  vector: string,
  against: SpanningDirection,
  context: AnalysisContext,
): Promise<{ norm: number }> {
  const unit = vectors.name('unit');
  await evaluator.combine(
    { into: unit, terms: [{ coefficient: 1 / against.norm, vector: against.vector }], state: null },
    context.signal,
  );
  const { norm } = await evaluator.orthogonalise({ vector, against: [unit] }, context.signal);
  await vectors.release([unit]);
  return { norm };
}

/** Independent streams for the draws of one analysis; a Weyl step keeps neighbouring seeds apart. */
export function derivedSeed(seed: number, index: number): number {
  return (Math.imul(index, 0x9e3779b1) + seed) >>> 0;
}
