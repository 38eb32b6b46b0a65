/** Scores of a model or an ensemble, each member with its own state, and what each sample of the split that judges comes to. */
import type { Combination, EvaluationMode } from '../protocol/evaluator.ts';
import type { Scores } from '../protocol/results.ts';
import { calibrationErrorOf } from './calibration.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { judgedOn, scoreMembers } from './score.ts';

export interface Measured {
  readonly score: Scores;
  /** Over 15 bins of equal width, on the judged samples; null without classes. */
  readonly calibrationError: number | null;
  /** Weight penalties left out; null where the losses of single samples are not known. */
  readonly losses: readonly number[] | null;
  readonly confidence: readonly number[] | null;
  readonly correct: readonly (0 | 1)[] | null;
}

/** @param vector a named one */
export function measureModel(
  evaluator: Evaluator,
  vector: string,
  mode: EvaluationMode,
  context: AnalysisContext,
): Promise<Measured> {
  return measureMembers(evaluator, [vector], { mode }, context);
}

/** One model, or the ensemble of several. @param members named vectors. @param options as `scoreMembers` has them */
export async function measureMembers(
  evaluator: Evaluator,
  members: readonly string[],
  options: {
    readonly mode: EvaluationMode;
    readonly samples?: number;
    readonly combine?: Combination | undefined;
  },
  context: AnalysisContext,
): Promise<Measured> {
  const { mode, samples, combine } = options;
  const score = await scoreMembers(evaluator, members, options, context);
  const data = { split: judgedOn(score).split, ...(samples === undefined ? {} : { samples }) };
  const found = await evaluator.samples(
    {
      members,
      how: { data, mode, refresh: false },
      inputGradient: false,
      ...(combine === undefined || members.length < 2 ? {} : { combine }),
    },
    context.signal,
  );
  const { loss, confidence, correct } = found;
  return {
    score,
    losses: loss,
    confidence,
    correct,
    calibrationError:
      confidence === null || correct === null ? null : calibrationErrorOf(confidence, correct),
  };
}
