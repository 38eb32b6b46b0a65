/** Random directions that are comparable between models: filter normalisation (Li et al. 2018, section 4). */
import { BasinError } from '../protocol/errors.ts';
import type { EvaluatorRequests, Normalisation } from '../protocol/evaluator.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import type { Vectors } from './vectors.ts';

export interface DirectionOptions {
  /** Named vector whose units give the directions their scale. */
  readonly like: string;
  readonly seed: number;
  readonly normalisation: Normalisation;
  /**
   * Make the second direction orthogonal to the first, after normalising. Its units then no longer have the norms
   * of the model's, so a rescaling that leaves the function alone changes the picture: off by default.
   */
  readonly orthogonalise?: boolean;
}

export interface RandomDirection {
  /** Vector inside the evaluator. */
  readonly vector: string;
  readonly seed: number;
  readonly norm: number;
}

export interface RandomPair {
  readonly directions: readonly [RandomDirection, RandomDirection];
  /** Cosine between the pair as drawn; what orthogonalising removed. */
  readonly cosineBefore: number;
  /** Cosine between the pair as returned: 0 when orthogonalised. */
  readonly cosine: number;
  /** Biases and norm parameters take part only where a model has nothing else. */
  readonly included: boolean;
}

/**
 * Two Gaussian directions, each output unit scaled to the norm of the same unit in `like`.
 * @throws BasinError `unsupported` for a model whose weights are all zero or span no plane
 */
export async function randomPair(
  evaluator: Evaluator,
  vectors: Vectors,
  options: DirectionOptions,
  context: AnalysisContext,
): Promise<RandomPair> {
  let included = false;
  const draw = async (seed: number): Promise<RandomDirection> => {
    const into = vectors.name('random');
    const { like, normalisation } = options;
    const drawn = await drawDirection(evaluator, { into, seed, like, normalisation }, included, context);
    const { norm } = drawn;
    ({ included } = drawn);
    if (!(norm > 0)) {
      throw new BasinError(
        'unsupported',
        'A filter-normalised direction has no length here: every weight it is scaled to is zero.',
        'Choose another snapshot as the centre, or the plane of the trajectory.',
      );
    }
    return { vector: into, seed, norm };
  };
  const first = await draw(derivedSeed(options.seed, 0));
  const second = await draw(derivedSeed(options.seed, 1));
  const { values } = await evaluator.dots({ pairs: [[first.vector, second.vector]] }, context.signal);
  const cosineBefore = (values[0] ?? NaN) / (first.norm * second.norm);
  if (!(Math.abs(cosineBefore) < 0.9999)) {
    throw new BasinError(
      'unsupported',
      'Two random directions coincide: this objective has too few free parameters for a plane.',
      'Look at the line between two snapshots instead.',
    );
  }
  if (options.orthogonalise !== true) {
    return { directions: [first, second], cosineBefore, cosine: cosineBefore, included };
  }
  const { norm } = await orthogonaliseAgainst(evaluator, vectors, second.vector, first, context);
  return { directions: [first, { ...second, norm }], cosineBefore, cosine: 0, included };
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
  against: RandomDirection,
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
