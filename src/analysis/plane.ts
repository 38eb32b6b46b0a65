/**
 * Planes in weight space: what they are made from, where the trajectory lies relative to them, and what the analyses of
 * a plane are given. The point nearest to θ on a plane solves 2 × 2 normal equations, so directions need not be orthogonal.
 */
import { BasinError } from '../protocol/errors.ts';
import type { Normalisation, Operand } from '../protocol/evaluator.ts';
import type { DirectionParts, PlaneName } from '../protocol/plane.ts';
import type { ComparedPath, ContourResult, PlaneCorner, TrajectoryPoint } from '../protocol/results.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { finite } from './finite.ts';
import type { Evaluation, Model, Snapshot } from './model.ts';
import type { Vectors } from './vectors.ts';

/** A direction by its kind, with the models that it goes between. */
export type Direction = DirectionParts<Model>;
/** A snapshot's step, or any model. */
export type Corner = number | Model;

export interface PlaneInput extends Evaluation {
  /** The trajectory, by step; drawn over every plane, and the source of the pca plane. */
  readonly snapshots: readonly Snapshot[];
  /** Origin of the plane; a plane through three models has the first of them as its origin instead. */
  readonly at: Model;
  readonly plane: PlaneName | readonly [Direction, Direction] | readonly [Corner, Corner, Corner];
  /** Models beside a plane through three. */
  readonly beside?: readonly Model[];
  /** Other runs whose paths are projected on a plane through three models. */
  readonly others?: readonly {
    readonly run: string;
    readonly name: string;
    readonly snapshots: readonly Snapshot[];
  }[];
  /** Points along each axis, odd, 5 to 401. */
  readonly size: number;
  /** Seed of random directions; default 1. */
  readonly seed?: number;
  /**
   * Half-width of a plane that is spanned by two directions, in units of these; by default 1 along a random one, and
   * what the trajectory needs along another.
   */
  readonly span?: number;
  /** Of random directions filter by default; of the gradient and eigenvectors none. */
  readonly normalise?: Normalisation;
  /** Biases and norm parameters take part in random and in normalised directions; default false. */
  readonly includeBiases?: boolean;
  /**
   * Make the second direction orthogonal to the first, after normalising; by default unless both are random, since its
   * units then no longer have the norms of the model's.
   */
  readonly orthogonalise?: boolean;
}

export interface Plane {
  /** What the origin is called in the result. */
  readonly at: string;
  /** Named vectors. Coordinates (x, y) are origin + x·directions[0] + y·directions[1]. */
  readonly origin: string;
  readonly directions: readonly [string, string];
  readonly description: ContourResult['plane'];
  readonly trajectory: readonly TrajectoryPoint[];
  /** Where the models lie that the plane goes through, and those beside it; empty for other planes. */
  readonly corners: readonly (Pick<PlaneCorner, 'at' | 'x' | 'y' | 'distance'> & {
    readonly vector: Operand;
  })[];
  /** Of other runs; none where nothing is compared. */
  readonly paths?: readonly ComparedPath[];
  /** Steps whose weights are NaN or infinite; they are not in the trajectory. */
  readonly leftOut: readonly number[];
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** Extent of the x axis in weight space, the unit in which distances from the plane are told. */
  readonly width: number;
  /** What else is to be known of the directions, in sentences. */
  readonly notes: readonly string[];
}

/** Coordinates of snapshots on the plane origin + span(directions), and their distances from it, in weight space. */
export async function project(
  evaluator: Evaluator,
  vectors: Vectors,
  onto: {
    readonly origin: string;
    readonly directions: readonly [string, string];
    readonly snapshots: readonly Snapshot[];
  },
  context: AnalysisContext,
): Promise<{ trajectory: TrajectoryPoint[]; leftOut: number[] }> {
  const { origin, snapshots } = onto;
  if (snapshots.length === 0) return { trajectory: [], leftOut: [] };
  // Gram matrices are taken about the origin, so a direction takes part as origin + direction.
  const tips: string[] = [];
  for (const direction of onto.directions) {
    const into = vectors.name('tip');
    const terms = [origin, direction].map((vector) => ({ coefficient: 1, vector }));
    await evaluator.combine({ into, terms, state: null }, context.signal);
    tips.push(into);
  }
  const { rows } = await evaluator.gram(
    { vectors: [...tips, ...snapshots.map((s) => s.vector)], origin },
    context.signal,
  );
  await vectors.release(tips);
  const at = (i: number, j: number): number => rows[i]?.[j] ?? NaN;
  const [a, b, d] = [at(0, 0), at(0, 1), at(1, 1)];
  const determinant = a * d - b * b;
  const trajectory: TrajectoryPoint[] = [];
  const leftOut: number[] = [];
  snapshots.forEach((s, k) => {
    const [u, v, square] = [at(k + 2, 0), at(k + 2, 1), at(k + 2, k + 2)];
    if (!Number.isFinite(u + v + square)) {
      leftOut.push(s.step);
      return;
    }
    const x = (d * u - b * v) / determinant;
    const y = (a * v - b * u) / determinant;
    trajectory.push(pointOf(s, x, y, square - x * u - y * v));
  });
  return { trajectory, leftOut };
}

export async function originNotFinite(
  evaluator: Evaluator,
  at: Model,
  snapshots: readonly Snapshot[],
  context: AnalysisContext,
): Promise<BasinError> {
  let last: number | null = null;
  for (const s of [...snapshots].reverse()) {
    const { rows } = await evaluator.gram({ vectors: [s.vector], origin: null }, context.signal);
    if (Number.isFinite(rows[0]?.[0])) {
      last = s.step;
      break;
    }
  }
  return nonFinite(
    /^\d+$/.test(at.id) ? `Snapshot ${at.id}` : `Model ${at.id}`,
    last === null
      ? 'Lower the learning rate and train again: no snapshot of this run has finite weights.'
      : `Choose snapshot ${last} as the centre, the last one whose weights are finite.`,
  );
}

/** A snapshot at its coordinates. */
export function pointOf(s: Snapshot, x: number, y: number, squaredDistance: number): TrajectoryPoint {
  // Rounding can leave a square of about −1e-16 for a snapshot that lies in the plane.
  const distance = Math.sqrt(Math.max(0, squaredDistance));
  return { step: s.step, x, y, distance, loss: finite(s.loss), evaluated: null };
}

export function findSnapshot(snapshots: readonly Snapshot[], step: number): Snapshot {
  const found = snapshots.find((s) => s.step === step);
  if (found !== undefined) return found;
  const near = [...snapshots].sort((a, b) => Math.abs(a.step - step) - Math.abs(b.step - step))[0];
  throw new BasinError(
    'not-found',
    `There is no snapshot at step ${step}.`,
    near === undefined
      ? 'This run kept no snapshots: train again.'
      : `The nearest one is at step ${near.step}.`,
  );
}

export function nonFinite(what: string, cure: string): BasinError {
  return new BasinError('non-finite', `${what} has weights that are NaN or infinite.`, cure);
}
