/** A model's scores with its own state, and what each sample of the split that judges comes to. */
import type { EvaluationMode } from '../protocol/evaluator.ts';
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
  readonly correct: readonly (0 | 1)[] | null;
}

/** @param vector a named one */
export async function measureModel(
  evaluator: Evaluator,
  vector: string,
  mode: EvaluationMode,
  context: AnalysisContext,
): Promise<Measured> {
  const score = await scoreMembers(evaluator, [vector], { mode }, context);
  const how = { data: { split: judgedOn(score).split }, mode, refresh: false };
  const found = await evaluator.samples({ members: [vector], how, inputGradient: false }, context.signal);
  const { loss, confidence, correct } = found;
  return {
    score,
    losses: loss,
    correct,
    calibrationError:
      confidence === null || correct === null ? null : calibrationErrorOf(confidence, correct),
  };
}
