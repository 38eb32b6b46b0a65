/** What a contour is worth, in sentences: how its plane lies, what its directions are, how well its losses are known. */
import { partsOfReference } from '../protocol/job.ts';
import type { ContourResult } from '../protocol/results.ts';
import type { Plane } from './plane.ts';
import { simplexVolume } from './simplexVolume.ts';
import { figures, percent, steps } from './trust.ts';

export function contourSentences(
  result: Pick<
    ContourResult,
    | 'plane'
    | 'trajectory'
    | 'paths'
    | 'standardError'
    | 'centre'
    | 'loss'
    | 'evaluated'
    | 'complete'
    | 'interpolation'
  >,
  plane: Pick<Plane, 'width' | 'leftOut' | 'notes'>,
): string[] {
  const sentences = [
    ...planeSentences(result, plane.width),
    ...orthogonalSentences(result.plane),
    ...plane.notes,
    ...interpolationSentences(result),
  ];
  if (plane.leftOut.length > 0) {
    sentences.push(`Left out, because their weights are NaN or infinite: ${steps(plane.leftOut)}.`);
  }
  if (result.standardError !== null) {
    const { standardError: own = null } = result.centre;
    const centre = own === null ? '' : `, that at the centre of ${figures(own, 2)}`;
    sentences.push(
      `Half of the loss values have a standard error of at most ${figures(result.standardError, 2)}${centre}.`,
    );
  }
  const missing = result.loss.flat().filter((value) => value === null).length;
  if (result.complete && missing > 0) {
    sentences.push(`${missing} of ${result.evaluated} points have a loss that is NaN or infinite.`);
  }
  return sentences;
}

/** What is to be known of the plane and of how the path lies to it. */
export function planeSentences(
  { plane, trajectory, paths = [] }: Pick<ContourResult, 'plane' | 'trajectory' | 'paths'>,
  width: number,
): string[] {
  const far = trajectory.reduce((a, b) => (b.distance > a.distance ? b : a), { step: -1, distance: 0 });
  const widths = far.distance / width;
  const farthest =
    far.step >= 0 && widths >= 0.01
      ? `snapshot ${far.step} lies ${figures(widths, 2)} plane-widths away`
      : 'every snapshot lies in it';
  const { kind, varianceExplained, directions, cosine } = plane;
  const path = trajectory.length > 1 ? [`Of the path, ${farthest}.`] : [];
  switch (kind) {
    case 'pca': {
      if (varianceExplained === null) return path;
      const walk = directions.reduce((s, d) => s + (d.randomWalk ?? 0), 0);
      return [
        `The plane holds ${percent(varianceExplained)} of the path's variance; ${farthest}.`,
        `A random walk with as many snapshots would show ${percent(walk)}, so only the difference tells of structure.`,
      ];
    }
    case 'random': {
      const how = /(\w+-normalised|not normalised)/.exec(directions[0]?.name ?? '')?.[0] ?? 'not normalised';
      return [
        `The directions are random and ${how}: another seed gives another picture (cosine of the pair ${figures(cosine, 2)}).`,
        ...(how === 'filter-normalised'
          ? []
          : ['Only filter-normalised directions can compare models whose weights differ in scale.']),
        ...(trajectory.length > 1
          ? [`The path runs almost wholly outside a random plane: ${farthest}.`]
          : []),
      ];
    }
    case 'snapshots': {
      if (trajectory.length === 0) return [];
      const all = plane.corners ?? [];
      const corners = all.filter(({ distance }) => distance === undefined);
      const beside = all.filter(({ distance }) => distance !== undefined);
      const through = corners.every(({ at }) => /^\d+$/.test(at))
        ? 'three snapshots'
        : corners.map(({ at }) => modelWords(at, paths)).join(', ');
      const area = simplexVolume(corners.map((a) => corners.map((b) => Math.hypot(a.x - b.x, a.y - b.y))));
      return [
        `The plane goes through ${through}; of the others, ${farthest}.`,
        ...(corners.length < 3 ? [] : [`The triangle between them has the area ${figures(area, 3)}.`]),
        ...beside.map(
          ({ at, distance }) =>
            `${capital(modelWords(at, paths))} lies beside the plane, ${figures(distance ?? NaN, 3)} away: the loss at its place in the picture is not its own.`,
        ),
        ...(all.some(({ at }) => at.includes(':'))
          ? ['Models of every run are evaluated on the samples and by the loss of this one.']
          : []),
      ];
    }
    case 'eigenvectors': {
      const values = directions.flatMap((d) => (d.eigenvalue === undefined ? [] : [d.eigenvalue]));
      const known = figures(Math.max(...values.map((v) => v.residual)), 2);
      return [
        `The directions are the Hessian's eigenvectors at the centre with λ ${values.map((v) => figures(v.value, 3)).join(' and ')}, each known to ${known}: elsewhere in the plane the sharpest directions are others.`,
        ...path,
      ];
    }
    case 'gradient':
      return [
        'The first direction is the gradient at the centre, the second is random: another seed gives another picture.',
        ...path,
      ];
    case 'directions':
      return path;
  }
}

/** A model by what people call its run. */
function modelWords(at: string, paths: NonNullable<ContourResult['paths']>): string {
  const { run, model } = partsOfReference(at);
  const words = /^\d+$/.test(model) ? `snapshot ${model}` : model;
  if (run === null) return words;
  return `${words} of ${paths.find((path) => path.run === run)?.name ?? run}`;
}

/** Only where a sentence of ours begins: ids of models stay as they are. */
const capital = (text: string): string => text.replace(/^snapshot /, 'Snapshot ');

function interpolationSentences({
  interpolation,
  evaluated,
  loss,
}: Pick<ContourResult, 'interpolation' | 'evaluated' | 'loss'>): string[] {
  if (interpolation === undefined) return [];
  const points = loss.length * (loss[0]?.length ?? 0);
  const { of, relativeError } = interpolation;
  if (relativeError === null) return [`All ${points} points were evaluated: refinement wanted each of them.`];
  const positive = loss.every((row) => row.every((value) => value === null || value > 0));
  const error = positive ? percent(relativeError) : figures(relativeError, 2);
  return [
    `${evaluated} of ${points} points were evaluated, more where isolines bend; the others are interpolated, from the ${of}, and expected to be off by about ${error}.`,
  ];
}

/** What an interrupted run has to do with it. @param resumed its points; null where they did not fit, undefined for none */
export function resumedSentences(
  resumed: number | null | undefined,
  what: 'contour' | 'map' = 'contour',
): string[] {
  if (resumed === undefined) return [];
  return [
    resumed === null
      ? `What an interrupted ${what} had left does not fit these weights any more, so every point was evaluated anew.`
      : `${resumed} points are those of an interrupted ${what} of the same question; what was evaluated again of them agreed.`,
  ];
}

/** What making the pair orthogonal has cost. */
export function orthogonalSentences({ orthogonalised, directions }: ContourResult['plane']): string[] {
  if (orthogonalised === undefined) return [];
  const { degrees, kept } = orthogonalised;
  const normalised = /normalised/.test(directions[1]?.name ?? '');
  // Eigenvectors and components are orthogonal but for rounding.
  if (degrees < 0.1 && !normalised) return [];
  const turned = `To be orthogonal to the first, the second direction was turned by ${figures(degrees, 2)}°`;
  if (!normalised) return [`${turned}.`];
  return [
    `${turned} and lost ${percent(1 - kept)} of its length after normalising: its filters no longer have the model's norms.`,
  ];
}
