/** Stochastic weight averaging with more training (Izmailov et al. 2018, algorithm 1). */
import type { Scores } from '../protocol/results.ts';
import type { SwaResult, Taken } from '../protocol/furtherTraining.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { asModel, measureLast, trainFurther, type FurtherTrainingInput } from './furtherTraining.ts';
import type { Draft } from './model.ts';
import { requireReplay } from './replay.ts';
import { measureMembers } from './measure.ts';
import { judgedOn, scoreMembers } from './score.ts';
import { dataSentence, replaySentence } from './trust.ts';
import { comparisonSentences } from './trustComparison.ts';
import { furtherTrainingSentences, iterateSentence, type ScriptsOptimizer } from './trustFurtherTraining.ts';
import { withVectors } from './vectors.ts';

export interface SwaInput extends FurtherTrainingInput {
  readonly model: { readonly id: string; readonly file: string; readonly metadata: Record<string, string> };
  readonly script: ScriptsOptimizer;
}

/**
 * w_SWA ← (w_SWA·n + w)/(n + 1) at the end of every cycle, beginning with the origin; then batch-norm statistics are
 * computed anew, and the average is saved and scored beside each of its iterates and the last snapshot.
 * @throws BasinError `not-replayable`, `non-finite`, `busy`, `bad-input`, `cancelled` before the first cycle's end
 */
export async function swa(
  evaluator: Evaluator,
  input: SwaInput,
  context: AnalysisContext,
): Promise<Draft<SwaResult>> {
  requireReplay(evaluator.description);
  return withVectors(evaluator, async (vectors) => {
    context.progress(0, 'scoring the origin');
    const last = await measureLast(evaluator, vectors, input, context);
    const weights = vectors.name('weights');
    const origin = await vectors.load(input.at.vector, 'origin', context.signal);
    await evaluator.combine(
      { into: weights, terms: [{ coefficient: 1, vector: origin }], state: origin },
      context.signal,
    );
    const average = vectors.name('average');
    await evaluator.combine(
      { into: average, terms: [{ coefficient: 1, vector: origin }], state: origin },
      context.signal,
    );
    const score = async (name: string, asked: AnalysisContext): Promise<Scores> =>
      scoreMembers(evaluator, [name], input, asked);
    const iterates: Taken[] = [{ step: 0, score: await score(origin, context) }];
    const take = async (step: number, asked: AnalysisContext): Promise<void> => {
      const n = iterates.length;
      const terms = [
        { coefficient: n / (n + 1), vector: average },
        { coefficient: 1 / (n + 1), vector: weights },
      ];
      await evaluator.combine({ into: average, terms, state: 'combine' }, asked.signal);
      const iterate = await asModel(evaluator, vectors, weights, 'iterate', asked.signal);
      iterates.push({ step, score: await score(iterate, asked) });
      await vectors.release([iterate]);
    };
    const { training, stopped, finishing } = await trainFurther(
      evaluator,
      vectors,
      weights,
      input,
      take,
      context,
    );
    const refreshed = evaluator.description.hasStatistics;
    finishing.progress(0.9, refreshed ? 'batch-norm statistics' : 'scoring the average');
    if (refreshed) await evaluator.refreshStatistics({ vector: average, data: { split: 'train' } });
    const own = await measureMembers(evaluator, [average], input, finishing);
    finishing.progress(0.98, 'saving');
    const { id, file, metadata } = input.model;
    await evaluator.save({ vector: average, file, metadata });
    const data = judgedOn(own.score);
    const meanIterate = { train: meanLoss(iterates, 'train'), validation: meanLoss(iterates, 'validation') };
    return {
      kind: 'swa',
      model: id,
      complete: !stopped,
      training,
      iterates,
      meanIterate,
      data,
      score: own.score,
      baseline: { ...last.score, step: last.step },
      refreshedStatistics: refreshed,
      trust: [
        ...comparisonSentences(
          `Average of ${iterates.length} points of further training`,
          own,
          last,
          last.step,
        ),
        ...iterateSentence(own.score, meanIterate),
        ...furtherTrainingSentences(training, stopped, input.script),
        dataSentence(data, input.mode, false),
        ...(refreshed
          ? ['Batch-norm statistics of the average were computed anew on the training samples.']
          : []),
        ...replaySentence(evaluator.description),
      ],
    };
  });
}

/** Of the iterates behind the origin; null where a loss is missing. */
function meanLoss(iterates: readonly Taken[], split: 'train' | 'validation'): number | null {
  const losses = iterates.slice(1).map(({ score }) => score[split]?.loss ?? null);
  if (losses.length === 0 || losses.some((loss) => loss === null)) return null;
  return losses.reduce<number>((sum, loss) => sum + (loss ?? 0), 0) / losses.length;
}
