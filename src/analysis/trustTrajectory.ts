/** Sentences on what a path's few directions say, beside what a random walk would show. */
import {
  finerPath,
  type Growth,
  type Path,
  type SketchedPath,
  type TrajectoryResult,
} from '../protocol/trajectory.ts';
import { figures, percent, steps } from './trust.ts';

/** Up to here the shares of a random walk itself are larger than in very many dimensions. */
const FEW_PARAMETERS = 100;

export function trajectorySentences(
  result: Pick<TrajectoryResult, 'snapshots' | 'sketch' | 'growth' | 'parameters'>,
  input: { readonly snapshotsThere: number; readonly leftOut: readonly number[] },
): string[] {
  const { snapshots, sketch, growth, parameters } = result;
  const sentences: string[] = [];
  if (snapshots !== null) {
    sentences.push(planeSentence('The plane', snapshots, 'snapshot'));
    if (snapshots.measured < input.snapshotsThere - input.leftOut.length) {
      sentences.push(
        `It is the plane of ${snapshots.measured} of ${input.snapshotsThere} snapshots, spread evenly.`,
      );
    }
  }
  if (sketch !== null) {
    sentences.push(
      planeSentence(`Over ${sketch.measured} recorded steps (in the sketch) the plane`, sketch, 'step'),
    );
  }
  if (growth !== null) sentences.push(...growthSentences(growth));
  const finer = finerPath(snapshots, sketch);
  if (finer !== null && finer.turning !== null) {
    sentences.push(turningSentence(finer.turning, finer === sketch ? sketch : null));
  }
  sentences.push(
    sketch === null
      ? 'Nothing is said of single steps: the run has no sketch of at least three different points.'
      : sketchSentence(sketch, parameters),
  );
  if (parameters < FEW_PARAMETERS) {
    sentences.push(
      `The random walk is one in very many dimensions; with ${parameters} parameters it would itself show more.`,
    );
  }
  if (input.leftOut.length > 0) {
    sentences.push(`Left out, because their weights are NaN or infinite: ${steps(input.leftOut)}.`);
  }
  return sentences;
}

function planeSentence(subject: string, { plane, measured }: Path, what: 'snapshot' | 'step'): string {
  const widths = plane.farthest.distance / plane.width;
  const where =
    widths >= 0.001
      ? `${what} ${plane.farthest.step} lies ${figures(widths, 2)} plane-widths away`
      : `every ${what} lies in it`;
  return (
    `${subject} holds ${percent(plane.share)} of the path's variance ` +
    `(a random walk of as many ${what}s: ${percent(plane.randomWalk)}${measured < 10 ? ', from few points' : ''}); ${where}.`
  );
}

function growthSentences({ step, distance, measured, randomWalk, straightLine, exponent }: Growth): string[] {
  const sentence =
    `After ${step} ${step === 1 ? 'update' : 'updates'} the weights are ${figures(distance, 3)} from the start; a random walk with updates as long ` +
    `would be ${figures(randomWalk, 3)} away, a straight line ${figures(straightLine, 3)}` +
    `${measured < step ? ` (${measured} updates were measured)` : ''}.`;
  if (exponent === null) return [sentence];
  return [
    sentence,
    `The distance grows as the step to the power ${figures(exponent, 2)} (with steps of one length 0.5: a random walk, 1: a straight line).`,
  ];
}

function turningSentence(turning: number, sketch: SketchedPath | null): string {
  const ways =
    sketch === null
      ? 'From snapshot to snapshot'
      : sketch.every === 1
        ? 'From update to update'
        : `Between points about ${sketch.every} steps apart`;
  return `${ways} the path turns by ${figures(turning, 3)}° (median; 90°: no memory of its direction, more: back and forth).`;
}

function sketchSentence({ dimension, error, measuredError }: SketchedPath, parameters: number): string {
  if (dimension >= parameters) return `The sketch holds all ${parameters} weights: nothing is lost in it.`;
  const measured =
    measuredError === null
      ? ''
      : `, and are ${percent(measuredError)} off the recorded ones (root mean square)`;
  return `The sketch samples ${dimension} of ${parameters} weights: its distances have a standard error of ${percent(error)}${measured}.`;
}
