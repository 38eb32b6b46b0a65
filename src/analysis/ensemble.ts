/** Ensembles of snapshots (Huang et al. 2017): the mean of their predicted probabilities. */
import { BasinError } from '../protocol/errors.ts';
import type { EvaluationMode } from '../protocol/evaluator.ts';
import type { EnsembleResult, Scores } from '../protocol/results.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import type { Draft, Snapshot } from './model.ts';
import { findSnapshot } from './plane.ts';
import { requireReplay } from './replay.ts';
import { judgedOn, scoreMembers } from './score.ts';
import { comparisonSentences, dataSentence, replaySentence } from './trust.ts';
import { withVectors } from './vectors.ts';

export interface EnsembleInput {
  /** All snapshots of the run, by step. */
  readonly snapshots: readonly Snapshot[];
  /** Steps of the members; when absent the `last` snapshots, 5 by default. */
  readonly members?: readonly number[];
  readonly last?: number;
  readonly mode: EvaluationMode;
  /** At most this many samples of each split; all when absent. */
  readonly samples?: number;
  /** Id under which the engine keeps the built ensemble. */
  readonly model: string;
}

/** More members than this are refused: each costs a forward pass per prediction and a copy of the weights here. */
const MOST_MEMBERS = 50;

/**
 * Scores the ensemble, each member by itself, and the last snapshot. Members keep the batch-norm statistics they
 * were trained with.
 * @throws BasinError `unsupported` where predictions cannot be told apart from the loss, `bad-input`, `not-found`,
 *   `not-replayable`, `cancelled`
 */
export async function ensemble(
  evaluator: Evaluator,
  input: EnsembleInput,
  context: AnalysisContext,
): Promise<Draft<EnsembleResult>> {
  if (!evaluator.description.predictions) {
    throw new BasinError(
      'unsupported',
      'An ensemble averages predictions, and this script computes its loss without showing them.',
      'Average the snapshots instead, or compute the loss through a layers model.',
    );
  }
  requireReplay(evaluator.description);
  const members = chooseEnsemble(input);
  const last = input.snapshots.at(-1);
  if (last === undefined) throw new BasinError('internal', 'An ensemble with members has a last snapshot.');
  return withVectors(evaluator, async (vectors) => {
    const names: string[] = [];
    const memberScores: Scores[] = [];
    for (const [i, member] of members.entries()) {
      context.progress(i / (members.length + 2), `member ${i + 1} of ${members.length}`);
      const name = await vectors.load(member.vector, 'member', context.signal);
      names.push(name);
      memberScores.push(await scoreMembers(evaluator, [name], input, context));
    }
    context.progress(members.length / (members.length + 2), 'scoring the ensemble');
    const score = await scoreMembers(evaluator, names, input, context);
    const index = members.findIndex((m) => m.step === last.step);
    const own =
      memberScores[index] ??
      (await scoreMembers(
        evaluator,
        [await vectors.load(last.vector, 'last', context.signal)],
        input,
        context,
      ));
    const baseline = { ...own, step: last.step };
    const data = judgedOn(score);
    return {
      kind: 'ensemble',
      model: input.model,
      members: members.map((m) => m.step),
      data,
      score,
      baseline,
      memberScores,
      forwardPasses: members.length,
      refreshedStatistics: false,
      trust: [
        ...comparisonSentences(`Ensemble of ${members.length} snapshots`, score, baseline),
        `It costs ${members.length} forward passes per prediction.`,
        dataSentence(data, input.mode, false),
        ...replaySentence(evaluator.description),
      ],
    };
  });
}

/**
 * The members of an ensemble, by step or in the order they were named.
 * @throws BasinError `bad-input` for fewer than two or too many, `not-found` for a step without a snapshot
 */
export function chooseEnsemble(input: Pick<EnsembleInput, 'snapshots' | 'members' | 'last'>): Snapshot[] {
  const { snapshots } = input;
  const last = input.last ?? Math.min(5, snapshots.length);
  const members =
    input.members === undefined
      ? snapshots.slice(Math.max(0, snapshots.length - last))
      : [...new Set(input.members)].map((step) => findSnapshot(snapshots, step));
  if (members.length < 2) {
    throw new BasinError(
      'bad-input',
      `An ensemble needs at least 2 snapshots; the run has ${snapshots.length}, and this names ${members.length}.`,
      snapshots.length < 2
        ? 'Train for longer, or with a smaller --every.'
        : 'Name at least 2 different steps, or use --last with 2 or more.',
    );
  }
  if (members.length > MOST_MEMBERS) {
    throw new BasinError(
      'bad-input',
      `An ensemble of ${members.length} members would cost as many forward passes per prediction.`,
      `Name at most ${MOST_MEMBERS}, or average the snapshots instead.`,
    );
  }
  return members;
}
