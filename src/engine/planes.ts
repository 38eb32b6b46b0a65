/** Planes as jobs name them: with their defaults, and with models in the place of references. */
import type { Direction, PlaneInput } from '../analysis/plane.ts';
import { BasinError } from '../protocol/errors.ts';
import type { ModelReference } from '../protocol/job.ts';
import {
  directionParts,
  directionsOf,
  MOST_NAMED,
  type DirectionName,
  type DirectionParts,
  type PlaneChoice,
  type PlaneOptions,
} from '../protocol/plane.ts';
import { definite } from './kind.ts';
import { namesOf, otherRuns, resolveModel, type RunContents } from './references.ts';

/** The options with defaults filled in and references made definite. @throws BasinError `bad-input`, `no-steps` */
export function completePlane(options: PlaneOptions, contents: RunContents): PlaneOptions {
  const { plane } = options;
  const pair = directionNames(plane);
  const random = pair?.map(partsOf).some(({ kind }) => kind === 'random') === true;
  const among = plane === 'pca' ? 'the plane of the trajectory' : 'a plane through three models';
  if (options.span !== undefined && pair === null) {
    throw new BasinError(
      'bad-input',
      `span has no meaning for ${among}: it is as wide as what it goes through.`,
      'Leave it out, or ask for a plane by directions, such as random.',
    );
  }
  if (options.seed !== undefined && !random) {
    throw new BasinError(
      'bad-input',
      'seed has no meaning for a plane without a random direction.',
      'Leave it out, or ask for a plane with one, such as random.',
    );
  }
  if (pair === null) {
    const given = (['normalise', 'includeBiases', 'orthogonalise'] as const).find(
      (name) => options[name] !== undefined,
    );
    if (given !== undefined) {
      throw new BasinError(
        'bad-input',
        `${given} has no meaning for ${among}: its directions are orthonormal.`,
        'Leave it out, or ask for a plane by directions, such as random.',
      );
    }
  }
  const chosen = definiteChoice(plane, contents);
  const { beside } = options;
  if (beside !== undefined && !throughModels(plane)) {
    throw new BasinError(
      'bad-input',
      'Models are compared beside a plane through three of them.',
      'Leave --beside out, or name the plane by three models, such as 0,last,RUN:last.',
    );
  }
  return {
    ...options,
    plane: chosen,
    ...(beside === undefined ? {} : { beside: beside.map((model) => definite(contents, model)) }),
    at: throughModels(chosen) ? chosen[0] : definite(contents, options.at ?? 'last'),
    ...(random ? { seed: options.seed ?? 1 } : {}),
    ...(plane === 'random' ? { span: options.span ?? 1, normalise: options.normalise ?? 'filter' } : {}),
  };
}

/** Every model that complete options name. */
export function modelsOfPlane({ plane, at, beside }: PlaneOptions): ModelReference[] {
  const between = (directionNames(plane) ?? [])
    .map(partsOf)
    .flatMap((p) => (p.kind === 'between' ? [p.from, p.to] : []));
  return [
    ...(throughModels(plane) ? plane : []),
    ...(beside ?? []),
    ...between,
    ...(at === undefined ? [] : [at]),
  ];
}

/** Complete options as the analyses of a plane take them. @throws BasinError `not-found`, `corrupt-run`, `bad-input` */
export async function planeInput(
  options: PlaneOptions,
  contents: RunContents,
): Promise<Omit<PlaneInput, 'size' | 'data' | 'mode'>> {
  const { plane, at, beside, seed, span, normalise, includeBiases, orthogonalise } = options;
  const others = throughModels(plane) ? await otherRuns(contents, [...plane, ...(beside ?? [])]) : [];
  const names = namesOf([contents, ...others]);
  return {
    snapshots: contents.snapshots,
    at: await resolveModel(contents, at ?? 'last'),
    plane: await withModels(plane, contents),
    ...(beside === undefined
      ? {}
      : { beside: await Promise.all(beside.map((model) => resolveModel(contents, model))) }),
    ...(others.length === 0
      ? {}
      : {
          others: others.map(({ run, snapshots }) => ({
            run: run.id,
            name: names.get(run.id) ?? run.id,
            snapshots,
          })),
        }),
    ...(seed === undefined ? {} : { seed }),
    ...(span === undefined ? {} : { span }),
    ...(normalise === undefined ? {} : { normalise }),
    ...(includeBiases === undefined ? {} : { includeBiases }),
    ...(orthogonalise === undefined ? {} : { orthogonalise }),
  };
}

async function withModels(plane: PlaneChoice, contents: RunContents): Promise<PlaneInput['plane']> {
  if (typeof plane === 'string') return plane;
  if (throughModels(plane)) {
    const [first, second, third] = plane;
    return [
      await resolveModel(contents, first),
      await resolveModel(contents, second),
      await resolveModel(contents, third),
    ];
  }
  const direction = async (name: DirectionName): Promise<Direction> => {
    const parts = partsOf(name);
    if (parts.kind !== 'between') return parts;
    return {
      kind: 'between',
      from: await resolveModel(contents, parts.from),
      to: await resolveModel(contents, parts.to),
    };
  };
  return [await direction(plane[0]), await direction(plane[1])];
}

function definiteChoice(plane: PlaneChoice, contents: RunContents): PlaneChoice {
  if (typeof plane === 'string') return plane;
  const at = (reference: ModelReference): ModelReference => definite(contents, reference);
  if (throughModels(plane)) return [at(plane[0]), at(plane[1]), at(plane[2])];
  const direction = (name: DirectionName): DirectionName => {
    const parts = partsOf(name);
    return parts.kind === 'between' ? `${at(parts.from)}..${at(parts.to)}` : name;
  };
  return [direction(plane[0]), direction(plane[1])];
}

function throughModels(plane: PlaneChoice): plane is Extract<PlaneChoice, { length: 3 }> {
  return typeof plane !== 'string' && plane.length === 3;
}

/** null for planes that no pair of directions spans. */
function directionNames(plane: PlaneChoice): readonly DirectionName[] | null {
  if (typeof plane === 'string') return directionsOf(plane);
  return plane.length === 2 ? plane : null;
}

function partsOf(name: DirectionName): DirectionParts<string> {
  const parts = directionParts(name);
  if (parts !== null) return parts;
  throw new BasinError(
    'bad-input',
    `There is no direction ${name}.`,
    `Name random, gradient, pca1 to pca${MOST_NAMED}, eigenvector1 to eigenvector${MOST_NAMED}, or two models as A..B.`,
  );
}
