/**
 * Planes in weight space: an origin, two directions, where the trajectory lies relative to them, and the axes of
 * the grid that is drawn.
 *
 * Every coordinate comes from one Gram matrix of (operand − origin), for which the evaluator streams each snapshot
 * once. The point nearest to θ on the plane solves the 2 × 2 normal equations, so directions need not be orthogonal.
 */
import { BasinError } from '../protocol/errors.ts';
import type { Operand } from '../protocol/evaluator.ts';
import type { ContourResult, PlaneCorner, TrajectoryPoint } from '../protocol/results.ts';
import { randomPair } from './directions.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import type { Model, Snapshot } from './model.ts';
import { principalComponents, randomWalkShares, turnsAround } from './pca.ts';
import type { Vectors } from './vectors.ts';

export interface PlaneInput {
  /** The trajectory, by step; drawn over every plane, and the source of the pca plane. */
  readonly snapshots: readonly Snapshot[];
  /** Origin of the plane; a plane through three models has the first of them as its origin instead. */
  readonly at: Model;
  /** Two principal components of the trajectory, a filter-normalised random pair, or three models: steps of snapshots, or others. */
  readonly plane: 'pca' | 'random' | readonly [number | Model, number | Model, number | Model];
  /** Points along each axis, odd, 5 to 401. */
  readonly size: number;
  /** Seed of a random plane; default 1. */
  readonly seed?: number;
  /** Half-width of a random plane in units of its directions; default 1. */
  readonly span?: number;
}

export interface Plane {
  /** What the origin is called in the result. */
  readonly at: string;
  /** Named vectors. Coordinates (x, y) are origin + x·directions[0] + y·directions[1]. */
  readonly origin: string;
  readonly directions: readonly [string, string];
  readonly description: ContourResult['plane'];
  readonly trajectory: readonly TrajectoryPoint[];
  /** Where the models lie that the plane goes through; empty for other planes. */
  readonly corners: readonly (Pick<PlaneCorner, 'at' | 'x' | 'y'> & { readonly vector: Operand })[];
  /** Steps whose weights are NaN or infinite; they are not in the trajectory. */
  readonly leftOut: readonly number[];
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** Extent of the x axis in weight space, the unit in which distances from the plane are told. */
  readonly width: number;
}

/** Room around the trajectory, as a share of its extent on each side. */
const MARGIN = 0.25;
/** A plane through three models is looked at for what lies between and around three points. */
const TRIANGLE_MARGIN = 0.4;
/** The shorter axis shows at least this share of the longer one's extent, so that a straight path gets a picture. */
const SHORTEST_AXIS = 0.25;

/**
 * @throws BasinError `bad-input` when the snapshots span no such plane, `not-found` for a step without a snapshot,
 *   `non-finite` when the origin's weights are NaN or infinite
 */
export async function buildPlane(
  evaluator: Evaluator,
  vectors: Vectors,
  input: PlaneInput,
  context: AnalysisContext,
): Promise<Plane> {
  if (input.plane === 'pca') return principalPlane(evaluator, vectors, input, context);
  if (input.plane === 'random') return randomPlane(evaluator, vectors, input, context);
  return cornerPlane(evaluator, vectors, input, input.plane, context);
}

async function principalPlane(
  evaluator: Evaluator,
  vectors: Vectors,
  input: PlaneInput,
  context: AnalysisContext,
): Promise<Plane> {
  if (input.snapshots.length < 3) throw tooFew(input.snapshots.length);
  const { points, gram, leftOut } = await finiteGram(
    evaluator,
    input.snapshots.map((snapshot) => ({ id: String(snapshot.step), vector: snapshot.vector, snapshot })),
    input.at,
    input.snapshots,
    context,
  );
  const snapshots = points.map(({ snapshot }) => snapshot);
  if (snapshots.length < 3) throw tooFew(snapshots.length, leftOut);
  const { coefficients, shares } = principalComponents(gram, 2);
  const [a, b] = coefficients;
  if (a === undefined) {
    throw new BasinError(
      'bad-input',
      'All snapshots hold the same weights, so the trajectory has no directions.',
      'Check that the learning rate is not 0 and that training changed the weights.',
    );
  }
  if (b === undefined) {
    throw new BasinError(
      'bad-input',
      'The snapshots lie on one straight line, so they span no plane.',
      'Ask for the line from the first to the last snapshot, or for a random plane.',
    );
  }
  const walk = randomWalkShares(
    snapshots.map((s) => s.step),
    2,
  );
  const files = snapshots.map((s) => s.vector);
  const components = [a, b].map((c, k) => {
    const along = gram.map((row) => dot(row, c));
    return turnsAround(along, k) ? c.map((x) => -x) : c;
  });
  const origin = await vectors.load(input.at.vector, 'origin', context.signal);
  const directions = await buildOrthonormal(evaluator, vectors, files, components, context);
  const [u = [], v = []] = components;
  const trajectory = snapshots.map((s, i) => {
    const x = dot(gram[i] ?? [], u);
    const y = dot(gram[i] ?? [], v);
    return point(s, x, y, (gram[i]?.[i] ?? 0) - x * x - y * y);
  });
  const [x, y] = axes(trajectory, input.size, MARGIN);
  return {
    at: input.at.id,
    origin,
    directions,
    description: {
      kind: 'pca',
      directions: [0, 1].map((k) => ({
        name: `principal component ${k + 1}`,
        norm: 1,
        varianceExplained: shares[k] ?? null,
        randomWalk: walk[k] ?? null,
        seed: null,
      })),
      varianceExplained: (shares[0] ?? 0) + (shares[1] ?? 0),
      cosine: 0,
    },
    trajectory,
    corners: [],
    leftOut,
    x,
    y,
    width: extent(x),
  };
}

async function cornerPlane(
  evaluator: Evaluator,
  vectors: Vectors,
  input: PlaneInput,
  through: readonly [number | Model, number | Model, number | Model],
  context: AnalysisContext,
): Promise<Plane> {
  const corners = through.map((one): Model => {
    if (typeof one !== 'number') return one;
    const { step, vector } = findSnapshot(input.snapshots, one);
    return { id: String(step), vector };
  });
  const [at, second, third] = corners;
  if (
    at === undefined ||
    second === undefined ||
    third === undefined ||
    new Set(corners.map(({ id }) => id)).size < 3
  ) {
    throw new BasinError(
      'bad-input',
      'A plane through models needs three different ones.',
      'Name three steps, such as 0,300,600, or built models.',
    );
  }
  // One Gram matrix of all: what was built takes part beside the snapshots.
  const steps = new Set(input.snapshots.map(({ step }) => String(step)));
  const built = corners.filter(({ id }) => !steps.has(id));
  const { points, gram, leftOut } = await finiteGram(
    evaluator,
    [
      ...input.snapshots.map((snapshot) => ({
        id: String(snapshot.step),
        vector: snapshot.vector,
        snapshot,
      })),
      ...built.map(({ id, vector }) => ({ id, vector, snapshot: null })),
    ],
    at,
    input.snapshots,
    context,
  );
  const index = corners.map(({ id }) => points.findIndex((p) => p.id === id));
  const broken = corners.find((_, k) => (index[k] ?? -1) < 0);
  if (broken !== undefined)
    throw nonFinite(
      steps.has(broken.id) ? `Snapshot ${broken.id}` : `Model ${broken.id}`,
      'Choose a step before the loss diverged.',
    );
  const [, p = 0, q = 0] = index;
  const product = (i: number, j: number): number => gram[i]?.[j] ?? 0;
  const along = product(p, q) / Math.sqrt(product(p, p));
  const height = Math.sqrt(Math.max(0, product(q, q) - along * along));
  const length = Math.sqrt(product(p, p));
  if (!(length > 0) || !(height > 1e-5 * Math.sqrt(product(q, q)))) {
    throw new BasinError(
      'bad-input',
      `${namesOf(corners, steps)} lie on one straight line, so they span no plane.`,
      `Choose another third ${steps.has(third.id) ? 'snapshot' : 'model'}, or ask for the line between two of them.`,
    );
  }
  // Gram–Schmidt on (second − first, third − first), written as sums over the three of them.
  const components = [
    [-1 / length, 1 / length, 0],
    [(along / length - 1) / height, -along / length / height, 1 / height],
  ];
  const origin = await vectors.load(at.vector, 'origin', context.signal);
  const files = corners.map((c) => c.vector);
  const directions = await buildOrthonormal(evaluator, vectors, files, components, context);
  const located = points.map(({ id, vector, snapshot }, i) => {
    const x = product(i, p) / length;
    const y = (product(i, q) - along * x) / height;
    return { at: id, vector, x, y, snapshot, square: product(i, i) - x * x - y * y };
  });
  const placed = index.flatMap((i) => located[i] ?? []);
  const [x, y] = axes(placed, input.size, TRIANGLE_MARGIN);
  const unit = { norm: 1, varianceExplained: null, randomWalk: null, seed: null };
  const name = (model: Model): string => (steps.has(model.id) ? `snapshot ${model.id}` : model.id);
  return {
    at: at.id,
    origin,
    directions,
    description: {
      kind: 'snapshots',
      directions: [
        { name: `${name(at)} to ${name(second)}`, ...unit },
        { name: `towards ${name(third)}, orthogonal to the first`, ...unit },
      ],
      varianceExplained: null,
      cosine: 0,
    },
    trajectory: located.flatMap(({ snapshot, x: along1, y: along2, square }) =>
      snapshot === null ? [] : [point(snapshot, along1, along2, square)],
    ),
    corners: placed.map(({ at: id, x: along1, y: along2, vector }) => ({
      at: id,
      x: along1,
      y: along2,
      vector,
    })),
    leftOut,
    x,
    y,
    width: extent(x),
  };
}

/** "Snapshots 0, 10, 20", or "Models 0, 10, average-1" where one of them was built. */
function namesOf(corners: readonly Model[], steps: ReadonlySet<string>): string {
  const all = corners.every(({ id }) => steps.has(id));
  return `${all ? 'Snapshots' : 'Models'} ${corners.map(({ id }) => id).join(', ')}`;
}

async function randomPlane(
  evaluator: Evaluator,
  vectors: Vectors,
  input: PlaneInput,
  context: AnalysisContext,
): Promise<Plane> {
  const span = input.span ?? 1;
  if (!(span > 0 && Number.isFinite(span))) {
    throw new BasinError('bad-input', `A plane cannot be ${span} wide.`, 'Give a span above 0, such as 1.');
  }
  const origin = await vectors.load(input.at.vector, 'origin', context.signal);
  const { values } = await evaluator.dots({ pairs: [[origin, origin]] }, context.signal);
  if (!Number.isFinite(values[0])) throw await originNotFinite(evaluator, input.at, input.snapshots, context);
  const pair = await randomPair(
    evaluator,
    vectors,
    { like: origin, seed: input.seed ?? 1, normalisation: 'filter' },
    context,
  );
  const [first, second] = pair.directions;
  const { trajectory, leftOut } = await project(
    evaluator,
    vectors,
    { origin, directions: [first.vector, second.vector], snapshots: input.snapshots },
    context,
  );
  const x = axis(-span, span, input.size);
  return {
    at: input.at.id,
    origin,
    directions: [first.vector, second.vector],
    description: {
      kind: 'random',
      directions: [first, second].map((d, k) => ({
        name: `random direction ${k + 1}, filter-normalised${pair.included ? ', biases included' : ''}`,
        norm: d.norm,
        varianceExplained: null,
        randomWalk: null,
        seed: d.seed,
      })),
      varianceExplained: null,
      cosine: pair.cosine,
    },
    trajectory,
    corners: [],
    leftOut,
    x,
    y: x,
    width: extent(x) * first.norm,
  };
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
    trajectory.push(point(s, x, y, square - x * u - y * v));
  });
  return { trajectory, leftOut };
}

/** Unit vectors of zero-sum combinations; what rounding left of the first in the second is taken out. */
async function buildOrthonormal(
  evaluator: Evaluator,
  vectors: Vectors,
  files: readonly Operand[],
  components: readonly (readonly number[])[],
  context: AnalysisContext,
): Promise<[string, string]> {
  const built: string[] = [];
  for (const coefficients of components) {
    const into = vectors.name('direction');
    const terms = files.map((vector, i) => ({ coefficient: coefficients[i] ?? 0, vector }));
    await evaluator.combine({ into, terms, state: null }, context.signal);
    const { norm } = await evaluator.orthogonalise({ vector: into, against: built }, context.signal);
    await evaluator.combine(
      { into, terms: [{ coefficient: 1 / norm, vector: into }], state: null },
      context.signal,
    );
    built.push(into);
  }
  return built as [string, string];
}

/** Gram matrix about `at` of the points whose weights are finite. @param snapshots named in an error's cure */
async function finiteGram<P extends { readonly id: string; readonly vector: Operand }>(
  evaluator: Evaluator,
  all: readonly P[],
  at: Model,
  snapshots: readonly Snapshot[],
  context: AnalysisContext,
): Promise<{ points: P[]; gram: number[][]; leftOut: number[] }> {
  const { rows } = await evaluator.gram(
    { vectors: all.map((s) => s.vector), origin: at.vector },
    context.signal,
  );
  const keep = all.map((_, i) => Number.isFinite(rows[i]?.[i]));
  if (!keep.includes(true)) throw await originNotFinite(evaluator, at, snapshots, context);
  const pick = <T>(row: readonly T[]): T[] => row.filter((_, i) => keep[i]);
  return {
    points: pick(all),
    gram: pick(rows).map(pick),
    leftOut: all.filter((_, i) => !keep[i]).map((s) => Number(s.id)),
  };
}

async function originNotFinite(
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

/** The grid's axes around all points and the origin, of `size` values each, with 0 as one of them. */
function axes(
  points: readonly { readonly x: number; readonly y: number }[],
  size: number,
  margin: number,
): [number[], number[]] {
  const range = (values: number[]): [number, number] => [Math.min(0, ...values), Math.max(0, ...values)];
  const x = range(points.map((p) => p.x));
  const y = range(points.map((p) => p.y));
  const longer = Math.max(x[1] - x[0], y[1] - y[0]);
  const [horizontal, vertical] = [x, y].map(([min, max]) => {
    const length = Math.max(max - min, SHORTEST_AXIS * longer);
    const centre = (min + max) / 2;
    const half = length / 2 + margin * length;
    return axis(centre - half, centre + half, size);
  });
  return [horizontal ?? [], vertical ?? []];
}

/** `size` equally spaced values that cover min..max (min < 0 < max) and have 0 among them. */
export function axis(min: number, max: number, size: number): number[] {
  let step = (max - min) / (size - 1);
  let zero = Math.round(-min / step);
  if (Math.abs(-min / step - zero) > 1e-9 * size) {
    // One interval is given up to slide the lattice onto 0.
    step = (max - min) / (size - 2);
    // Rounding must not decide it: the same path from another framework gets the same lattice.
    zero = Math.ceil(-min / step - 1e-6);
  }
  return Array.from({ length: size }, (_, i) => (i - zero) * step);
}

function point(s: Snapshot, x: number, y: number, squaredDistance: number): TrajectoryPoint {
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

function tooFew(count: number, leftOut: readonly number[] = []): BasinError {
  const why = leftOut.length === 0 ? '' : ` (${leftOut.length} more are NaN or infinite)`;
  return new BasinError(
    'bad-input',
    `The plane of the trajectory needs at least 3 snapshots; there are ${count}${why}.`,
    'Train longer or with a smaller --every, or ask for a random plane.',
  );
}

function nonFinite(what: string, cure: string): BasinError {
  return new BasinError('non-finite', `${what} has weights that are NaN or infinite.`, cure);
}

const finite = (x: number | null): number | null => (x !== null && Number.isFinite(x) ? x : null);
const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((s, x, i) => s + x * (b[i] ?? 0), 0);
const extent = (axis: readonly number[]): number => (axis.at(-1) ?? 0) - (axis[0] ?? 0);
