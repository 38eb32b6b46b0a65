/** The plane that was asked for, whatever spans it. */
import { directionParts, directionsOf } from '../protocol/plane.ts';
import { directedPlane } from './directedPlane.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import type { Direction, Plane, PlaneInput } from './plane.ts';
import { pointsPlane } from './pointsPlane.ts';
import { principalPlane } from './trajectoryPlane.ts';
import type { Vectors } from './vectors.ts';

/**
 * @throws BasinError `bad-input` when what was asked for spans no plane, `not-found` for a step without a snapshot,
 *   `non-finite` when the origin's weights are NaN or infinite, `unsupported` for directions that have no length
 */
export async function buildPlane(
  evaluator: Evaluator,
  vectors: Vectors,
  input: PlaneInput,
  context: AnalysisContext,
): Promise<Plane> {
  const { plane } = input;
  if (typeof plane !== 'string') {
    return plane.length === 3
      ? pointsPlane(evaluator, vectors, input, plane, context)
      : directedPlane(evaluator, vectors, input, { kind: 'directions', pair: plane }, context);
  }
  const names = directionsOf(plane);
  if (names === null) return principalPlane(evaluator, vectors, input, context);
  const [first, second] = names.map((name) => directionParts(name) as Direction);
  if (first === undefined || second === undefined) throw new Error(`${plane} has no directions`);
  return directedPlane(evaluator, vectors, input, { kind: plane, pair: [first, second] }, context);
}
