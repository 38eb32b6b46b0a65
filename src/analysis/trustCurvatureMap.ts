/** Sentences on how far the loss is from convex over a plane, and how well that is known. */
import type { CurvatureMapResult } from '../protocol/curvatureMap.ts';
import { figures, percent, productsSentence } from './trust.ts';

/** @param finiteDifference why products are no exact ones; null where that is not known */
export function curvatureMapSentences(
  map: Pick<
    CurvatureMapResult,
    | 'centre'
    | 'ratio'
    | 'residual'
    | 'largest'
    | 'smallest'
    | 'tolerance'
    | 'notConverged'
    | 'products'
    | 'method'
    | 'evaluated'
    | 'complete'
  >,
  finiteDifference: string | null,
): string[] {
  const { centre, evaluated, notConverged, products, method, tolerance } = map;
  const flat = (field: CurvatureMapResult['ratio']): number[] => field.flat().filter((v) => v !== null);
  const ratios = flat(map.ratio);
  const [residuals, largest, smallest] = [flat(map.residual), flat(map.largest), flat(map.smallest)];
  const missing = evaluated - largest.length;
  // An end is told from 0 where it lies farther from it than its residual.
  const convex = smallest.filter((value, i) => value >= -(residuals[i] ?? 0)).length;
  const sentences = [
    centre.largest === null || centre.smallest === null
      ? 'The curvature at the centre is NaN or infinite.'
      : `At the centre λ runs from ${figures(centre.smallest, 3)} to ${figures(centre.largest, 3)}` +
        `${centre.ratio === null ? '' : `: |λmin/λmax| is ${figures(centre.ratio, 2)}`} (within ${figures(centre.residual ?? 0, 2)}).`,
  ];
  if (ratios.length > 0) {
    sentences.push(
      `Over the plane |λmin/λmax| runs from ${figures(Math.min(...ratios), 2)} to ${figures(Math.max(...ratios), 2)}; ` +
        `at ${convex} of ${largest.length} points no direction is known to bend down. Near 0 the picture of the plane misleads little; near 1 the loss falls as sharply as it rises in directions that it does not show.`,
    );
  }
  sentences.push(
    notConverged === 0
      ? `Both ends have converged to ${percent(tolerance)} of the larger one at every point; they come from inside of the spectrum, so the true ends may lie further out, never nearer.`
      : `At ${notConverged} of ${evaluated} points the ends are not known to ${percent(tolerance)} of the larger one: they may lie further out.`,
    `${products} Hessian-vector products. ${productsSentence(method, finiteDifference)}`,
  );
  if (missing > 0 && map.complete)
    sentences.push(`${missing} of ${evaluated} points have a curvature that is NaN or infinite.`);
  return sentences;
}
