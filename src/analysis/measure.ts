/** Scores of a model or an ensemble, each member with its own state, and what each sample of the split that judges comes to. */
import type { EvaluationMode } from '../protocol/evaluator.ts';
import type { Scores } from '../protocol/results.ts';
import { calibrationErrorOf } from './calibration.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { askMembers, judgedOn, scoreMembers, type MembersOptions } from './score.ts';

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
  options: MembersOptions,
  context: AnalysisContext,
): Promise<Measured> {
  const score = await scoreMembers(evaluator, members, options, context);
  const found = await evaluator.samples(
    { ...askMembers(members, options, judgedOn(score).split), inputGradient: false },
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
