/** Planes and directions in weight space by name, as jobs, result files and the command line have them. */
import type { Normalisation } from './evaluator.ts';
import type { ModelReference } from './job.ts';

/**
 * pca: the trajectory's two main components. random: two Gaussian directions. eigenvectors: the Hessian's two of largest
 * eigenvalue. gradient: the gradient beside a random direction.
 */
export type PlaneName = 'pca' | 'random' | 'eigenvectors' | 'gradient';
export const planeNames: readonly PlaneName[] = ['pca', 'random', 'eigenvectors', 'gradient'];

/** pca1: the trajectory's first principal component; eigenvector1: of the Hessian's largest eigenvalue; A..B from model A to model B. */
export type DirectionName =
  'random' | 'gradient' | `pca${number}` | `eigenvector${number}` | `${string}..${string}`;

/** By name, by its two directions, or through three models of which the first is the origin. */
export type PlaneChoice =
  | PlaneName
  | readonly [DirectionName, DirectionName]
  | readonly [ModelReference, ModelReference, ModelReference];

/** What every job takes that looks at a plane. */
export interface PlaneOptions {
  readonly plane: PlaneChoice;
  /**
   * Further models to compare, of a plane through three: they lie beside it, so their places on it are projections. Of
   * every other run that is named here or spans the plane, the path is projected too.
   */
  readonly beside?: readonly ModelReference[];
  /** Origin of the plane; the first of three models where it goes through these. */
  readonly at?: ModelReference;
  /** Of random directions; default 1. */
  readonly seed?: number;
  /** Half-width of a plane by directions, in units of these. */
  readonly span?: number;
  /** Of random directions filter by default; of the gradient and eigenvectors none. */
  readonly normalise?: Normalisation;
  /** Biases and norm parameters take part in random and in normalised directions; default false. */
  readonly includeBiases?: boolean;
  /** Second direction orthogonal to the first, after normalising; by default unless both are random. */
  readonly orthogonalise?: boolean;
}

/** What a direction's name says. */
export type DirectionParts<M> =
  | { readonly kind: 'random' }
  | { readonly kind: 'gradient' }
  /** From 1. */
  | { readonly kind: 'component' | 'eigenvector'; readonly index: number }
  | { readonly kind: 'between'; readonly from: M; readonly to: M };

/** How many principal components or eigenvectors can be named. */
export const MOST_NAMED = 20;

/** null for what is no direction's name. */
export function directionParts(name: string): DirectionParts<string> | null {
  if (name === 'random' || name === 'gradient') return { kind: name };
  const [, from, to] = /^([^,\s]+?)\.\.([^,\s]+)$/.exec(name) ?? [];
  if (from !== undefined && to !== undefined) return { kind: 'between', from, to };
  const [, family, digits] = /^(pca|eigenvector)(\d+)$/.exec(name) ?? [];
  const index = Number(digits);
  if (family === undefined || index < 1 || index > MOST_NAMED) return null;
  return { kind: family === 'pca' ? 'component' : 'eigenvector', index };
}

export function isDirectionName(name: string): name is DirectionName {
  return directionParts(name) !== null;
}

/** The two directions that a plane's name stands for; null for pca, whose plane is fitted to the path. */
export function directionsOf(plane: PlaneName): readonly [DirectionName, DirectionName] | null {
  switch (plane) {
    case 'pca':
      return null;
    case 'random':
      return ['random', 'random'];
    case 'eigenvectors':
      return ['eigenvector1', 'eigenvector2'];
    case 'gradient':
      return ['gradient', 'random'];
  }
}
