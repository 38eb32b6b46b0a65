/**
 * Ensembles of weights that one further training passes: fast geometric ensembling (Garipov et al. 2018) and snapshot
 * ensembles (Huang et al. 2017). They differ in the schedule alone.
 */
import { BasinError } from '../protocol/errors.ts';
import type { Member, TrainedEnsembleResult } from '../protocol/furtherTraining.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { asModel, measureLast, trainFurther, type FurtherTrainingInput } from './furtherTraining.ts';
import type { Draft } from './model.ts';
import { takenAfter } from './rateSchedule.ts';
import { requireReplay } from './replay.ts';
import { requireOneOutput } from './requireOneOutput.ts';
import { measureMembers } from './measure.ts';
import { judgedOn, scoreMembers } from './score.ts';
import { dataSentence, replaySentence } from './trust.ts';
import { comparisonSentences } from './trustComparison.ts';
import { furtherTrainingSentences, type ScriptsOptimizer } from './trustFurtherTraining.ts';
import { withVectors } from './vectors.ts';

export interface TrainedEnsembleInput extends FurtherTrainingInput {
  /** Id of the ensemble. */
  readonly model: string;
  /** A new id and file for a member that is about to be saved. */
  readonly keep: (
    step: number,
  ) => Promise<{ readonly id: string; readonly file: string; readonly metadata: Record<string, string> }>;
  readonly script: ScriptsOptimizer;
}

/** Each member costs a forward pass a prediction, and a copy of the weights while it is judged. */
const MOST_MEMBERS = 50;

/**
 * Trains, saves the weights that the schedule takes as models with batch-norm statistics computed anew, and scores each
 * and their ensemble beside the last snapshot.
 * @throws BasinError `unsupported` where predictions cannot be told apart from the loss, `bad-input` for a budget of
 *   fewer than two members, `not-replayable`, `non-finite`, `busy`, `cancelled` before the first member
 */
export async function trainedEnsemble(
  evaluator: Evaluator,
  input: TrainedEnsembleInput,
  context: AnalysisContext,
): Promise<Omit<Draft<TrainedEnsembleResult<'fge'>>, 'kind'>> {
  requireOneOutput(evaluator.description, 'An ensemble', 'Average on the way instead (swa)');
  requireReplay(evaluator.description);
  requireMembers(input);
  return withVectors(evaluator, async (vectors) => {
    context.progress(0, 'scoring the last snapshot');
    const last = await measureLast(evaluator, vectors, input, context);
    const origin = await vectors.load(input.at.vector, 'origin', context.signal);
    const weights = vectors.name('weights');
    await evaluator.combine(
      { into: weights, terms: [{ coefficient: 1, vector: origin }], state: origin },
      context.signal,
    );
    const members: Member[] = [];
    const names: string[] = [];
    const take = async (step: number, asked: AnalysisContext): Promise<void> => {
      const name = await asModel(evaluator, vectors, weights, 'member', asked.signal);
      const score = await scoreMembers(evaluator, [name], input, asked);
      const { id, file, metadata } = await input.keep(step);
      await evaluator.save({ vector: name, file, metadata }, asked.signal);
      names.push(name);
      members.push({ model: id, step, score });
    };
    const { training, stopped, finishing } = await trainFurther(
      evaluator,
      vectors,
      weights,
      input,
      take,
      context,
    );
    finishing.progress(0.92, 'scoring the ensemble');
    const own = await measureMembers(evaluator, names, input, finishing);
    const how = { data: { split: 'train', samples: 1 }, mode: input.mode, refresh: false } as const;
    const [one] = names;
    const { form, path } =
      one === undefined
        ? { form: null, path: undefined }
        : await evaluator.predictions({ vector: one, how }, finishing.signal);
    const data = judgedOn(own.score);
    const refreshed = evaluator.description.hasStatistics;
    const what = `${input.schedule.name === 'triangular' ? 'Fast geometric ensemble' : 'Snapshot ensemble'} of ${members.length}`;
    return {
      model: input.model,
      complete: !stopped,
      training,
      members,
      output: form,
      ...(path === undefined ? {} : { outputPath: path }),
      data,
      score: own.score,
      baseline: { ...last.score, step: last.step },
      forwardPasses: members.length,
      refreshedStatistics: refreshed,
      trust: [
        ...comparisonSentences(what, own, last, last.step),
        `It costs ${members.length} forward passes per prediction.`,
        ...furtherTrainingSentences(training, stopped, input.script),
        dataSentence(data, input.mode, false),
        ...(refreshed
          ? ['Batch-norm statistics of the members were computed anew on the training samples.']
          : []),
        ...replaySentence(evaluator.description),
      ],
    };
  });
}

function requireMembers({ schedule, steps }: FurtherTrainingInput): void {
  const count = Array.from({ length: steps }, (_, i) => takenAfter(schedule, i + 1)).filter(Boolean).length;
  if (count >= 2 && count <= MOST_MEMBERS) return;
  throw new BasinError(
    'bad-input',
    `${steps} steps in cycles of ${schedule.cycle} make ${count} ${count === 1 ? 'member' : 'members'}; an ensemble has 2 to ${MOST_MEMBERS}.`,
    count < 2 ? 'Train for more steps, or in shorter cycles.' : 'Train in longer cycles, or for fewer steps.',
  );
}
