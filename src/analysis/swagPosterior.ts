/** SWAG's Gaussian over weights (Maddox et al. 2019, algorithm 1): diagonal plus low rank, around the average of snapshots. */
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import type { RandomGenerator } from 'pure-rand/types/RandomGenerator';
import jstat from 'jstat';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import type { Snapshot } from './model.ts';
import type { Vectors } from './vectors.ts';

/** θ ~ N(mean, ½·(diag(deviation²) + columns·columnsᵀ/(K − 1))); vectors inside the evaluator. */
export interface SwagPosterior {
  /** The uniform average, with the members' state averaged likewise. */
  readonly mean: string;
  /** Root of the mean squared difference to the average, parameter by parameter. */
  readonly deviation: string;
  /** Differences of the latest K members to the average of all members up to each. */
  readonly columns: readonly string[];
  /** Sum over parameters of the diagonal part's variances. */
  readonly diagonalTrace: number;
  /** Of the low-rank part: Σ‖column‖²/(K − 1); 0 without one. */
  readonly lowRankTrace: number;
}

/**
 * Reads the members twice: squares of differences to the average, where the paper takes the average of squares less the
 * square of the average, which in single precision loses what is small beside the weights.
 * @param rank at most so many columns; 0 for the diagonal alone. Each is a weight vector that is held
 */
export async function swagPosterior(
  evaluator: Evaluator,
  vectors: Vectors,
  members: readonly Snapshot[],
  rank: number,
  context: AnalysisContext,
): Promise<SwagPosterior> {
  const { signal } = context;
  const mean = vectors.name('mean');
  const columns: string[] = [];
  let lowRank = 0;
  for (const [i, { vector }] of members.entries()) {
    context.progress((0.5 * i) / members.length, 'averaging');
    const terms = [{ coefficient: 1 / (i + 1), vector }];
    if (i > 0) terms.push({ coefficient: i / (i + 1), vector: mean });
    await evaluator.combine({ into: mean, terms, state: 'combine' }, signal);
    if (i < members.length - rank) continue;
    const column = vectors.name('column');
    const difference = [
      { coefficient: 1, vector },
      { coefficient: -1, vector: mean },
    ];
    const { norm } = await evaluator.combine({ into: column, terms: difference, state: null }, signal);
    columns.push(column);
    lowRank += norm * norm;
  }
  const [difference, variance, deviation] = ['difference', 'variance', 'deviation'].map((label) =>
    vectors.name(label),
  ) as [string, string, string];
  for (const [i, { vector }] of members.entries()) {
    context.progress(0.5 + (0.5 * i) / members.length, 'measuring the spread');
    const apart = [
      { coefficient: 1, vector },
      { coefficient: -1, vector: mean },
    ];
    await evaluator.combine({ into: difference, terms: apart, state: null }, signal);
    const square = { into: difference, function: 'product', of: [difference, difference] } as const;
    await evaluator.elementwise(square, signal);
    const terms = [{ coefficient: 1 / members.length, vector: difference }];
    if (i > 0) terms.push({ coefficient: 1, vector: variance });
    await evaluator.combine({ into: variance, terms, state: null }, signal);
  }
  const { norm } = await evaluator.elementwise({ into: deviation, function: 'root', of: [variance] }, signal);
  await vectors.release([difference, variance]);
  return {
    mean,
    deviation,
    columns,
    diagonalTrace: norm * norm,
    lowRankTrace: columns.length > 1 ? lowRank / (columns.length - 1) : 0,
  };
}

/**
 * One draw: mean + scale·(deviation ⊙ z₁/√2 + columns·z₂/√(2(K − 1))); without a low-rank part (fewer than two columns) the
 * diagonal part has all of the variance, mean + scale·deviation ⊙ z₁.
 * @param scale 1 draws from the posterior itself
 * @param generator one for all draws, that goes on: streams of neighbouring seeds begin alike
 * @returns a named vector with the average's state
 */
export async function drawWeights(
  evaluator: Evaluator,
  vectors: Vectors,
  { mean, deviation, columns }: SwagPosterior,
  { generator, scale }: { readonly generator: RandomGenerator; readonly scale: number },
  { signal }: AnalysisContext,
): Promise<string> {
  const into = vectors.name('draw');
  const include = { bias: true, norm: true };
  const seed = uniformInt(generator, 0, 2 ** 31 - 1);
  await evaluator.random({ into, seed, like: mean, normalisation: 'none', include }, signal);
  await evaluator.elementwise({ into, function: 'product', of: [deviation, into] }, signal);
  const lowRank = columns.length > 1;
  const terms = [
    { coefficient: 1, vector: mean },
    { coefficient: lowRank ? scale / Math.SQRT2 : scale, vector: into },
    ...(lowRank ? columns : []).map((vector) => {
      // The quantile of a uniform number, which is above 0: an infinite one would spoil the draw.
      const z = jstat.normal.inv(Math.max(uniformFloat64(generator), Number.EPSILON), 0, 1);
      return { coefficient: (scale * z) / Math.sqrt(2 * (columns.length - 1)), vector };
    }),
  ];
  await evaluator.combine({ into, terms, state: mean }, signal);
  return into;
}
