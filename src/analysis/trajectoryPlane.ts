/**
 * The plane of a trajectory's two main components (Li et al. 2018, section 7). Every coordinate comes from one Gram matrix
 * of (snapshot − origin), for which the evaluator streams each snapshot once.
 */
import { BasinError } from '../protocol/errors.ts';
import type { Operand } from '../protocol/evaluator.ts';
import { axesAround, extent } from './axes.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import type { Model, Snapshot } from './model.ts';
import { principalComponents, randomWalkShares, turnsAround } from './pca.ts';
import { originNotFinite, pointOf, type Plane, type PlaneInput } from './plane.ts';
import type { Vectors } from './vectors.ts';

/** Room around the trajectory, as a share of its extent on each side. */
export const MARGIN = 0.25;

/** @throws BasinError `bad-input` when the snapshots span no plane, `non-finite` */
export async function principalPlane(
  evaluator: Evaluator,
  vectors: Vectors,
  input: PlaneInput,
  context: AnalysisContext,
): Promise<Plane> {
  if (input.snapshots.length < 3) throw tooFew(input.snapshots.length);
  const { snapshots, gram, leftOut } = await finiteGram(evaluator, input.snapshots, input.at, context);
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
  const [first = '', second = ''] = await buildOrthonormal(evaluator, vectors, files, components, context);
  const [u = [], v = []] = components;
  const trajectory = snapshots.map((s, i) => {
    const x = dot(gram[i] ?? [], u);
    const y = dot(gram[i] ?? [], v);
    return pointOf(s, x, y, (gram[i]?.[i] ?? 0) - x * x - y * y);
  });
  const [x, y] = axesAround(trajectory, input.size, MARGIN) ?? [[], []];
  return {
    at: input.at.id,
    origin,
    directions: [first, second],
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
    notes: [],
  };
}

/** Unit vectors of zero-sum combinations; what rounding left of the first in the second is taken out. */
export async function buildOrthonormal(
  evaluator: Evaluator,
  vectors: Vectors,
  files: readonly Operand[],
  components: readonly (readonly number[])[],
  context: AnalysisContext,
): Promise<string[]> {
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
  return built;
}

/** Gram matrix about `at` of the snapshots whose weights are finite. */
export async function finiteGram(
  evaluator: Evaluator,
  snapshots: readonly Snapshot[],
  at: Model,
  context: AnalysisContext,
): Promise<{ snapshots: Snapshot[]; gram: number[][]; leftOut: number[] }> {
  const { rows } = await evaluator.gram(
    { vectors: snapshots.map((s) => s.vector), origin: at.vector },
    context.signal,
  );
  const keep = snapshots.map((_, i) => Number.isFinite(rows[i]?.[i]));
  if (!keep.includes(true)) throw await originNotFinite(evaluator, at, snapshots, context);
  const pick = <T>(row: readonly T[]): T[] => row.filter((_, i) => keep[i]);
  return {
    snapshots: pick(snapshots),
    gram: pick(rows).map(pick),
    leftOut: snapshots.filter((_, i) => !keep[i]).map((s) => s.step),
  };
}

export function tooFew(count: number, leftOut: readonly number[] = []): BasinError {
  const why = leftOut.length === 0 ? '' : ` (${leftOut.length} more are NaN or infinite)`;
  return new BasinError(
    'bad-input',
    `The plane of the trajectory needs at least 3 snapshots; there are ${count}${why}.`,
    'Train longer or with a smaller --every, or ask for a random plane.',
  );
}

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((s, x, i) => s + x * (b[i] ?? 0), 0);
