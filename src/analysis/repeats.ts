/** How typical a random plane is: the same summary of planes that other seeds give. */
import type { HowToEvaluate } from '../protocol/evaluator.ts';
import type { PlaneRepeats } from '../protocol/results.ts';
import { derivedSeed, randomPair } from './directions.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { deviation, mean } from './moments.ts';
import type { PlaneInput } from './plane.ts';
import { figures } from './trust.ts';
import type { Vectors } from './vectors.ts';

/** Points on the circle that a plane is summed up by. */
const DIRECTIONS = 8;

/**
 * The mean rise of the loss on a circle around the origin, at eight angles, in `seeds` random planes of which the first is
 * the one that is shown. Its radius is the plane's half-width.
 * @returns null where a loss is not finite
 * @throws BasinError `unsupported`, `cancelled`
 */
export async function repeatRandomPlane(
  evaluator: Evaluator,
  vectors: Vectors,
  asked: {
    readonly origin: string;
    readonly input: Pick<PlaneInput, 'seed' | 'span' | 'normalise' | 'includeBiases' | 'orthogonalise'>;
    readonly how: HowToEvaluate;
    readonly seeds: number;
    /** Loss at the origin. */
    readonly centre: number;
  },
  context: AnalysisContext,
): Promise<PlaneRepeats | null> {
  const { origin, input, how, seeds, centre } = asked;
  const radius = input.span ?? 1;
  const coefficients = Array.from({ length: DIRECTIONS }, (_, i) => {
    const angle = (2 * Math.PI * i) / DIRECTIONS;
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });
  const rises: number[] = [];
  for (let k = 0; k < seeds; k++) {
    const pair = await randomPair(
      evaluator,
      vectors,
      {
        like: origin,
        // Two streams a plane: the first pair is that of the plane shown.
        seed: derivedSeed(input.seed ?? 1, 2 * k),
        normalisation: input.normalise ?? 'filter',
        includeBiases: input.includeBiases === true,
        orthogonalise: input.orthogonalise === true,
      },
      context,
    );
    const directions = pair.directions.map((d) => d.vector);
    const { points } = await evaluator.loss({ origin, directions, coefficients, how }, context.signal);
    rises.push(mean(points.map((p) => p.loss)) - centre);
    await vectors.release(directions);
  }
  if (!rises.every(Number.isFinite)) return null;
  return { radius, rises, mean: mean(rises), standardDeviation: deviation(rises) };
}

export function repeatsSentence({ radius, rises, mean: m, standardDeviation: sd }: PlaneRepeats): string {
  const [shown = NaN] = rises;
  const away = Math.abs(shown - m) / sd;
  const typical =
    sd === 0 || away <= 2
      ? 'it is a typical one'
      : `it is not typical: ${figures(away, 2)} standard deviations from their mean`;
  return `Over ${rises.length} random planes the loss rises by ${figures(m, 3)} on average at ${figures(radius, 3)} times the directions' length, with a standard deviation of ${figures(sd, 2)} between planes; in this one by ${figures(shown, 3)}: ${typical}.`;
}
