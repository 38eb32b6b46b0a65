/** Loss and accuracy of one model on the train and validation samples. */
import type { Combination, EvaluationMode, ScoreValue } from '../protocol/evaluator.ts';
import type { Score, ScoreResult, Scores } from '../protocol/results.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { finite } from './finite.ts';
import type { Draft } from './model.ts';
import { loadPredictor, predictorSentences, type Predictor } from './predictor.ts';
import { requireReplay } from './replay.ts';
import { dataSentence, replaySentence, scoreSentences } from './trust.ts';
import { withVectors } from './vectors.ts';

export interface ScoreInput {
  readonly at: Predictor;
  readonly mode: EvaluationMode;
  /** At most this many samples of each split; all when absent. */
  readonly samples?: number;
}

/**
 * Scores a model, or a built ensemble, with the batch-norm statistics it carries.
 * @throws BasinError `not-replayable`, `cancelled`
 */
export async function score(
  evaluator: Evaluator,
  input: ScoreInput,
  context: AnalysisContext,
): Promise<Draft<ScoreResult>> {
  requireReplay(evaluator.description);
  return withVectors(evaluator, async (vectors) => {
    context.progress(0, 'scoring');
    const { members, combine } = await loadPredictor(vectors, input.at, context.signal);
    const scores = await scoreMembers(evaluator, members, { ...input, combine }, context);
    const data = judgedOn(scores);
    return {
      kind: 'score',
      at: input.at.id,
      data,
      score: scores,
      refreshedStatistics: false,
      trust: [
        ...scoreSentences(scores),
        ...predictorSentences(input.at),
        dataSentence(data, input.mode, false),
        ...replaySentence(evaluator.description),
      ],
    };
  });
}

/** How a model, or the ensemble of several, is asked. */
export interface MembersOptions {
  readonly mode: EvaluationMode;
  /** At most this many samples of each split; all when absent. */
  readonly samples?: number;
  readonly combine?: Combination | undefined;
}

/** What the evaluator is asked of them on one split. One model alone has nothing to combine. */
export function askMembers(
  members: readonly string[],
  { mode, samples, combine }: MembersOptions,
  split: 'train' | 'validation',
) {
  const data = { split, ...(samples === undefined ? {} : { samples }) };
  return {
    members,
    how: { data, mode, refresh: false },
    ...(combine === undefined || members.length < 2 ? {} : { combine }),
  };
}

/**
 * Scores of one model, or of the ensemble of several, on both splits; state is each member's own. `combine` as the
 * evaluator has it.
 * @param members named vectors
 */
export async function scoreMembers(
  evaluator: Evaluator,
  members: readonly string[],
  options: MembersOptions,
  context: AnalysisContext,
): Promise<Scores> {
  const on = async (split: 'train' | 'validation'): Promise<Score> =>
    toScore(await evaluator.score(askMembers(members, options, split), context.signal));
  return {
    train: await on('train'),
    validation: evaluator.description.validation === null ? null : await on('validation'),
  };
}

/** A score as results hold it: a loss that is not finite becomes null. */
export function toScore(value: ScoreValue): Score {
  return {
    loss: finite(value.loss),
    lossStandardError: finite(value.standardError),
    accuracy: finite(value.accuracy),
    // One answer says nothing of how much answers vary.
    accuracyStandardError: value.samples < 2 ? null : finite(value.accuracyStandardError),
    samples: value.samples,
  };
}

/** The split that speaks for new samples where there is one. */
export function judgedOn(scores: Scores): { split: 'train' | 'validation'; samples: number } {
  return scores.validation === null
    ? { split: 'train', samples: scores.train.samples }
    : { split: 'validation', samples: scores.validation.samples };
}
