/** The plane through three models: snapshots of the run, or models that were built from it. */
import { BasinError } from '../protocol/errors.ts';
import type { ComparedPath, TrajectoryPoint } from '../protocol/results.ts';
import { axesAround, extent } from './axes.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import type { Model } from './model.ts';
import {
  findSnapshot,
  nonFinite,
  originNotFinite,
  pointOf,
  type Corner,
  type Plane,
  type PlaneInput,
} from './plane.ts';
import { buildOrthonormal } from './trajectoryPlane.ts';
import type { Vectors } from './vectors.ts';

/** It is looked at for what lies between and around the three. */
const MARGIN = 0.4;

/**
 * Coordinates from one Gram matrix of (model − first corner), axes by Gram–Schmidt on (second − first, third − first).
 * @throws BasinError `bad-input` for models on one line, `not-found` for a step without a snapshot, `non-finite`
 */
export async function pointsPlane(
  evaluator: Evaluator,
  vectors: Vectors,
  input: PlaneInput,
  corners: readonly [Corner, Corner, Corner],
  context: AnalysisContext,
): Promise<Plane> {
  const [first, second, third] = corners.map((corner): Model => {
    if (typeof corner !== 'number') return corner;
    return { id: String(corner), vector: findSnapshot(input.snapshots, corner).vector };
  });
  if (
    first === undefined ||
    second === undefined ||
    third === undefined ||
    new Set([first.id, second.id, third.id]).size < 3
  ) {
    throw new BasinError(
      'bad-input',
      'A plane through models needs three different ones.',
      'Name three steps, such as 0,300,600, or built models.',
    );
  }
  const named = [first, second, third];
  const bySteps = named.every(({ id }) => /^\d+$/.test(id));
  const beside = (input.beside ?? []).filter(({ id }) => named.every((one) => one.id !== id));
  const others = input.others ?? [];
  const { rows } = await evaluator.gram(
    {
      vectors: [
        second.vector,
        third.vector,
        ...input.snapshots.map((s) => s.vector),
        ...beside.map((m) => m.vector),
        ...others.flatMap(({ snapshots }) => snapshots.map((s) => s.vector)),
      ],
      origin: first.vector,
    },
    context.signal,
  );
  const product = (i: number, j: number): number => rows[i]?.[j] ?? NaN;
  if (!input.snapshots.some((_, i) => Number.isFinite(product(i + 2, i + 2)))) {
    const known = named.every((_, k) => k === 0 || Number.isFinite(product(k - 1, k - 1)));
    if (!known) throw await originNotFinite(evaluator, first, input.snapshots, context);
  }
  for (const [k, { id }] of named.entries()) {
    if (k === 0 || Number.isFinite(product(k - 1, k - 1))) continue;
    throw nonFinite(bySteps ? `Snapshot ${id}` : `Model ${id}`, 'Choose a step before the loss diverged.');
  }
  const length = Math.sqrt(product(0, 0));
  const along = product(0, 1) / length;
  const height = Math.sqrt(Math.max(0, product(1, 1) - along * along));
  if (!(length > 0) || !(height > 1e-5 * Math.sqrt(product(1, 1)))) {
    const which = named.map(({ id }) => id).join(', ');
    throw new BasinError(
      'bad-input',
      `${bySteps ? 'Snapshots' : 'Models'} ${which} lie on one straight line, so they span no plane.`,
      `Choose another third ${/^\d+$/.test(third.id) ? 'snapshot' : 'model'}, or ask for the line between two of them.`,
    );
  }
  // Gram–Schmidt written as sums over the three models.
  const components = [
    [-1 / length, 1 / length, 0],
    [(along / length - 1) / height, -along / length / height, 1 / height],
  ];
  const origin = await vectors.load(first.vector, 'origin', context.signal);
  const files = named.map((c) => c.vector);
  const [right = '', up = ''] = await buildOrthonormal(evaluator, vectors, files, components, context);
  /** Coordinates of the k-th model of the Gram matrix, and its squared distance from the plane; null where it is not finite. */
  const place = (k: number): { x: number; y: number; away: number } | null => {
    const square = product(k, k);
    if (!Number.isFinite(square)) return null;
    const x = product(k, 0) / length;
    const y = (product(k, 1) - along * x) / height;
    return { x, y, away: square - x * x - y * y };
  };
  /** @param begin index of the first snapshot in the Gram matrix */
  const pathOf = (snapshots: PlaneInput['snapshots'], begin: number) => {
    const leftOut: number[] = [];
    const trajectory = snapshots.flatMap((s, k): TrajectoryPoint[] => {
      const found = place(begin + k);
      if (found === null) leftOut.push(s.step);
      return found === null ? [] : [pointOf(s, found.x, found.y, found.away)];
    });
    return { trajectory, leftOut };
  };
  const { trajectory, leftOut } = pathOf(input.snapshots, 2);
  let next = 2 + input.snapshots.length;
  const besides = beside.map(({ id }) => {
    const found = place(next++);
    if (found === null) throw nonFinite(`Model ${id}`, 'Choose a model from before the loss diverged.');
    return { x: found.x, y: found.y, distance: Math.sqrt(Math.max(0, found.away)) };
  });
  const paths = others.map(({ run, name, snapshots }): ComparedPath => {
    const path = pathOf(snapshots, next).trajectory;
    next += snapshots.length;
    return { run, name, trajectory: path };
  });
  const places = [{ x: 0, y: 0 }, { x: length, y: 0 }, { x: along, y: height }, ...besides];
  const [x, y] = axesAround(places, input.size, MARGIN) ?? [[], []];
  const unit = { norm: 1, varianceExplained: null, randomWalk: null, seed: null };
  const name = ({ id }: Model): string => (/^\d+$/.test(id) ? `snapshot ${id}` : id);
  return {
    at: first.id,
    origin,
    directions: [right, up],
    description: {
      kind: 'snapshots',
      directions: [
        { name: `${name(first)} to ${name(second)}`, ...unit },
        { name: `towards ${name(third)}, orthogonal to the first`, ...unit },
      ],
      varianceExplained: null,
      cosine: 0,
    },
    trajectory,
    corners: [...named, ...beside].map(({ id, vector }, k) => ({
      at: id,
      ...(places[k] ?? { x: 0, y: 0 }),
      vector,
    })),
    ...(paths.length === 0 ? {} : { paths }),
    leftOut,
    x,
    y,
    width: extent(x),
    notes: [],
  };
}
