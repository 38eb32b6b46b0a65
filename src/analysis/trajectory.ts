/** What a run's files tell of its path through weight space; nothing is evaluated. */
import { BasinError } from '../protocol/errors.ts';
import { decodeNumber, type StepRecord } from '../protocol/run.ts';
import type { TrajectoryResult } from '../protocol/trajectory.ts';
import { circling } from './circling.ts';
import type { AnalysisContext } from './evaluator.ts';
import { gramOfBlocks } from './gram.ts';
import { growth } from './growth.ts';
import type { Draft } from './model.ts';
import { sketchedPath, type RecordedNorms, type SketchSource } from './sketchedPath.ts';
import { snapshotPath } from './snapshotPath.ts';
import { circlingSentences } from './trustCircling.ts';
import { trajectorySentences } from './trustTrajectory.ts';

export interface TrajectoryInput {
  /** Steps of the snapshots that are looked at, ascending. */
  readonly snapshots: readonly number[];
  /** How many the run has. */
  readonly snapshotsThere: number;
  /** The same stretch of each of these snapshots' weights, stretch after stretch. */
  readonly blocks: AsyncIterable<readonly (Float32Array | Float64Array)[]>;
  readonly sketch: SketchSource | null;
  readonly steps: readonly StepRecord[];
  /** Number of parameters. */
  readonly parameters: number;
  /** Principal components that are told. */
  readonly components: number;
}

/**
 * @throws BasinError `bad-input` when neither snapshots nor sketch have three different finite points, `corrupt-run`,
 *   `cancelled`
 */
export async function trajectory(
  input: TrajectoryInput,
  context: AnalysisContext,
): Promise<Draft<TrajectoryResult>> {
  const { parameters, components, steps } = input;
  const norms = new Map(steps.map((record) => [record.step, normsOf(record)]));
  context.progress(0, 'the sketch');
  const sketch =
    input.sketch === null
      ? null
      : await sketchedPath(input.sketch, parameters, norms, components, context.signal);
  const few = input.snapshots.length < 3;
  const { gram, finite } = few
    ? { gram: [], finite: input.snapshots.map(() => true) }
    : await gramOfBlocks(input.blocks, input.snapshots.length, parameters, context);
  const kept = input.snapshots.filter((_, i) => finite[i]);
  const snapshots = snapshotPath(kept, gram, components);
  if (snapshots === null && sketch === null) throw noPath(input, kept.length);
  const body = {
    kind: 'trajectory' as const,
    data: null,
    parameters,
    snapshots,
    sketch,
    growth: growth(steps),
    circling: await circling(input.sketch, steps, context.signal),
    refreshedStatistics: false,
  };
  const leftOut = input.snapshots.filter((_, i) => !finite[i]);
  return {
    ...body,
    trust: [...trajectorySentences(body, { ...input, leftOut }), ...circlingSentences(body.circling)],
  };
}

function normsOf({ updateNorm, distance }: StepRecord): RecordedNorms {
  const finite = (x: StepRecord['distance']): number | null => {
    const value = x === null ? NaN : decodeNumber(x);
    return Number.isFinite(value) ? value : null;
  };
  return { update: finite(updateNorm), distance: finite(distance) };
}

function noPath(input: TrajectoryInput, finite: number): BasinError {
  if (finite >= 3) {
    return new BasinError(
      'bad-input',
      'All snapshots hold the same weights, so the path has no directions.',
      'Check that the learning rate is not 0 and that training changed the weights.',
    );
  }
  const broken = input.snapshots.length - finite;
  return new BasinError(
    'bad-input',
    `A path needs at least 3 points; the run has ${finite} ${finite === 1 ? 'snapshot' : 'snapshots'}` +
      `${broken === 0 ? '' : ` (${broken} more ${broken === 1 ? 'is' : 'are'} NaN or infinite)`}, and its sketch has fewer than 3 too.`,
    'Let it train for a few steps more.',
  );
}
