/** A point of a plane as a model: origin + x·first direction + y·second direction, saved and scored. */
import { BasinError } from '../protocol/errors.ts';
import { lengthOn, nearestSnapshot, type PointResult } from '../protocol/points.ts';
import { buildPlane } from './buildPlane.ts';
import { sameNorms } from './contourPoints.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import type { Draft } from './model.ts';
import type { PlaneInput } from './plane.ts';
import { requireReplay } from './replay.ts';
import { measureMembers } from './measure.ts';
import { judgedOn } from './score.ts';
import { dataSentence, figures, replaySentence } from './trust.ts';
import { comparisonSentences } from './trustComparison.ts';
import { withVectors } from './vectors.ts';

export interface PointInput extends Omit<PlaneInput, 'size'> {
  readonly x: number;
  readonly y: number;
  /** Of the directions, as a picture of the plane had them. */
  readonly norms?: readonly number[];
  /** Id of the model that is built, and the safetensors file that the evaluator writes it to. */
  readonly model: { readonly id: string; readonly file: string; readonly metadata: Record<string, string> };
}

/** A plane is the same whatever the points along its axes. */
const SIZE = 5;

/**
 * State that moves with training (batch-norm statistics) is computed anew at the point; other state is the origin's.
 * @throws BasinError `bad-input` where the plane is no longer the one whose norms were given, `non-finite` for a point
 *   whose weights are, `no-steps` without snapshots, what {@link buildPlane} throws, `not-replayable`, `cancelled`
 */
export async function planePoint(
  evaluator: Evaluator,
  input: PointInput,
  context: AnalysisContext,
): Promise<Draft<PointResult>> {
  const { x, y, model, mode } = input;
  const { signal } = context;
  const last = input.snapshots.at(-1);
  if (last === undefined)
    throw new BasinError('no-steps', 'The run has no snapshots.', 'Let it train for a step first.');
  requireReplay(evaluator.description);
  const refreshed = evaluator.description.hasStatistics;
  return withVectors(evaluator, async (vectors) => {
    context.progress(0, 'finding the plane');
    const plane = await buildPlane(evaluator, vectors, { ...input, size: SIZE }, context);
    if (input.norms !== undefined && !sameNorms(input.norms, plane)) {
      throw new BasinError(
        'bad-input',
        'The plane is no longer the one of that picture: the run has more snapshots by now.',
        'Compute the picture again, and choose the point there.',
      );
    }
    const { origin, directions } = plane;
    const into = vectors.name('point');
    const terms = [
      { coefficient: 1, vector: origin },
      { coefficient: x, vector: directions[0] },
      { coefficient: y, vector: directions[1] },
    ];
    const { norm } = await evaluator.combine({ into, terms, state: origin }, signal);
    await vectors.release([...directions]);
    if (!Number.isFinite(norm)) {
      throw new BasinError(
        'non-finite',
        `The weights at (${figures(x, 3)}, ${figures(y, 3)}) are NaN or infinite.`,
        'Choose a point nearer to the origin of the plane.',
      );
    }
    if (refreshed) {
      context.progress(0.3, 'batch-norm statistics');
      await evaluator.refreshStatistics({ vector: into, data: { split: 'train' } }, signal);
    }
    context.progress(0.5, 'scoring the point');
    const own = await measureMembers(evaluator, [into], input, context);
    const { score } = own;
    context.progress(0.7, 'scoring the last snapshot');
    const lastVector = await vectors.load(last.vector, 'last', signal);
    const before = await measureMembers(evaluator, [lastVector], input, context);
    const baseline = { ...before.score, step: last.step };
    context.progress(0.9, 'saving');
    await evaluator.save({ vector: into, file: model.file, metadata: model.metadata }, signal);
    const data = judgedOn(score);
    const distance = lengthOn(plane.description, x, y);
    const nearest = nearestSnapshot(plane.description, plane.trajectory, [x, y]);
    const [first, second] = plane.description.directions;
    return {
      kind: 'point',
      model: model.id,
      at: plane.at,
      x,
      y,
      axes: [first?.name ?? 'x', second?.name ?? 'y'],
      distance,
      nearest,
      data,
      score,
      baseline,
      refreshedStatistics: refreshed,
      trust: [
        ...comparisonSentences('The point', own, before, last.step),
        nearestSentence(nearest, distance, plane.at),
        dataSentence(data, mode, false),
        ...(refreshed
          ? ['Batch-norm statistics of the point were computed anew on the training samples.']
          : []),
        ...replaySentence(evaluator.description),
      ],
    };
  });
}

function nearestSentence(nearest: PointResult['nearest'], distance: number, origin: string): string {
  const from = `It lies ${figures(distance, 3)} from the origin of the plane (${origin}) in weight space`;
  return nearest === null
    ? `${from}.`
    : `${from}; the nearest snapshot, ${nearest.step}, lies ${figures(nearest.distance, 3)} away.`;
}
